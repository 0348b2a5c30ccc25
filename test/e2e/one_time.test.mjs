// Tokens that count once: each buys one request, also one that asks the database before its body is read, or
// before its rate is taken from a Valkey.
import assert from 'node:assert/strict';
import { Valkey } from './support/valkey.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('onetime');
await world.rows('SELECT tenancy.add_issuer($1, $2, $3, one_time_jti => true)', world.issuer.url, ['agents'], 'org_id');
await world.rows("SELECT tenancy.set_rate_limit('acme', 60000, tokens_per_minute => 10000000)");
const valkey = await Valkey.create(world);
const alone = await world.tenancyd();
const shared = await world.tenancyd({ server: { rate_limit: { backend: 'valkey', valkey_url: valkey.url, timeout_ms: 500 } } });

const LARGE = 'x'.repeat(200_000);

/** The statuses of the same request with the same token, one after the other, then of both at once with a new one. */
async function twice(server, body) {
  const post = (token) => send(server.url, 'POST', '/v1/chat/completions', { token, body });
  const first = await world.token('acme', 'alice');
  const second = await world.token('acme', 'alice');
  const inTurn = [(await post(first)).status, (await post(first)).status];
  const atOnce = (await Promise.all([post(second), post(second)])).map(({ status }) => status);
  return [...inTurn, ...atOnce.sort()];
}

for (const [what, server, text] of [
  ['a small body', alone, 'hi'],
  ['a body that is read after the token is verified', alone, LARGE],
  ['a limiter that several primaries share', shared, 'hi'],
  ['both', shared, LARGE],
])
  claim(`a token that counts once buys one request: ${what}`, async () => {
    const before = await world.value('SELECT count(*)::int FROM agent.turns');
    assert.deepEqual(await twice(server, chatBody(text)), [200, 401, 200, 401]);
    assert.equal(await world.value('SELECT count(*)::int FROM agent.turns'), before + 2);
  });
