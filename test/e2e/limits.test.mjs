// Rates and budgets as a client meets them: status, code and headers, and what OpenAI's own client
// library does with them.
import assert from 'node:assert/strict';
import { OpenAI } from './support/openai.mjs';
import { until } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const world = await World.create('limits');
await world.rows('CREATE ROLE e2e_limits_maintenance LOGIN PASSWORD \'maintenance\'');
await world.rows('SELECT tenancy.grant_maintenance(\'e2e_limits_maintenance\')');
const echo = { model: { provider: 'echo', name: 'parrot' } };
const server = await world.tenancyd(echo);
const replica = await world.tenancyd(echo);
const slow = await world.tenancyd({ model: { provider: 'echo', name: 'parrot', echo_delay_ms: 200 } });
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

const post = (url, token, body) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const get = (url, token, path) => fetch(url + path, { headers: { authorization: `Bearer ${token}` } });

// The library with its requests counted, so that a retry is seen.
const counted = (url, apiKey) => {
  const calls = [];
  const client = new OpenAI({
    baseURL: `${url}/v1`,
    apiKey,
    maxRetries: 2,
    fetch: (input, init) => {
      calls.push(Date.now());
      return fetch(input, init);
    },
  });
  return { client, calls };
};
const openTurns = async () => Number(await world.value("SELECT count(*) FROM agent.turns WHERE status = 'open'"));
const hello = { model: 'any', messages: [{ role: 'user', content: 'hello' }] };

claim('requests over the rate are 429 with every header, on all replicas together', async () => {
  await world.rows("SELECT tenancy.set_rate_limit('globex', requests_per_minute => 60, burst => 2)");
  const answers = [];
  for (const url of [server.url, replica.url, server.url]) answers.push(await get(url, globex, '/v1/traces'));
  assert.deepEqual(answers.map((answer) => answer.status), [200, 200, 429]);
  assert.equal(answers[1].headers.get('x-ratelimit-remaining-requests'), '0');
  const refused = answers[2];
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.ok(Number(refused.headers.get('retry-after-ms')) <= 1000);
  assert.equal(refused.headers.get('ratelimit-policy'), '"requests";q=60;w=60');
  assert.match(refused.headers.get('ratelimit'), /^"requests";r=0;t=[12]$/);
  assert.equal(refused.headers.get('x-ratelimit-limit-requests'), '60');
  const body = await refused.json();
  assert.equal(body.error.code, 'rate_limit_exceeded');
  assert.equal(body.error.type, 'requests');
  assert.ok(body.detail.retry_after_ms > 0);
});

claim("OpenAI's client waits for Retry-After, tries again and succeeds", async () => {
  await world.rows("SELECT tenancy.set_rate_limit('globex', requests_per_minute => 120, burst => 1)");
  const { client, calls } = counted(server.url, globex);
  await Promise.all([1, 2].map(() => client.chat.completions.create(hello)));
  assert.ok(calls.length > 2, 'one was refused and came again');
  await world.rows("SELECT tenancy.set_rate_limit('globex')");
});

claim('from the first price on, a model without one is 403 model_not_priced', async () => {
  await world.rows("SELECT tenancy.set_price('another', 1, 1)");
  const answer = await post(server.url, acme, hello);
  assert.equal(answer.status, 403);
  assert.equal((await answer.json()).error.code, 'model_not_priced');
  await world.rows("SELECT tenancy.set_price('parrot', 0, 1)");
  assert.equal((await post(server.url, acme, hello)).status, 200);
});

claim('a spent budget is 402 with the reference body, and is not retried', async () => {
  await world.rows("SELECT tenancy.set_budget('acme', 'total', 0)");
  const { client, calls } = counted(server.url, acme);
  await assert.rejects(client.chat.completions.create(hello), (error) => {
    assert.equal(error.status, 402);
    assert.equal(error.code, 'insufficient_quota');
    return true;
  });
  assert.equal(calls.length, 1);
  const { detail } = await (await post(server.url, acme, hello)).json();
  assert.equal(detail.error, 'budget_exceeded');
  assert.equal(detail.scope, 'tenant');
  assert.equal(detail.identifier, 'acme');
  assert.equal(detail.limit_usd, 0);
  assert.ok(detail.current_usd > 0);
  const other = await post(server.url, globex, hello);
  assert.notEqual(other.status, 402, 'another tenant is not touched');
});

claim('the answer is cut to what the budget pays for when the client agrees', async () => {
  const spent = Number(await world.value("SELECT sum(cost_picodollars) FROM agent.usage WHERE tenant_id = 'acme'"));
  await world.rows("SELECT tenancy.set_budget('acme', 'total', $1)", (spent + 3_000_000) / 1e12);
  assert.equal((await post(server.url, acme, { ...hello, max_tokens: 50 })).status, 402);
  const cut = await post(server.url, acme, { ...hello, max_tokens: 50, clamp_to_budget: true });
  assert.equal(cut.status, 200);
  assert.match(cut.headers.get('x-max-tokens-clamped'), /^[1-4]?[0-9]$/);
  await world.rows("SELECT tenancy.set_budget('acme', 'total')");
});

claim('an admitted turn tells what is left, streamed or not', async () => {
  await world.rows("SELECT tenancy.set_rate_limit('acme', requests_per_minute => 600, tokens_per_minute => 1000000)");
  for (const stream of [false, true]) {
    const answer = await post(server.url, acme, { ...hello, max_tokens: 5, stream });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('x-ratelimit-limit-requests'), '600');
    assert.ok(Number(answer.headers.get('x-ratelimit-remaining-tokens')) < 1000000);
    assert.match(answer.headers.get('ratelimit'), /^"requests";r=\d+;t=\d+$/);
    assert.match(answer.headers.get('x-trace-id'), /./);
    assert.equal(answer.headers.get('x-max-tokens-clamped'), null);
    await answer.text();
  }
  await world.rows("SELECT tenancy.set_rate_limit('acme')");
});

claim('turns that still run hold the budget: 429 budget_held, and it fits once they end', async () => {
  const spent = Number(await world.value("SELECT sum(cost_picodollars) FROM agent.usage WHERE tenant_id = 'acme'"));
  await world.rows("SELECT tenancy.set_budget('acme', 'total', $1)", (spent + 100_000_000) / 1e12);
  const running = post(slow.url, acme, chatBody('a few words that take a while', { max_tokens: 100 }));
  await until('a turn runs', async () => (await openTurns()) > 0);
  const refused = await post(server.url, acme, { ...hello, max_tokens: 10 });
  assert.equal(refused.status, 429);
  assert.equal((await refused.json()).error.code, 'budget_held');
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal((await running).status, 200);
  assert.equal((await post(server.url, acme, { ...hello, max_tokens: 10 })).status, 200);
  await world.rows("SELECT tenancy.set_budget('acme', 'total')");
});

claim('turns at a time beyond the limit are 429 concurrency_limit_exceeded', async () => {
  await world.rows("SELECT tenancy.set_rate_limit('acme', max_concurrent => 1)");
  const running = post(slow.url, acme, chatBody('a few words that take a while'));
  await until('a turn runs', async () => (await openTurns()) > 0);
  const refused = await post(server.url, acme, hello);
  assert.equal(refused.status, 429);
  assert.equal((await refused.json()).error.code, 'concurrency_limit_exceeded');
  assert.equal((await running).status, 200);
  await world.rows("SELECT tenancy.set_rate_limit('acme')");
});

claim('a suspended tenant loses its stream in the middle, charged for what was sent', async () => {
  const answer = await post(slow.url, acme, chatBody('word '.repeat(100), { stream: true }));
  const reader = answer.body.getReader();
  await reader.read();
  await world.rows("SELECT tenancy.suspend_tenant('acme')");
  let text = '';
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += new TextDecoder().decode(part.value);
  assert.match(text, /"finish_reason":\s*"length"/);
  assert.match(text, /budget_stream_cut/);
  await world.rows("SELECT tenancy.resume_tenant('acme')");
  const [row] = await world.rows("SELECT output_tokens FROM agent.usage WHERE tenant_id = 'acme' ORDER BY occurred_at DESC LIMIT 1");
  assert.ok(Number(row.output_tokens) > 0);
});

claim('a server that is killed in mid-stream: its turn is ended by another, charged, its hold gone', async () => {
  const storage = {
    maintenance_url: world.databaseUrl().replace(/^postgresql:[^@]*@/, 'postgresql://e2e_limits_maintenance:maintenance@'),
  };
  const dying = await world.tenancyd({ model: { ...echo.model, echo_delay_ms: 200 }, storage });
  await world.tenancyd({ ...echo, storage });
  const answer = await post(dying.url, acme, chatBody('word '.repeat(100), { stream: true }));
  const reader = answer.body.getReader();
  await reader.read();
  await dying.stop('SIGKILL');
  await reader.read().catch(() => {});
  await until('the orphan is swept', async () => (await openTurns()) === 0, 20_000);
  const [row] = await world.rows("SELECT estimated, input_tokens FROM agent.usage WHERE tenant_id = 'acme' ORDER BY occurred_at DESC LIMIT 1");
  assert.equal(row.estimated, true);
  assert.ok(Number(row.input_tokens) > 0);
});

claim('servers with a maintenance role seal the audit log and apply retention, each row once', async () => {
  await world.rows("SELECT tenancy.set_retention('globex', feedback => '1 day')");
  await world.rows("INSERT INTO agent.feedback (tenant_id, rating, user_id, created_at) SELECT 'globex', 1, 'u', now() - interval '2 days' FROM generate_series(1, 2500)");
  const storage = {
    maintenance_url: world.databaseUrl().replace(/^postgresql:[^@]*@/, 'postgresql://e2e_limits_maintenance:maintenance@'),
  };
  const servers = [await world.tenancyd({ ...echo, storage }), await world.tenancyd({ ...echo, storage })];
  const left = async () => Number((await world.rows('SELECT count(*) FROM agent.feedback'))[0].count);
  await until('old feedback is gone', async () => (await left()) === 0, 60_000);
  const [purged] = await world.rows("SELECT sum(split_part(reason, ' ', 1)::int)::int AS count FROM agent.audit_log WHERE tenant_id = 'globex' AND action = 'retention.purge'");
  assert.equal(purged.count, 2500);
  // A transaction of another test's may put the first round off to the next, a minute later.
  await until('the audit log is sealed', async () => (await world.rows("SELECT FROM tenancy.audit_head('acme')")).length === 1, 75_000);
  const seals = await world.rows("SELECT encode(sha256, 'hex') AS head FROM agent.audit_seals WHERE tenant_id = 'acme'");
  const lines = (await world.rows("SELECT ok FROM tenancy.verify_audit('acme')")).map((row) => row.ok);
  assert.ok(lines.every(Boolean));
  assert.ok(seals.length > 0);
  for (const one of servers) await one.stop();
});

claim('GET /v1/budget and /v1/usage show the tenant its own', async () => {
  await world.rows("SELECT tenancy.set_budget('acme', 'month', 5)");
  const budget = await (await get(server.url, acme, '/v1/budget')).json();
  assert.equal(budget.tenant_id, 'acme');
  assert.equal(budget.budgets.find((row) => row.scope === 'tenant').limit_usd, 5);
  const usage = await (await get(server.url, acme, '/v1/usage')).json();
  assert.deepEqual(usage.models.map((model) => model.model), ['parrot']);
});

claim('no input at the edge of numbers or text is a 500', async () => {
  await world.rows("SELECT tenancy.set_budget('acme', 'month', 0.01)");
  const statuses = [];
  for (const more of [
    { model: '\u754c'.repeat(256) }, { model: '\u754c'.repeat(257) }, { model: '\u0000' }, { model: '\ud800' }, { model: '\uffff' },
    { n: 128, max_tokens: 10_000_000 }, { max_tokens: 1e300 }, { max_tokens: -1 }, { n: 1e18 }, { max_tokens: 10_000_000, clamp_to_budget: true },
  ]) {
    const answer = await post(server.url, acme, { ...hello, max_tokens: 9, ...more });
    const body = await answer.json();
    assert.ok(answer.status === 200 || body.error?.message || body.detail, JSON.stringify(body));
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [200, 422, 422, 422, 200, 402, 422, 422, 422, 200]);
});

claim('after all that every counter equals the ledger', async () => {
  const rows = await world.rows('SELECT * FROM tenancy.verify_counters()');
  assert.ok(rows.length > 0);
  assert.deepEqual(rows.filter((row) => !row.ok), []);
});
