// No setting that a tenant leaves on a connection changes what the next one's requests are answered: each setting that
// an application may SET, with each value of its kind, then a tenant's day. The answer is the same, or a refusal.
import assert from 'node:assert/strict';
import pg from 'pg';
import { World, claim } from './support/world.mjs';

// Settings that give words, times and errors another meaning go one by one, the others (costs, sizes, scans) together.
const ALONE = new Set([
  ...['DateStyle', 'IntervalStyle', 'TimeZone', 'array_nulls', 'backslash_quote', 'bytea_output', 'client_encoding'],
  ...['default_transaction_isolation', 'default_transaction_read_only', 'row_security', 'search_path'],
  ...['standard_conforming_strings', 'statement_timeout', 'transform_null_equals', 'tenancy.model'],
]);
const TOGETHER = 25;
const TEXTS = {
  search_path: ['', 'pg_temp, agent, tenancy, pg_catalog', 'information_schema, pg_catalog'],
  DateStyle: ['German', 'SQL, DMY', 'Postgres, MDY'],
  TimeZone: ['Asia/Tokyo', 'America/St_Johns'],
  client_encoding: ['LATIN1', 'SQL_ASCII'],
  timezone_abbreviations: ['India'],
  default_text_search_config: ['german'],
  lc_monetary: ['C'],
  lc_numeric: ['C'],
  lc_time: ['C'],
  application_name: ['evil'],
  role: ['none'],
  'plpgsql.extra_errors': ['all'],
  'plpgsql.extra_warnings': ['all'],
  'tenancy.model': ['evil'],
  'tenancy.request_id': ['evil'],
  'tenancy.instance_id': ['evil'],
  'tenancy.fallback_models': ['["evil"]'],
  'tenancy.traceparent': ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
};
// A transaction that may not write or is not READ COMMITTED, row security off, out of time.
const REFUSALS = new Set(['25006', '0A000', '42501', '57014']);

const world = await World.create('settings');
await world.rows("SELECT tenancy.set_rate_limit(NULL, requests_per_minute => 100000, burst => 100000)");
await world.rows("SELECT tenancy.set_price('good', 1, 2)");
await world.rows("SELECT tenancy.set_price('evil', 1000, 2000)");
await world.rows("SELECT tenancy.set_budget('globex', 'day', 1000)");
const token = await world.token('globex', 'bob');

/** What globex asks in a day: route and body. */
const DAY = [
  ['create_session', { session_id: 's', metadata: { path: 'a\\b' } }],
  ['begin_turn', { session_id: 'bad id!', messages: [{ role: 'user', content: 'x' }] }],
  ['get_session', { session_id: 's' }],
  ['fork_session', { session_id: 's', new_session_id: 't' }],
  ['create_feedback', { session_id: 's', rating: 1, comment: 'it\\s' }],
  ['list_feedback', { session_id: 's' }],
  ['list_traces', { session_id: 's' }],
  ['list_audit', { since: '02/01/2020' }],
  ['create_trace', { trace_id: 'abc', session_id: 's', spans: [] }],
  ['session_usage', { session_id: 's' }],
  ['get_usage', {}],
  ['list_audit', { limit: 3, since: '2020-01-02T03:04:05.25+01:00' }],
  ['create_work_item', { title: 'x' }],
  ['list_work_items', {}],
  ['nonsense', {}],
];
const REQUEST = JSON.stringify({ request_id: 'r1', model: 'good' });

/** An answer without what differs from day to day: generated ids, times in their usual form, rates left. */
const scrub = (row) =>
  JSON.stringify(row)
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)/g, 'TIME')
    .replace(/\b(turn|trace|fb|sess|wi)_[0-9a-f]+/g, '$1_ID')
    .replace(/\\"(ticket|duration_ms|audit_id|token_id_hash)\\": (\\".*?\\"|[\d.]+)/g, '$1')
    .replace(/\\"[^\\]*ratelimit[^,}]*/gi, 'RATE');

/** The answers of a day on this connection, all undone at its end; `error` is what cut it short. */
async function day(client) {
  const answers = [];
  const ask = async (sql, ...parameters) => {
    const [row] = (await client.query(sql, parameters)).rows;
    answers.push(scrub(row));
    return row;
  };
  try {
    await client.query('BEGIN');
    // As servers other than tenancyd do it, whose statements do not say which model runs.
    const turn = await ask('SELECT status, body::text FROM agent.begin_turn($1, $2)', token, {
      session_id: 's',
      model: 'good',
      messages: [{ role: 'user', content: 'a\\b' }],
    });
    const used = { prompt_tokens: 1000, completion_tokens: 20 };
    await ask('SELECT status, body::text FROM agent.end_turn($1, $2)', JSON.parse(turn.body).ticket, {
      status: 'ok',
      message: { role: 'assistant', content: 'c\\d' },
      usage: used,
    });
    for (const [route, body] of DAY)
      await ask(
        'SELECT status, headers::text, body::text, tenant_id, subject, counted FROM agent.call($1, $2, $3, $4)',
        ...[route, token, JSON.stringify(body), REQUEST],
      );
  } catch (error) {
    return { answers, error };
  } finally {
    await client.query('ROLLBACK').catch(() => {});
  }
  return { answers };
}

/** A new connection, on which nothing is parsed yet, with these settings left on it. */
async function dayAfter(settings) {
  const client = new pg.Client({ user: world.role, password: world.password, database: world.database });
  client.on('error', () => {});
  await client.connect();
  for (const { name, value } of settings) await client.query('SELECT set_config($1, $2, false)', [name, value]);
  const result = await day(client);
  await client.end().catch(() => {});
  return result;
}

/** Values of a setting other than the one it has. */
function values({ name, vartype, setting, enumvals, min_val, max_val }) {
  if (vartype === 'bool') return [setting === 'on' ? 'off' : 'on'];
  if (vartype === 'enum') return enumvals.filter((value) => value !== setting);
  if (vartype === 'string') return TEXTS[name] ?? [];
  return name.endsWith('_timeout') ? ['1', max_val] : [min_val, max_val];
}

/** Sets of settings to leave behind, all values of all settings among them; idle_* end the connection, no more. */
async function trials() {
  const settings = await world.rows(
    "SELECT * FROM pg_settings WHERE context = 'user' AND name !~ '^(transaction|idle)_' ORDER BY name",
  );
  const alone = [];
  const rounds = [];
  for (const setting of settings)
    values(setting).forEach((value, i) => {
      const one = { name: setting.name, value };
      if (ALONE.has(setting.name)) alone.push([one]);
      else (rounds[i] ??= []).push(one);
    });
  const together = rounds.flatMap((round) =>
    Array.from({ length: Math.ceil(round.length / TOGETHER) }, (_, i) => round.slice(i * TOGETHER, (i + 1) * TOGETHER)),
  );
  return { alone, together, count: settings.length };
}

claim('whatever settings are left on its connection, a tenant is answered the same or refused', async () => {
  const usual = await dayAfter([]);
  assert.equal(usual.error, undefined, usual.error?.message);
  const { alone, together, count } = await trials();
  assert.ok(count > 120 && alone.length > 20, `${count} settings, ${alone.length} alone`);
  let refused = 0;
  for (const trial of [...alone, ...together]) {
    const { answers, error } = await dayAfter(trial);
    const what = JSON.stringify(trial);
    assert.deepEqual(answers, usual.answers.slice(0, answers.length), what);
    if (!error) assert.equal(answers.length, usual.answers.length);
    else assert.ok(trial.length === 1 && REFUSALS.has(error.code), `${what}: ${error.code} ${error.message}`);
    refused += error ? 1 : 0;
  }
  assert.ok(refused >= 4 && refused < 10, `${refused} refused`);
});
