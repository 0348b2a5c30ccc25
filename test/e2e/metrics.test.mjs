// What operators read: the metrics have as many series whatever clients send, the access log has one line for
// each request with the same fields and nothing secret, and the dashboard and the alerts name what is there.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { freePort } from './support/process.mjs';
import { send, until } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const world = await World.create('metrics');
await world.rows("CREATE ROLE e2e_metrics_maintenance LOGIN PASSWORD 'maintenance'");
await world.rows("SELECT tenancy.grant_maintenance('e2e_metrics_maintenance')");
const metricsPort = await freePort();
const server = await world.tenancyd({
  model: { provider: 'echo', name: 'parrot' },
  server: { metrics: { enabled: true, port: metricsPort } },
  storage: { maintenance_url: world.databaseUrl().replace(/\/\/[^@]*@/, '//e2e_metrics_maintenance:maintenance@') },
});
const token = await world.token('acme', 'alice');
const call = (method, path, options = {}) => send(server.url, method, path, { token, ...options });
const metrics = async () => (await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics')).text;
const source = (file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const random = () => randomBytes(6).toString('hex');

/** Names with labels, without values; a metric that has no series yet is its name. */
const series = (text) => new Set(text.split('\n').filter(Boolean).map((line) =>
  line.startsWith('#') ? line.split(' ')[2] : line.slice(0, line.lastIndexOf(' '))));

/** One of everything that a client can choose freely. */
async function chooseFreely() {
  const x = random();
  await call('GET', `/v1/sessions/${x}`);
  await call('GET', `/${x}`);
  await call(`M${x}`.toUpperCase(), '/v1/sessions');
  await call('GET', `/v1/usage?${x}=${x}`);
  await call('POST', '/v1/chat/completions', { body: chatBody(x, { model: x, session_id: x, user: x, [x]: x }) });
  await call('GET', '/v1/traces', { token: await world.token('acme', x) });
  await call('GET', '/v1/traces', { token: await world.token(x, x) });
  await call('GET', '/v1/traces', { headers: { 'X-Tenant': x, 'X-Request-ID': x, 'User-Agent': x, traceparent: x } });
}

claim('no label comes from a client: new names make no new series', async () => {
  await chooseFreely();
  await until('the last one is counted', async () => (await metrics()).includes('status="403"'));
  const before = series(await metrics());
  for (let i = 0; i < 12; i++) await chooseFreely();
  const text = await metrics();
  assert.deepEqual([...series(text)].filter((name) => !before.has(name)), []);
  assert.ok(before.size > 60 && before.size < 400, `${before.size}`);
  assert.match(text, /tenancyd_requests_total\{method="\(other\)",route="\(none\)",status="\d+"\} 13\n/);
});

claim('the access log has one line for each request, with the same fields and nothing secret', async () => {
  const id = `req-${random()}`;
  const hidden = `hidden-${random()}`;
  await call('POST', '/v1/chat/completions', { headers: { 'X-Request-ID': id }, body: chatBody(hidden, { session_id: 'logged' }) });
  await call('GET', `/v1/sessions/${hidden}?${hidden}`, { headers: { 'X-Request-ID': `${id}-b`, Cookie: hidden } });
  await call('GET', '/v1/traces', { token: `${token}x`, headers: { 'X-Request-ID': `${id}-c` } });
  const mine = () => server.log().split('\n').filter((line) => line.includes(id)).map((line) => JSON.parse(line));
  await until('three lines are there', () => mine().length >= 3);
  const lines = mine().sort((a, b) => (a.request_id < b.request_id ? -1 : 1));
  assert.equal(lines.length, 3);
  for (const line of lines)
    assert.deepEqual(Object.keys(line), ['time', 'level', 'event', 'request_id', 'tenant', 'subject', 'trace_id', 'otel_trace_id', 'span_id',
      'deadline_in_ms', 'method', 'route', 'status', 'duration_ms', 'refusal', 'sqlstate', 'bytes']);
  const [turn, unknown, refused] = lines;
  assert.deepEqual([turn.method, turn.route, turn.status, turn.tenant, turn.subject],
    ['POST', '/v1/chat/completions', 200, 'acme', 'alice']);
  assert.match(turn.trace_id, /^trace_[0-9a-f]{16}$/);
  assert.ok(turn.duration_ms > 0 && turn.bytes > 100);
  assert.deepEqual([unknown.route, unknown.status], ['/v1/sessions/{session_id}', 404]);
  assert.deepEqual([refused.status, refused.tenant, refused.sqlstate], [401, '', 'PT401']);
  for (const secret of [hidden, ...token.split('.')]) assert.ok(!server.log().includes(secret));
});

claim('the dashboard and the alert rules name metrics and labels that are there', async () => {
  const exported = series(await metrics());
  const names = new Set([...exported].map((name) => name.replace(/\{.*/, '')));
  const { panels } = JSON.parse(source('docs/grafana-dashboard.json'));
  const expressions = panels.flatMap((panel) => panel.targets ?? []).map((target) => target.expr);
  const rules = source('docs/prometheus-alerts.yaml');
  const used = [...expressions, rules].join('\n').match(/\b(?:tenancyd|agent)_\w+/g);
  assert.ok(expressions.length > 20 && used.length > 30);
  assert.deepEqual([...new Set(used)].filter((name) => !names.has(name)), []);
  const labels = new Set([...exported].flatMap((name) => [...name.matchAll(/[{,](\w+)="/g)].map(([, label]) => label)));
  const by = expressions.flatMap((text) => [...text.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list.split(', ')));
  // What Prometheus adds, and what comes with the first refusal by a limit.
  assert.deepEqual([...new Set(by)].filter((label) => !labels.has(label) && !['instance', 'kind'].includes(label)), []);
});
