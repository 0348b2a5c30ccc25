// What one tenant can leave on a connection that a pool then hands to another, with no reset in between: one backend,
// acme, globex, acme again. Acme holds the application's role and may send any SQL, with its token or without.
import assert from 'node:assert/strict';
import pg from 'pg';
import { transaction } from './support/pgbouncer.mjs';
import { World, claim } from './support/world.mjs';

const SECRET = 'the secret of globex';

const world = await World.create('residues');
await world.rows('CREATE TABLE public.notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)');
await world.rows("SELECT * FROM tenancy.protect_table('public.notes')");
await world.rows(`GRANT SELECT, INSERT ON public.notes TO ${world.role}`);
await world.rows("INSERT INTO public.notes (tenant_id, body) VALUES ('acme', 'of acme'), ('globex', $1)", SECRET);
await world.rows('SELECT tenancy.harden(dry_run => false)');
// The control: the same with the guards lifted and TEMP granted, where each residue must do its harm.
const open = `${world.role}_open`;
await world.rows(`CREATE ROLE ${open} LOGIN PASSWORD '${world.password}'`);
await world.rows(`SELECT tenancy.grant_app('${open}')`);
await world.rows(`GRANT SELECT, INSERT ON public.notes TO ${open}`);
await world.rows(`GRANT TEMP ON DATABASE ${world.database} TO ${open}`);
await world.rows(`ALTER ROLE ${open} SET tenancy.guard = 'off'`);
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

/** One connection of the pool. */
async function backend(user = world.role) {
  const client = new pg.Client({ user, password: world.password, database: world.database });
  client.on('error', () => {});
  client.heard = [];
  client.on('notification', ({ payload }) => client.heard.push(payload));
  await client.connect();
  return client;
}

/** The rows of `statements`' last one, run in one transaction with this token. */
const as = (client, token, ...statements) =>
  transaction(client, async () => {
    await client.query('SELECT tenancy.set_tenant_from_jwt($1)', [token]);
    let result;
    for (const statement of statements) result = await client.query(statement);
    return result.rows;
  });

const NOTES = 'SELECT body FROM notes';

/** Each residue: what a tenant leaves, what the next one asks, and what that gives when nothing stops it. */
const RESIDUES = {
  'a cursor WITH HOLD': {
    leave: [`DECLARE left_behind CURSOR WITH HOLD FOR ${NOTES}`],
    ask: 'FETCH ALL FROM left_behind',
    harm: [{ body: SECRET }],
  },
  'a temporary table of its rows': {
    leave: [`CREATE TEMP TABLE left_behind AS ${NOTES}`],
    ask: 'SELECT * FROM pg_temp.left_behind',
    harm: [{ body: SECRET }],
  },
  'a temporary table that hides a real one': {
    leave: ["CREATE TEMP TABLE notes AS SELECT text 'not yours' AS body"],
    ask: NOTES,
    harm: [{ body: 'not yours' }],
  },
  'a temporary view': {
    leave: ["CREATE TEMP VIEW notes AS SELECT text 'not yours' AS body"],
    ask: NOTES,
    harm: [{ body: 'not yours' }],
  },
  'a prepared statement with a value in its text': {
    leave: [`PREPARE left_behind AS SELECT text '${SECRET}' AS body`],
    ask: 'EXECUTE left_behind',
    harm: [{ body: SECRET }],
  },
};

for (const [name, { leave, ask, harm }] of Object.entries(RESIDUES))
  claim(`${name} is refused to the first tenant, and would reach the second`, async () => {
    const client = await backend();
    const before = await as(client, acme, ask).catch((error) => error.code);
    await assert.rejects(as(client, globex, ...leave), { code: '42501' });
    for (const statement of leave) await assert.rejects(client.query(statement), { code: '42501' });
    assert.deepEqual(await as(client, acme, ask).catch((error) => error.code), before);
    await client.end();
    const unguarded = await backend(open);
    await as(unguarded, globex, ...leave);
    assert.deepEqual(await as(unguarded, acme, ask), harm);
    await unguarded.end();
  });

claim('types, functions, operators and other code in pg_temp are refused, with a token or without', async () => {
  const client = await backend();
  for (const statement of [
    "CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    'CREATE DOMAIN pg_temp.text AS pg_catalog.text',
    'CREATE TYPE pg_temp.jsonb AS (a int)',
    'CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_catalog.texteq)',
    'CREATE TEMP SEQUENCE notes_id_seq',
    'SELECT 1 AS body INTO TEMP notes',
    "DO 'BEGIN END'",
    "LOAD 'auto_explain'",
    'SET SESSION AUTHORIZATION DEFAULT; SET SESSION AUTHORIZATION postgres',
    'SET ROLE postgres',
    'SET session_replication_role = replica',
  ]) {
    await assert.rejects(client.query(statement), { code: '42501' }, statement);
    await assert.rejects(as(client, acme, statement), { code: '42501' }, statement);
  }
  await client.end();
});

// Drivers name their statements (S_1, PGBOUNCER_7): whoever can replace one under its name has his own text run by the
// next tenant, who sends its token and its parameters along.
const SWAPPED = ['DEALLOCATE request', "PREPARE request (text) AS SELECT set_config('left.behind', $1, false) AS tenant"];
const request = (client) =>
  client.query({
    name: 'request',
    text: 'SELECT tenancy.set_tenant_from_jwt($1) AS tenant',
    values: [globex],
  });

claim('a statement prepared under its name cannot be replaced: its next run is an error, not another text', async () => {
  const client = await backend();
  assert.equal((await request(client)).rows[0].tenant, 'globex');
  await client.query(SWAPPED[0]);
  await assert.rejects(client.query(SWAPPED[1]), { code: '42501' });
  await assert.rejects(request(client), { code: '26000' });
  await client.end();
  const unguarded = await backend(open);
  await request(unguarded);
  for (const statement of SWAPPED) await unguarded.query(statement);
  await request(unguarded);
  const [{ stolen }] = (await unguarded.query("SELECT current_setting('left.behind') AS stolen")).rows;
  assert.equal(stolen, globex, 'without the guard the token is stolen');
  await unguarded.end();
});

claim('a plan that the connection keeps gives each tenant its own rows', async () => {
  const client = await backend();
  await client.query('SET plan_cache_mode = force_generic_plan');
  const kept = { name: 'kept', text: 'SELECT tenant_id, body FROM public.notes' };
  for (const [token, tenant] of [[acme, 'acme'], [globex, 'globex'], [acme, 'acme']])
    assert.deepEqual(
      (await as(client, token, kept)).map((row) => row.tenant_id),
      [tenant],
    );
  await client.end();
});

claim('a channel is heard by nobody who comes later: LISTEN is refused, also on the own channel', async () => {
  const speak = async (text) => {
    const speaker = await backend();
    await as(speaker, globex, `SELECT tenancy.notify('jobs', '${text}')`);
    await speaker.end();
  };
  const listen = async (client) => {
    const [{ channel }] = await as(client, globex, "SELECT tenancy.channel('jobs') AS channel");
    await as(client, globex, `LISTEN ${channel}`);
  };
  const client = await backend();
  await assert.rejects(listen(client), { code: '42501' });
  const unguarded = await backend(open);
  await listen(unguarded);
  await speak(SECRET);
  await as(client, acme, 'SELECT 1');
  await as(unguarded, acme, 'SELECT 1');
  assert.deepEqual([client.heard, unguarded.heard], [[], [SECRET]]);
  await Promise.all([client.end(), unguarded.end()]);
});

claim('a token that was set for the session is neither shown to the next tenant nor of use to it', async () => {
  const client = await backend();
  await client.query(`SET tenancy.token = '${globex}'`);
  await client.query(`BEGIN; SET tenancy.token = '${globex}'; SELECT tenancy.current_tenant(); COMMIT AND CHAIN`);
  for (const statement of [
    'SHOW tenancy.token',
    "SELECT current_setting('tenancy.token')",
    "SELECT set_config('tenancy.token', current_setting('tenancy.token'), true), tenancy.current_tenant()",
    'SELECT tenancy.current_tenant()',
    NOTES,
  ]) {
    await assert.rejects(client.query(statement), { code: '42501' }, statement);
    await client.query('ROLLBACK AND CHAIN');
  }
  await client.query('ROLLBACK');
  const { rows } = await client.query("SELECT FROM pg_settings WHERE setting LIKE '%eyJ%' OR reset_val LIKE '%eyJ%'");
  assert.equal(rows.length, 0);
  await client.end();
});

claim('numbers of sequences, statements, cursors and locks of the tenant before are not to be had', async () => {
  const client = await backend();
  await as(client, globex, "INSERT INTO notes (body) VALUES ('one more')", 'SELECT tenancy.advisory_lock(7)');
  for (const [statement, code] of [
    ['SELECT lastval()', '42501'],
    ["SELECT currval('notes_id_seq')", '42501'],
    ['SELECT * FROM pg_prepared_statements', '42501'],
    ['SELECT * FROM pg_cursors', '42501'],
    ['SELECT * FROM pg_locks', '42501'],
    ['SELECT pg_advisory_lock(1)', '42501'],
    ['SELECT lo_open(1, 262144)', '42501'],
  ])
    await assert.rejects(as(client, acme, statement), { code }, statement);
  const other = await backend();
  const [{ free }] = await as(other, globex, 'SELECT tenancy.try_advisory_lock(7) AS free');
  assert.ok(free, 'the lock went with its transaction');
  await Promise.all([client.end(), other.end()]);
});

claim('a call leaves nothing on its connection', async () => {
  const client = await backend();
  const state = () =>
    world.rows(
      'SELECT (SELECT count(*)::int FROM pg_locks WHERE pid = $1) AS locks, (SELECT state FROM pg_stat_activity WHERE pid = $1) AS state',
      client.processID,
    );
  const settings = "SELECT name, setting FROM pg_settings WHERE name !~ '^plpgsql' ORDER BY name"; // there once it is loaded
  const before = (await client.query(settings)).rows;
  for (const token of [acme, globex])
    await client.query('SELECT * FROM agent.call($1, $2, $3, $4)', [
      'create_session',
      token,
      '{"session_id": "s"}',
      JSON.stringify({ request_id: 'r', model: 'm', instance_id: 'i', traceparent: 't' }),
    ]);
  assert.deepEqual((await client.query(settings)).rows, before);
  const { rows } = await client.query('SELECT pg_my_temp_schema()::int AS temp, ARRAY(SELECT pg_listening_channels()) AS heard');
  assert.deepEqual(rows, [{ temp: 0, heard: [] }]);
  assert.deepEqual(await state(), [{ locks: 0, state: 'idle' }]);
  await client.end();
});
