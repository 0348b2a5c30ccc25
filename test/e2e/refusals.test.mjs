// Whatever is not a good token gets one and the same answer, and no byte of it reaches a log.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { Issuer } from './support/issuer.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('refusals');
const server = await world.tenancyd({ logging: { level: 'debug' } });
const issuer = world.issuer;
const now = Math.floor(Date.now() / 1000);
const good = await world.token('acme');

const rsa = await Issuer.create('https://refusals-rsa.issuer.example', 'RS256');
await world.trust(rsa, { tenants: ['acme-rsa'] });
const stranger = await Issuer.create('https://stranger.issuer.example');

const TOKENS = {
  expired: await world.token('acme', 'mallory', { iat: now - 3600, exp: now - 120 }),
  'not valid yet': await world.token('acme', 'mallory', { nbf: now + 3600 }),
  'without an expiry': await world.token('acme', 'mallory', { exp: undefined }),
  'alg=none without a signature': issuer.unsigned('acme'),
  'alg=none with a signature': await issuer.none('acme'),
  'HS256 with the public EC key': await issuer.hs256('acme'),
  'HS256 with the public RSA key': await rsa.hs256('acme-rsa'),
  'signed by another key': await issuer.otherKey('acme'),
  'with an exchanged payload': await issuer.tampered('acme', 'globex'),
  'for another audience': await world.token('acme', 'mallory', { aud: 'billing' }),
  'without an audience': await world.token('acme', 'mallory', { aud: undefined }),
  'of another issuer, signed by ours': await world.token('acme', 'mallory', { iss: 'https://evil.example' }),
  'of an issuer that is not trusted': await stranger.token('acme', 'mallory'),
  'of an unregistered tenant': await world.token('initech', 'mallory'),
  'without a tenant': await world.token(undefined, 'mallory'),
  'with a tenant that is a list': await world.token(['acme'], 'mallory'),
  'of our tenant under another issuer': await rsa.token('acme', 'mallory'),
  'cut short': good.slice(0, -8),
  'with a fourth part': `${good}.${good.split('.')[2]}`,
  'that is no token': 'an-opaque-api-key-of-some-other-service',
  'that is very long': `${good.split('.')[0]}.${'QUJD'.repeat(1200)}.${good.split('.')[2]}`,
};

const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });
const REQUESTS = {
  'no Authorization header': {},
  'an empty bearer token': bearer(''),
  'another scheme': {
    headers: { Authorization: `Basic ${Buffer.from('alice:password-of-alice').toString('base64')}` },
  },
  'two Authorization headers': { headers: { Authorization: [`Bearer ${good}`, `Bearer ${good}`] } },
  'a good token in the query string': {
    path: `/v1/traces?access_token=${good}&token=${good}&authorization=Bearer%20${good}`,
  },
  'a good token in a cookie': { headers: { Cookie: `access_token=${good}` } },
  'a good token in X-API-Key': { headers: { 'X-API-Key': good } },
  'two tokens in one header': bearer(`${good},${good}`),
  ...Object.fromEntries(Object.entries(TOKENS).map(([name, token]) => [`a token ${name}`, bearer(token)])),
};

const expected = await send(server.url, 'GET', '/v1/traces', bearer(TOKENS['signed by another key']));

claim('a refused token is 401 with WWW-Authenticate and one generic message in both shapes', () => {
  assert.equal(expected.status, 401);
  assert.equal(expected.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal(expected.json.error.code, 'invalid_token');
  assert.equal(expected.json.error.type, 'authentication_error');
  assert.equal(expected.json.error.message, expected.json.detail);
});

for (const [name, { path = '/v1/traces', ...request }] of Object.entries(REQUESTS))
  claim(`${name}: the same 401, byte for byte`, async () => {
    const answer = await send(server.url, 'GET', path, request);
    assert.equal(answer.fingerprint(), expected.fingerprint());
  });

claim('every route refuses a forged token the same way, before it looks at anything else', async () => {
  const request = bearer(TOKENS['signed by another key']);
  const routes = [
    ['GET', '/v1/agent-info'],
    ['POST', '/v1/sessions', {}],
    ['GET', '/v1/sessions/a'],
    ['DELETE', '/v1/sessions/a'],
    ['GET', '/v1/sessions/a/usage'],
    ['POST', '/v1/sessions/a/fork', {}],
    ['POST', '/v1/sessions/a/revert', { to_message_index: 'x' }],
    ['GET', '/v1/traces/a'],
    ['POST', '/v1/feedback', {}],
    ['GET', '/v1/feedback?limit=x'],
    ['PATCH', '/v1/feedback/a', {}],
    ['GET', '/v1/feedback/stats'],
    ['GET', '/v1/audit'],
    ['POST', '/v1/chat/completions', chatBody('hi')],
    ['POST', '/v1/chat/completions', chatBody('hi', { stream: true })],
    ['POST', '/v1/chat/completions', {}],
  ];
  for (const [method, path, body] of routes) {
    const answer = await send(server.url, method, path, { ...request, body });
    assert.equal(answer.fingerprint(), expected.fingerprint(), `${method} ${path}`);
  }
});

claim('a good token is accepted, in any case of the scheme', async () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER'])
    assert.equal(
      (await send(server.url, 'GET', '/v1/traces', { headers: { Authorization: `${scheme} ${good}` } }))
        .status,
      200,
    );
  assert.equal(
    (await send(server.url, 'GET', '/v1/traces', bearer(await rsa.token('acme-rsa')))).status,
    200,
  );
});

/** Statements of a plain SQL client that the database refuses; their text holds the token. */
async function refuseInSql(token) {
  const client = new pg.Client({ connectionString: world.databaseUrl() });
  await client.connect();
  const statements = [
    `SELECT tenancy.set_tenant_from_jwt('${token}')`,
    `BEGIN; SET LOCAL tenancy.token = '${token}'; SELECT tenancy.current_tenant()`,
  ];
  for (const statement of statements) {
    const refused = await client.query(statement).then(
      () => undefined,
      (error) => error,
    );
    assert.ok(refused, 'the statement was refused');
    assert.ok(!JSON.stringify({ ...refused, message: refused.message }).includes(token.slice(8, 24)));
    await client.query('ROLLBACK');
  }
  await assert.rejects(client.query('SELECT tenancy.set_tenant_from_jwt($1)', [token]));
  await client.end();
}

/** Pieces of twelve characters of all parts of a token, so that a cut or quoted rest is found as well. */
function* pieces(token) {
  for (let i = 0; i + 12 <= token.length; i += 6) yield token.slice(i, i + 12);
}

claim('no piece of any token is in the log of tenancyd or of PostgreSQL', async () => {
  for (const token of Object.values(TOKENS)) if (token.includes('.')) await refuseInSql(token);
  const logs = { tenancyd: server.log(), PostgreSQL: readFileSync(process.env.CLUSTER_LOG, 'utf8') };
  assert.match(logs.tenancyd, /"refusal":"invalid_token"|refusal=invalid_token/, 'the log has the refusals');
  assert.ok(logs.PostgreSQL.includes(`database=${world.database}`), 'the log has the connections');
  for (const [name, log] of Object.entries(logs))
    for (const [kind, token] of Object.entries({ ...TOKENS, good }))
      for (const piece of pieces(token))
        assert.ok(!log.includes(piece), `the log of ${name} holds "${piece}" of the token ${kind}`);
});
