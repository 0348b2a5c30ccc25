// A real PgBouncer in transaction mode between clients and database: many clients of two tenants share
// two server connections, and none inherits anything from the one before.
import assert from 'node:assert/strict';
import { Bouncer, transaction } from './support/pgbouncer.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send } from './support/wire.mjs';

const SERVER_CONNECTIONS = 2;

const world = await World.create('pooler');
const bouncer = await Bouncer.start(world, [`default_pool_size = ${SERVER_CONNECTIONS}`]);
const tokens = { acme: await world.token('acme', 'alice'), globex: await world.token('globex', 'bob') };
const TENANTS = Object.keys(tokens);
const connect = () => bouncer.connect();

const WHO = `SELECT tenancy.current_tenant() AS tenant, tenancy.current_subject() AS subject, pg_backend_pid() AS pid,
  (SELECT array_agg(DISTINCT tenant_id || ':' || created_by) FROM agent.sessions) AS seen`;

claim('200 transactions of two tenants over two server connections never cross', async () => {
  for (const tenant of TENANTS)
    await world.rows(
      'INSERT INTO agent.sessions (tenant_id, session_id, created_by) VALUES ($1, $1, $2)',
      tenant,
      tenant,
    );
  const pids = { acme: new Set(), globex: new Set() };
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  await Promise.all(
    clients.map(async (client, c) => {
      const tenant = TENANTS[c % 2];
      for (let i = 0; i < 10; i++) {
        const [row] = await transaction(client, async () => {
          if (i % 2 === 0) await client.query(`SET LOCAL tenancy.token = '${tokens[tenant]}'`);
          else await client.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens[tenant]]);
          return (await client.query(WHO)).rows;
        });
        assert.deepEqual(
          [row.tenant, row.subject, row.seen],
          [tenant, { acme: 'alice', globex: 'bob' }[tenant], [`${tenant}:${tenant}`]],
        );
        pids[tenant].add(row.pid);
      }
    }),
  );
  const shared = [...pids.acme].filter((pid) => pids.globex.has(pid));
  assert.ok(shared.length > 0, 'both used the same server connections');
  assert.ok(new Set([...pids.acme, ...pids.globex]).size <= SERVER_CONNECTIONS);
  await Promise.all(clients.map((client) => client.end()));
});

claim('a token that one client leaves behind with a session-level SET is of no use to the next', async () => {
  const [first, second] = [await connect(), await connect()];
  const poisoned = new Set();
  for (let i = 0; i < 10; i++) {
    await first.query(`SET tenancy.token = '${tokens.acme}'`);
    const {
      rows: [{ pid }],
    } = await first.query('SELECT pg_backend_pid() AS pid');
    poisoned.add(pid);
    for (const statement of [
      'SELECT tenancy.current_tenant()',
      'SELECT * FROM agent.sessions',
      "INSERT INTO agent.sessions (session_id) VALUES ('x')",
    ])
      await assert.rejects(
        second.query(statement),
        (error) => ['42501', 'PT401'].includes(error.code),
        statement,
      );
  }
  const [row] = await transaction(second, async () => {
    await second.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens.globex]);
    return (await second.query(WHO)).rows;
  });
  assert.equal(row.tenant, 'globex', "and it does not stand in the way of the next one's own");
  assert.ok(poisoned.has(row.pid), 'which ran on a connection that was left so');
  await Promise.all([first.end(), second.end()]);
});

claim(
  'without a token every statement on the tables is an error, whoever used the connection before',
  async () => {
    const client = await connect();
    for (let i = 0; i < 6; i++) {
      await transaction(client, async () =>
        client.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens.acme]),
      );
      await assert.rejects(client.query('SELECT count(*) FROM agent.messages'), { code: '42501' });
    }
    await client.end();
  },
);

claim(
  'tenancyd works through the pooler with prepare_statements off: 200 requests, nothing crosses',
  async () => {
    const server = await world.tenancyd({
      storage: { database_url: bouncer.url, prepare_statements: false, pool_size: 12 },
    });
    const pidsBefore = await world.value(
      'SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1',
      world.role,
    );
    assert.ok(pidsBefore <= SERVER_CONNECTIONS);
    const turn = async (i) => {
      const tenant = TENANTS[i % 2];
      const text = `${tenant} says ${i}`;
      const body = chatBody(text, { session_id: `s${i % 5}`, stream: i % 3 === 0 });
      const options = { token: tokens[tenant], body };
      if (body.stream)
        return assert.equal(
          contentOf(await (await openStream(server.url, '/v1/chat/completions', options)).all()),
          text,
        );
      const answer = await send(server.url, 'POST', '/v1/chat/completions', options);
      assert.equal(answer.status, 200, answer.text);
      return assert.equal(answer.json.choices[0].message.content, text);
    };
    const read = async (i) => {
      const tenant = TENANTS[i % 2];
      const { json } = await send(server.url, 'GET', `/v1/sessions/s${i % 5}`, { token: tokens[tenant] });
      for (const message of json.messages ?? [])
        assert.ok(message.content.startsWith(tenant), message.content);
    };
    for (let start = 0; start < 100; start += 25)
      await Promise.all(Array.from({ length: 25 }, (_, i) => [turn(start + i), read(start + i)]).flat());
    const mixed = await world.rows(
      "SELECT tenant_id, count(*)::int AS count FROM agent.messages WHERE message ->> 'content' LIKE tenant_id || ' says %' GROUP BY 1 ORDER BY 1",
    );
    assert.deepEqual(mixed, [
      { tenant_id: 'acme', count: 100 },
      { tenant_id: 'globex', count: 100 },
    ]);
    assert.equal(await world.value('SELECT count(*)::int FROM agent.messages'), 200);
    assert.ok(
      (await world.value('SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1', world.role)) <=
        SERVER_CONNECTIONS,
    );
    assert.equal(await server.stop(), 0, 'it ends by itself when asked');
    assert.equal(bouncer.program.outcome, undefined, 'the pooler is still there');
  },
);

// A misconfigured pair: PgBouncer 1.18 does not know of prepared statements. So the attacker's statement can get the
// name of one that tenancyd believes to be its own, and every parameter with it: the token is the second.
claim('tenancyd is not served a statement that another client of the pooler put under its name', async () => {
  await world.rows('SELECT tenancy.harden(dry_run => false)'); // or the names could be read
  const narrow = await Bouncer.start(world, ['default_pool_size = 1']);
  const storage = { database_url: narrow.url, prepare_statements: true, pool_size: 1 };
  const server = await world.tenancyd({ storage });
  const read = () => send(server.url, 'GET', '/v1/sessions/none', { token: tokens.globex });
  assert.equal((await read()).status, 404, 'it has prepared its statement');
  const attacker = await narrow.connect();
  await assert.rejects(attacker.query('SELECT * FROM pg_prepared_statements'), { code: '42501' });
  await attacker.query('DEALLOCATE tenancyd_call').catch((error) => assert.equal(error.code, '26000'));
  await attacker.query({
    name: 'tenancyd_call',
    text: `SELECT 200 AS status, '{}' AS headers, '{}' AS body, $1::text || $3::jsonb::text || $4::jsonb::text AS tenant_id,
      set_config('left.behind', $2::text, false) AS subject, true AS counted`,
    values: ['', 'nothing', '{}', '{}'],
  });
  assert.equal((await read()).status, 404, 'its own statement answers');
  const { rows } = await attacker.query("SELECT current_setting('left.behind') AS seen");
  assert.equal(rows[0].seen, 'nothing');
  await attacker.end();
  assert.equal(await server.stop(), 0);
});
