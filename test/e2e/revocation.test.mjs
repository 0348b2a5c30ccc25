// What an administrator takes away is gone at the next request, on connections that are already open,
// without a restart.
import assert from 'node:assert/strict';
import { Issuer } from './support/issuer.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send } from './support/wire.mjs';

const world = await World.create('revocation');
const server = await world.tenancyd({
  model: { provider: 'echo', echo_delay_ms: 40 },
  storage: { pool_size: 3 },
});
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

const status = async (token, method = 'GET', path = '/v1/traces', body) =>
  (await send(server.url, method, path, { token, body })).status;

/** Enough requests at once that every connection of the pool takes part; the distinct statuses. */
async function everywhere(token) {
  const answers = await Promise.all(Array.from({ length: 12 }, () => status(token)));
  return [...new Set(answers)];
}

claim('a suspended tenant is 403 tenant_suspended on every route at the next request', async () => {
  assert.deepEqual(await everywhere(acme), [200]);
  await world.rows("SELECT tenancy.suspend_tenant('acme', 'unpaid')");
  assert.deepEqual(await everywhere(acme), [403]);
  for (const [method, path, body] of [
    ['POST', '/v1/chat/completions', chatBody('hi')],
    ['POST', '/v1/chat/completions', chatBody('hi', { stream: true })],
    ['POST', '/v1/sessions', {}],
    ['GET', '/v1/agent-info'],
    ['POST', '/v1/feedback', { rating: 1 }],
    ['GET', '/v1/audit'],
  ]) {
    const answer = await send(server.url, method, path, { token: acme, body });
    assert.equal(answer.status, 403, `${method} ${path}`);
    assert.equal(answer.json.error.code, 'tenant_suspended');
    assert.equal(answer.json.error.type, 'permission_error');
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.doesNotMatch(answer.text, /unpaid/, "the reason is the administrators'");
  }
});

claim('another tenant does not notice', async () => {
  assert.deepEqual(await everywhere(globex), [200]);
});

claim('a forged token of a suspended tenant is 401 like any other', async () => {
  assert.equal(await status(await world.issuer.otherKey('acme')), 401);
});

claim('a resumed tenant goes on with its data', async () => {
  await world.rows("SELECT tenancy.resume_tenant('acme')");
  assert.deepEqual(await everywhere(acme), [200]);
  assert.equal(await status(acme, 'POST', '/v1/sessions', { session_id: 'kept' }), 201);
  await world.rows("SELECT tenancy.suspend_tenant('acme')");
  await world.rows("SELECT tenancy.resume_tenant('acme')");
  assert.equal(await status(acme, 'GET', '/v1/sessions/kept'), 200);
});

claim('a turn that is running when its tenant is suspended is finished and on record', async () => {
  const text = 'long enough to be still running a little later';
  const stream = await openStream(server.url, '/v1/chat/completions', {
    token: acme,
    body: chatBody(text, { stream: true, session_id: 'kept' }),
  });
  await world.rows("SELECT tenancy.suspend_tenant('acme')");
  const frames = await stream.all();
  assert.equal(contentOf(frames), text);
  assert.equal(frames.at(-2).json.usage.completion_tokens, Math.ceil(text.length / 4));
  assert.equal(await status(acme), 403);
  await world.rows("SELECT tenancy.resume_tenant('acme')");
  assert.equal((await send(server.url, 'GET', '/v1/sessions/kept', { token: acme })).json.messages.length, 2);
});

claim('a new key of the issuer works at the next request, the old one until it is taken away', async () => {
  const next = await Issuer.create(world.issuer.url);
  const rotated = await next.token('acme', 'alice');
  assert.deepEqual(await everywhere(rotated), [401]);
  const both = JSON.stringify({ keys: [...world.issuer.jwks.keys, ...next.jwks.keys] });
  await world.rows('SELECT * FROM tenancy.load_jwks($1, $2::text)', world.issuer.url, both);
  assert.deepEqual([await everywhere(rotated), await everywhere(acme)], [[200], [200]]);
  await world.rows(
    'SELECT * FROM tenancy.load_jwks($1, $2::text)',
    world.issuer.url,
    JSON.stringify(next.jwks),
  );
  assert.deepEqual([await everywhere(rotated), await everywhere(acme)], [[200], [401]]);
  await world.rows('SELECT * FROM tenancy.load_jwks($1, $2::text)', world.issuer.url, both);
  assert.deepEqual([await everywhere(rotated), await everywhere(acme)], [[200], [200]]);
});

claim('a revoked key is 401 at the next request, and stays so when its set is loaded again', async () => {
  await world.rows('SELECT tenancy.revoke_key($1, $2)', world.issuer.url, world.issuer.kid);
  assert.deepEqual(await everywhere(acme), [401]);
  assert.deepEqual(await everywhere(await world.token('globex', 'new-token')), [401]);
  await world.rows(
    'SELECT * FROM tenancy.load_jwks($1, $2::text)',
    world.issuer.url,
    JSON.stringify(world.issuer.jwks),
  );
  assert.deepEqual(await everywhere(acme), [401]);
});
