// A real OpenID Connect provider in front: what it publishes is loaded, what it signs is accepted, for
// exactly the clients and the audience that an administrator registered.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { OTHER_RESOURCE, OidcProvider, RESOURCE, TENANT_CLAIM } from './support/provider.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('oidc');
const server = await world.tenancyd();

const clients = { 'app-one': 'one', 'app-two': 'two', 'app-stranger': 'stranger' };

const start = (algorithm) => OidcProvider.start({ algorithm, tenants: clients });
const providers = { ES256: await start('ES256'), RS256: await start('RS256') };
after(() => Promise.all(Object.values(providers).map((provider) => provider.stop())));

for (const [algorithm, provider] of Object.entries(providers)) {
  const tenant = (name) => `${name}-${algorithm}`.toLowerCase();

  claim(`${algorithm}: discovery and keys of the provider are fetched over HTTP and loaded`, async () => {
    const { metadata, jwks } = await provider.discover();
    assert.equal(metadata.issuer, provider.url);
    assert.equal(JSON.parse(jwks).keys[0].d, undefined, 'the published set has no private member');
    await world.rows(
      'SELECT tenancy.add_issuer($1, $2, $3, typ => $4)',
      metadata.issuer,
      [RESOURCE],
      TENANT_CLAIM,
      'at+jwt',
    );
    const loaded = await world.rows('SELECT * FROM tenancy.load_jwks($1, $2::text)', metadata.issuer, jwks);
    assert.deepEqual(
      loaded.map((key) => [key.algorithm, key.outcome]),
      [[algorithm, 'active']],
    );
    for (const name of ['one', 'two'])
      await world.rows('SELECT tenancy.add_tenant($1, $2, $3)', tenant(name), metadata.issuer, name);
  });

  claim(
    `${algorithm}: access tokens of two clients work as two tenants that do not see each other`,
    async () => {
      for (const name of ['one', 'two']) {
        const token = await provider.token(`app-${name}`);
        assert.equal(JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).alg, algorithm);
        const body = chatBody(`I am ${name}`, { session_id: 'shared-name' });
        const answer = await send(server.url, 'POST', '/v1/chat/completions', { token, body });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.json.choices[0].message.content, `I am ${name}`);
        const session = (await send(server.url, 'GET', '/v1/sessions/shared-name', { token })).json;
        assert.deepEqual(
          session.messages.map((message) => message.content),
          [`I am ${name}`, `I am ${name}`],
        );
        const [row] = await world.rows('SELECT subject FROM agent.usage WHERE tenant_id = $1', tenant(name));
        assert.deepEqual(row, { subject: `app-${name}` });
      }
    },
  );

  claim(`${algorithm}: a client that is no registered tenant is refused with 401`, async () => {
    const token = await provider.token('app-stranger');
    const answer = await send(server.url, 'GET', '/v1/traces', { token });
    assert.equal(answer.status, 401, answer.text);
    assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"');
  });

  claim(`${algorithm}: a registered client's token for another audience is refused with 401`, async () => {
    const token = await provider.token('app-one', OTHER_RESOURCE);
    assert.equal((await send(server.url, 'GET', '/v1/traces', { token })).status, 401);
    const good = await provider.token('app-one');
    assert.equal((await send(server.url, 'GET', '/v1/traces', { token: good })).status, 200);
  });
}

claim('a provider cannot name a tenant that is registered for another provider', async (context) => {
  const impostor = await OidcProvider.start({ algorithm: 'ES256', tenants: { 'app-one': 'one' } });
  context.after(() => impostor.stop());
  const { metadata, jwks } = await impostor.discover();
  const token = await impostor.token('app-one');
  assert.equal((await send(server.url, 'GET', '/v1/traces', { token })).status, 401, 'not trusted yet');
  await world.rows('SELECT tenancy.add_issuer($1, $2, $3)', metadata.issuer, [RESOURCE], TENANT_CLAIM);
  await world.rows('SELECT * FROM tenancy.load_jwks($1, $2::text)', metadata.issuer, jwks);
  assert.equal(
    (await send(server.url, 'GET', '/v1/traces', { token })).status,
    401,
    'trusted, without tenants',
  );
  await world.rows("SELECT tenancy.add_tenant('impostor', $1, 'one')", metadata.issuer);
  const list = await send(server.url, 'GET', '/v1/traces', { token });
  assert.deepEqual([list.status, list.text], [200, '[]'], 'its own tenant, which has nothing');
});
