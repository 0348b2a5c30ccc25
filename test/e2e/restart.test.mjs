// The database goes away and comes back, politely and by a crash, while requests arrive. An answer is
// right or it is an error; tenancyd itself is never restarted. This file stops the cluster that the
// other files share, so it runs alone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Standby, runAsServer } from './support/standby.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send, until } from './support/wire.mjs';

const WORKERS = 8;
const CUT_OFF = /ECONNRESET|ECONNREFUSED|EPIPE/;
const bindir = execFileSync(
  process.env.PG_CONFIG ?? `/usr/lib/postgresql/${process.env.PG_MAJOR ?? 15}/bin/pg_config`,
  ['--bindir'],
)
  .toString()
  .trim();

const world = await World.create('restart');
let server = await world.tenancyd({
  model: { provider: 'echo', echo_delay_ms: 30 },
  storage: { acquire_timeout_seconds: 1 },
});
const tokens = { acme: await world.token('acme', 'alice'), globex: await world.token('globex', 'bob') };

const control = (...action) =>
  runAsServer(path.join(bindir, 'pg_ctl'), '-D', process.env.CLUSTER_DATA, '-l', process.env.CLUSTER_LOG, '-w', ...action);

const get = (where, token) => send(server.url, 'GET', where, { token });
const ready = () => until('tenancyd is ready again', async () => (await get('/readyz')).status === 200);

/** One turn. True: answered, and rightly. False: refused or cut off, as it may be while the database is away. */
async function turn(tenant, session, text, stream) {
  const options = { token: tokens[tenant], body: chatBody(text, { session_id: session, stream }) };
  let answer;
  try {
    answer = stream
      ? await openStream(server.url, '/v1/chat/completions', options)
      : await send(server.url, 'POST', '/v1/chat/completions', options);
  } catch (error) {
    assert.match(String(error.code), CUT_OFF);
    return false;
  }
  if (answer.status !== 200) {
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '1');
    return false;
  }
  if (!stream) {
    assert.equal(answer.json.choices[0].message.content, text);
    return true;
  }
  const frames = await answer.all();
  assert.equal(frames.at(-1).data, '[DONE]');
  const error = frames.at(-2).json.error;
  if (error) assert.equal(error.code, 'unavailable');
  else assert.equal(contentOf(frames), text);
  return !error;
}

/** Requests without pause from several clients, until stop(). */
class Load {
  constructor(name) {
    this.name = name;
    this.isOver = false;
    this.refused = 0;
    this.answered = 0;
    const readers = [0, 1].map((number) => this.read(number));
    const workers = Array.from({ length: WORKERS }, (_, number) => this.work(number));
    this.done = Promise.all([...readers, ...workers]);
    this.done.catch((error) => (this.failure = error)); // stop() tells; until then it is nobody's
  }

  /** Reads; a turn that waits for the database to come back is not refused, a read is. */
  async read(number) {
    const tenant = ['acme', 'globex'][number % 2];
    while (!this.isOver) {
      const answer = await get(`/v1/sessions/${this.name}-${number}`, tokens[tenant]).catch((error) => error);
      if (answer instanceof Error) assert.match(String(answer.code), CUT_OFF);
      else if (answer.status === 503) this.refused += 1;
      else if (answer.status === 404)
        assert.match(answer.json.detail, /not found$/); // before the first turn
      else {
        assert.equal(answer.status, 200, answer.text);
        assert.ok(answer.json.messages.every((message) => message.content.startsWith(tenant)));
      }
    }
  }

  /** Turns; gives the texts of those that were acknowledged. */
  async work(number) {
    const tenant = ['acme', 'globex'][number % 2];
    const outcome = { tenant, session: `${this.name}-${number}`, acknowledged: [] };
    for (let i = 0; !this.isOver; i++) {
      const text = `${tenant} turn ${i} of ${outcome.session}`;
      if (await turn(tenant, outcome.session, text, i % 2 === 1)) {
        outcome.acknowledged.push(text);
        this.answered += 1;
      } else this.refused += 1;
    }
    return outcome;
  }

  /** Waits for `check`, but not on when a client got a wrong answer. */
  until(what, check) {
    return until(what, () => {
      if (this.failure) throw this.failure;
      return check();
    });
  }

  /** The outcomes of the workers; throws what a client complained about. */
  async stop() {
    this.isOver = true;
    return (await this.done).filter((outcome) => outcome !== undefined);
  }
}

async function checkRecords({ tenant, session, acknowledged }) {
  const { messages } = (await get(`/v1/sessions/${session}`, tokens[tenant])).json;
  const asked = messages.filter((message) => message.role === 'user').map((message) => message.content);
  assert.equal(new Set(asked).size, asked.length, 'no turn is on record twice');
  for (const text of acknowledged) assert.ok(asked.includes(text), `acknowledged and lost: ${text}`);
  assert.ok(asked.every((text) => text.startsWith(tenant)));
  assert.ok(messages.every((message, i) => message.content === messages[i - (i % 2)].content));
}

async function restartUnderLoad(mode, context) {
  const load = new Load(mode);
  context.after(() => load.stop().catch(() => {}));
  const count = () => world.value("SELECT count(*)::int FROM agent.turns WHERE status = 'ok'").catch(() => 0);
  const before = await count();
  await load.until('the load is on', async () => (await count()) > before + WORKERS);
  await control('stop', '-m', mode);
  await load.until('a request is refused', () => load.refused > 0).finally(() => control('start'));
  await ready();
  const resumed = await count();
  await load.until('turns are recorded again', async () => (await count()) > resumed + 2 * WORKERS);
  for (const outcome of await load.stop()) await checkRecords(outcome);
}

for (const mode of ['fast', 'immediate'])
  claim(
    `a restart (${mode}) under load: right answers or 503, nothing acknowledged is lost`,
    async (context) => {
      const pid = server.pid;
      await restartUnderLoad(mode, context);
      assert.equal(server.outcome, undefined, 'service resumed without a restart of tenancyd');
      assert.equal(server.pid, pid);
    },
  );

claim(
  'while the database is away: alive, not ready, 503 with Retry-After; and back without a restart',
  async () => {
    await control('stop', '-m', 'fast');
    try {
      await until('readiness is withdrawn', async () => (await get('/readyz')).status === 503);
      assert.equal((await get('/healthz')).status, 200);
      assert.deepEqual((await get('/readyz')).json, { status: 'not ready' });
      for (const where of ['/v1/traces', '/v1/agent-info', '/v1/sessions/fast-0']) {
        const answer = await get(where, tokens.acme);
        assert.deepEqual(
          [answer.status, answer.json.error.code, answer.headers['retry-after']],
          [503, 'unavailable', '1'],
        );
        assert.doesNotMatch(answer.text, /sock|connect|postgres/i, 'no word of what is behind');
      }
      assert.equal((await get('/v1/traces')).status, 401, 'no token is no token');
    } finally {
      await control('start');
    }
    await ready();
    assert.equal((await get('/v1/traces', tokens.acme)).status, 200);
    assert.equal(server.outcome, undefined);
  },
);

claim('a turn that began before a restart and ends after it is on record', async () => {
  const text = 'a long text whose pieces take longer than the database is away '.repeat(8);
  const stream = await openStream(server.url, '/v1/chat/completions', {
    token: tokens.acme,
    body: chatBody(text, { session_id: 'bridge', stream: true }),
  });
  const frames = stream.all();
  await control('restart', '-m', 'fast');
  const all = await frames;
  assert.equal(contentOf(all), text);
  assert.equal(all.at(-2).json.usage.completion_tokens, Math.ceil(text.length / 4));
  const session = (await get('/v1/sessions/bridge', tokens.acme)).json;
  assert.deepEqual(
    session.messages.map((message) => message.content),
    [text, text],
  );
});

// The last: the primary does not come back.
claim('a standby takes over under load: right answers or 503, nothing acknowledged is lost', async (context) => {
  const standby = await Standby.start(world.directory, world.admin, bindir);
  world.stoppers.push(() => standby.stop());
  await world.rows("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await world.rows('SELECT pg_reload_conf()');
  await until('the standby is waited for', async () => (await world.value('SELECT max(sync_state) FROM pg_stat_replication')) === 'sync');
  const { PGHOST: host, PGPORT: port } = process.env;
  const url = world.databaseUrl(`${host},${standby.host}`, `${port},${standby.port}`);
  server = await world.tenancyd({
    model: { provider: 'echo', echo_delay_ms: 30 },
    storage: { acquire_timeout_seconds: 1, database_url: `${url}&target_session_attrs=read-write` },
  });
  const load = new Load('failover');
  context.after(() => load.stop().catch(() => {}));
  await load.until('the load is on', () => load.answered > 2 * WORKERS);
  await control('stop', '-m', 'immediate');
  await load.until('a request is refused', () => load.refused > 0);
  await standby.promote();
  await ready();
  const resumed = load.answered;
  await load.until('turns are answered again', () => load.answered > resumed + 2 * WORKERS);
  for (const outcome of await load.stop()) await checkRecords(outcome);
  assert.equal(server.outcome, undefined, 'service resumed without a restart of tenancyd');
});
