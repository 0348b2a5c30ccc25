// Two tenants, eight clients, two server connections of a real PgBouncer in transaction mode: each client leaves all it
// can on the connection it has, and looks for what the others left. What the wall keeps is never seen; what PostgreSQL
// alone keeps, a setting of the session, is: so the test can see a crossing.
import assert from 'node:assert/strict';
import { Bouncer, transaction } from './support/pgbouncer.mjs';
import { World, claim } from './support/world.mjs';

const CLIENTS = 8;
const SERVER_CONNECTIONS = 2;
const SECONDS = 2;
const TENANTS = ['acme', 'globex'];
// Nothing left, nothing to see; or there is one of that name already.
const REFUSED = new Set(['42501', '25006', '26000', '34000', '42P01']);
const THERE = new Set(['42P07', '42P03', '42P05', '42723']);

const world = await World.create('poolload');
await world.rows('CREATE TABLE public.notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)');
await world.rows("SELECT * FROM tenancy.protect_table('public.notes')");
// As many guides have it: the tenant is a setting, set when the request begins.
await world.rows(`CREATE TABLE public.plain (tenant text, body text);
  ALTER TABLE public.plain ENABLE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON public.plain USING (tenant = current_setting('app.tenant', true))`);
for (const table of ['notes (tenant_id, body)', 'plain (tenant, body)'])
  for (const tenant of TENANTS) await world.rows(`INSERT INTO public.${table} VALUES ($1, $1)`, tenant);
await world.rows(`GRANT SELECT, INSERT ON public.notes, public.plain TO ${world.role}`);
await world.rows('SELECT tenancy.harden(dry_run => false)');
const tokens = { acme: await world.token('acme', 'alice'), globex: await world.token('globex', 'bob') };

/** What a tenant leaves behind if it is let. */
const residues = (me, channel) => [
  `CREATE TEMP TABLE notes AS SELECT text '${me}' AS tenant_id, text '${me}' AS body`,
  `CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''${me}'''`,
  'DECLARE left_behind SCROLL CURSOR WITH HOLD FOR SELECT body FROM public.notes',
  `PREPARE left_behind AS SELECT text '${me}' AS body`,
  `LISTEN ${channel}`,
  `SET tenancy.token = '${tokens[me]}'`,
  `SET tenancy.request_id = '${me}'`,
  'SELECT pg_advisory_lock(1)',
  'SET search_path = pg_temp, tenancy, public',
  'SET row_security = off',
  'SET default_transaction_read_only = on',
  'SET plan_cache_mode = force_generic_plan',
];

/** What it finds of others, without its token. */
const SEARCHES = [
  'SELECT body FROM pg_temp.notes',
  'FETCH FIRST FROM left_behind',
  'EXECUTE left_behind',
  'SELECT body FROM public.notes',
  "SELECT current_setting('tenancy.request_id') AS body",
  'SELECT tenancy.current_tenant() AS body',
];

class Visitor {
  constructor(client, me) {
    Object.assign(this, { client, me, requests: 0, refused: 0, crossings: [], control: 0 });
    client.on('notification', ({ payload }) => this.sees(payload, 'a notification'));
  }

  sees(text, where) {
    if (text && text !== this.me) this.crossings.push(`${this.me} saw "${text}" in ${where}`);
  }

  /** The rows of a statement; none when it was refused as it should. */
  async rows(statement) {
    try {
      return (await this.client.query(statement)).rows;
    } catch (error) {
      assert.ok(REFUSED.has(error.code) || THERE.has(error.code), `${statement}: ${error.message}`);
      return [];
    }
  }

  /** A request: the tenant's own rows, through the same unqualified name as everybody's. */
  async request() {
    this.requests += 1;
    try {
      const seen = await transaction(this.client, async () => {
        await this.client.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens[this.me]]);
        await this.client.query("SELECT tenancy.notify('jobs', $1)", [this.me]);
        return (await this.client.query('SELECT tenant_id, body, lower(tenant_id) AS low FROM notes')).rows;
      });
      assert.equal(seen.length, 1);
      for (const value of Object.values(seen[0])) this.sees(value, 'its rows');
    } catch (error) {
      if (!REFUSED.has(error.code)) throw error;
      this.refused += 1;
    }
  }

  async leave(statement) {
    await this.rows(statement);
    await transaction(this.client, async () => {
      await this.client.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens[this.me]]);
      await this.rows(statement); // a refusal turns the COMMIT into a ROLLBACK
    });
  }

  /** What nothing but the pooler can take away: a setting of the session, here one that names the tenant. */
  async leaveControl() {
    await this.rows(`SELECT set_config('app.tenant', '${this.me}', false)`);
    for (const { tenant } of await this.rows('SELECT tenant FROM public.plain')) if (tenant !== this.me) this.control += 1;
  }

  async run(until) {
    const [{ channel }] = await transaction(this.client, async () => {
      await this.client.query('SELECT tenancy.set_tenant_from_jwt($1)', [tokens[this.me]]);
      return (await this.client.query("SELECT tenancy.channel('jobs') AS channel")).rows;
    });
    const mine = residues(this.me, channel);
    for (let i = 0; Date.now() < until; i++) {
      await this.leave(mine[i % mine.length]);
      await this.leaveControl();
      for (const search of SEARCHES)
        for (const { body } of await this.rows(search)) this.sees(body, search);
      await this.request();
      if (i % 3 === 0) await this.rows('RESET ALL'); // or the first refusal would be the last request
      await this.request();
    }
    await this.client.end();
  }
}

/** All clients at once, through a pooler with these settings. */
async function load(...settings) {
  const bouncer = await Bouncer.start(world, [`default_pool_size = ${SERVER_CONNECTIONS}`, ...settings]);
  const visitors = [];
  for (let i = 0; i < CLIENTS; i++) visitors.push(new Visitor(await bouncer.connect(), TENANTS[i % 2]));
  const until = Date.now() + SECONDS * 1000;
  await Promise.all(visitors.map((visitor) => visitor.run(until)));
  await bouncer.stop();
  const sum = (what) => visitors.reduce((all, visitor) => all + visitor[what], 0);
  const crossings = visitors.flatMap((visitor) => visitor.crossings);
  return { crossings, requests: sum('requests'), refused: sum('refused'), control: sum('control') };
}

claim('in transaction mode without a reset nothing crosses but what the control leaves', async () => {
  const { crossings, requests, refused, control } = await load();
  assert.deepEqual(crossings.slice(0, 5), []);
  assert.ok(requests > 200 && refused < requests / 2, `${requests} requests, ${refused} refused`);
  assert.ok(control > 0, 'the textbook table crosses: the test can see a crossing');
});

claim('with server_reset_query_always nothing crosses at all', async () => {
  const { crossings, requests, control } = await load('server_reset_query = DISCARD ALL', 'server_reset_query_always = 1');
  assert.deepEqual(crossings.slice(0, 5), []);
  assert.ok(requests > 100, `${requests} requests`);
  assert.equal(control, 0);
});

claim('without guards every kind of residue crosses, and the test sees each', async () => {
  await world.rows(`ALTER ROLE ${world.role} SET tenancy.guard = 'off'`);
  await world.rows(`GRANT TEMP ON DATABASE ${world.database} TO ${world.role}`);
  const { crossings } = await load();
  const kinds = new Set(crossings.map((crossing) => crossing.replace(/.* in /, '')));
  assert.deepEqual([...kinds].sort(), [
    'EXECUTE left_behind',
    'FETCH FIRST FROM left_behind',
    'SELECT body FROM pg_temp.notes',
      'a notification',
    'its rows',
  ]);
});
