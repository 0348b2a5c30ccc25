// Alerts of budgets from the charge to the webhook, and the metrics of limits, with real traffic.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import pg from 'pg';
import { freePort, giveToServer } from './support/process.mjs';
import { send, until } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const SECRET = 'a secret of this run';

/** A receiver of alerts: remembers what came, answers as `answer(request, response)` says. */
class Receiver {
  static async start(options) {
    const self = new Receiver();
    self.came = [];
    self.answer = (_request, response) => response.writeHead(204).end();
    const serve = async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      self.came.push({ headers: request.headers, url: request.url, text, json: JSON.parse(text) });
      self.answer(request, response);
    };
    self.server = options ? https.createServer(options, serve) : http.createServer(serve);
    const port = await freePort();
    await new Promise((resolve) => self.server.listen(port, '127.0.0.1', resolve));
    self.url = `${options ? 'https' : 'http'}://127.0.0.1:${port}/hook?of=tests`;
    world.stoppers.push(() => {
      self.server.closeAllConnections();
      self.server.close();
    });
    return self;
  }

  kinds() {
    return this.came.map(({ json }) => `${json.tenant_id} ${json.kind}`).sort();
  }
}

const world = await World.create('alerts');
await world.rows("CREATE ROLE e2e_alerts_maintenance LOGIN PASSWORD 'maintenance'");
await world.rows("SELECT tenancy.grant_maintenance('e2e_alerts_maintenance')");
await world.rows("SELECT tenancy.set_price('parrot', 0, 1)");
const storage = {
  maintenance_url: world.databaseUrl().replace(/^postgresql:[^@]*@/, 'postgresql://e2e_alerts_maintenance:maintenance@'),
};
const model = { provider: 'echo', name: 'parrot' };
const secretFile = world.secretFile('alerts.secret', SECRET);
const receiver = await Receiver.start();
const start = (alerts, more = {}) =>
  world.tenancyd({
    model: { ...model, ...more.model },
    storage,
    server: { alerts: { webhook_secret_file: secretFile, timeout_seconds: 1, ...alerts }, ...more.server },
  });
const metricsPort = await freePort();
const metrics = { enabled: true, port: metricsPort };
const server = await start({ webhook_url: receiver.url }, { server: { metrics } });
const replica = await start({ webhook_url: receiver.url });
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');
const listener = new pg.Client({ database: world.database });
await listener.connect();
const heard = [];
listener.on('notification', ({ payload }) => heard.push(JSON.parse(payload)));
await listener.query('LISTEN tenancy_alerts');
world.stoppers.push(() => listener.end());

const chat = (url, token, body) => send(url, 'POST', '/v1/chat/completions', { token, body });
const charge = (tenant, picodollars, session) =>
  world.rows(
    `INSERT INTO agent.usage (tenant_id, turn_id, session_id, admitted_at, cost_picodollars)
     VALUES ($1, agent.new_id('turn_'), $3, now(), $2)`,
    tenant,
    picodollars,
    session,
  );
// A turn that runs until it is told to end.
const begin = (token, tokens) =>
  world.value("SELECT body ->> 'ticket' FROM agent.begin_turn($1, $2)", token, { ...chatBody('word'), model: 'parrot', max_tokens: tokens });
const scrape = async () => {
  const { text } = await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics');
  const values = {};
  for (const line of text.split('\n')) {
    const [, name, value] = line.match(/^([a-z_]+(?:\{.*\})?) (\S+)$/) ?? [];
    if (name) values[name] = Number(value);
  }
  return { text, values };
};

claim('a crossing is notified at commit and delivered once by two servers, signed', async () => {
  await world.rows("SELECT tenancy.set_budget('acme', 'total', 0.000003, warn_ratio => 0.5)");
  for (const url of [server.url, replica.url, server.url]) await chat(url, acme, chatBody('word', { max_tokens: 1 }));
  assert.equal((await chat(server.url, acme, chatBody('word', { max_tokens: 1 }))).status, 402);
  await until('three alerts came', () => receiver.came.length >= 3);
  assert.deepEqual(receiver.kinds(), ['acme limit', 'acme refused', 'acme warn']);
  const { headers, url, text, json } = receiver.came.find((one) => one.json.kind === 'limit');
  assert.equal(url, '/hook?of=tests');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['x-hub-signature-256'], `sha256=${createHmac('sha256', SECRET).update(text).digest('hex')}`);
  assert.deepEqual([json.scope, json.identifier, json.window, json.measure, json.mode], ['tenant', 'acme', 'total', 'money', 'enforce']);
  assert.deepEqual([json.limit_usd, json.threshold_usd, json.spent_usd], [0.000003, 0.000003, 0.000003]);
  assert.deepEqual(heard.map((one) => Object.keys(one).sort()), Array(3).fill(['alert_id', 'kind']));
  assert.deepEqual(new Set(heard.map((one) => one.alert_id)), new Set(receiver.came.map((one) => one.json.alert_id)));
  await until('all are marked', async () => (await world.value('SELECT count(*) FROM tenancy.alerts WHERE delivered_at IS NULL')) === '0');
  await world.rows("SELECT tenancy.set_budget('acme', 'total')");
  await world.rows("SELECT tenancy.set_budget('acme', 'hour', 1)"); // so that turns ask for their bounds
});

claim('64 charges at once on many sessions: two alerts each, exactly', async () => {
  await world.rows("SELECT tenancy.set_budget('globex', 'total', 0.000000000064, warn_ratio => 0.5, scope => 'session', mode => 'observe')");
  const sessions = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const session of sessions)
    await world.rows("SELECT tenancy.rebuild_counters(ROW('globex', $1, NULL, NULL, now()))", session);
  const pool = new pg.Pool({ database: world.database, max: 64 });
  const sql = `INSERT INTO agent.usage (tenant_id, turn_id, session_id, admitted_at, cost_picodollars)
    VALUES ('globex', agent.new_id('turn_'), $1, now(), 1)`;
  const before = heard.length;
  for (const session of sessions) await Promise.all(Array.from({ length: 64 }, () => pool.query(sql, [session])));
  await pool.end();
  await until('all are heard', () => heard.length >= before + 12);
  await until('all are delivered', () => receiver.came.length >= 15, 20_000);
  const rows = await world.rows("SELECT scope_value, kind, spent_picodollars FROM tenancy.alerts WHERE tenant_id = 'globex' ORDER BY 1, 2");
  assert.deepEqual(
    rows.map((row) => [row.scope_value, row.kind, row.spent_picodollars]),
    sessions.flatMap((session) => [[session, 'limit', '64'], [session, 'warn', '32']]),
  );
  assert.equal(heard.length, before + 12);
  assert.equal(receiver.came.length, 15);
  await world.rows("SELECT tenancy.set_budget('globex', 'total', scope => 'session')");
});

claim('spend, holds and every kind of rejection are counted, under names that no client chooses', async () => {
  const before = (await scrape()).values;
  assert.equal(before.tenancyd_charged_picodollars_total, 2_000_000, 'two turns of one token each');
  assert.equal(before['tenancyd_rejections_total{kind="budget"}'], 1);
  assert.ok(before.tenancyd_alerts_delivered_total >= 1);
  await world.rows("SELECT tenancy.set_rate_limit('acme', requests_per_minute => 1, burst => 1)");
  await send(server.url, 'GET', '/v1/traces', { token: acme });
  assert.equal((await send(server.url, 'GET', '/v1/traces', { token: acme })).status, 429);
  await world.rows("SELECT tenancy.set_rate_limit('acme', tokens_per_minute => 5)");
  assert.equal((await chat(server.url, acme, chatBody('word', { max_tokens: 50 }))).status, 429);
  await world.rows("SELECT tenancy.set_rate_limit('acme', max_concurrent => 1)");
  await world.rows("SELECT tenancy.set_budget('globex', 'day', 0.000011)");
  const held = [await begin(acme, 20), await begin(globex, 10)];
  assert.equal((await chat(server.url, acme, chatBody('word'))).status, 429);
  assert.equal((await chat(server.url, globex, chatBody('word', { max_tokens: 5, model: 'evil"} 1\nevil' }))).status, 429);
  await until('the open holds are seen', async () => (await scrape()).values.tenancyd_open_holds === 2);
  assert.ok((await scrape()).values.tenancyd_held_picodollars >= 30_000_000);
  for (const ticket of held) await world.rows(`SELECT agent.end_turn($1, '{"status": "error"}')`, ticket);
  await world.rows("DELETE FROM tenancy.prices WHERE model = 'parrot'");
  assert.equal((await chat(server.url, acme, chatBody('word'))).status, 403);
  await world.rows("SELECT tenancy.set_price('parrot', 0, 1)");
  const { text, values } = await scrape();
  for (const kind of ['requests', 'tokens', 'concurrency', 'held', 'unpriced', 'budget'])
    assert.equal(values[`tenancyd_rejections_total{kind="${kind}"}`], 1, kind);
  for (const word of ['evil', 'acme', 'globex', 'alice']) assert.ok(!text.includes(word), word);
  await world.rows("SELECT tenancy.set_rate_limit('acme'), tenancy.set_budget('globex', 'day')");
});

claim('a stream that is cut and a charge beyond the hold are counted, and the client is told neither', async () => {
  const port = await freePort();
  const slow = await world.tenancyd({ model: { ...model, echo_delay_ms: 200 }, storage, server: { metrics: { enabled: true, port } } });
  const answer = chat(slow.url, acme, chatBody('word '.repeat(60), { stream: true, max_tokens: 5 }));
  const { text } = await answer;
  assert.match(text, /budget_stream_cut/);
  const metricsText = (await send(`http://127.0.0.1:${port}`, 'GET', '/metrics')).text;
  assert.match(metricsText, /^tenancyd_cut_turns_total 1$/m);
  assert.match(metricsText, /^tenancyd_overrun_turns_total 1$/m);
  assert.match(metricsText, /^tenancyd_late_turns_total 0$/m);
  for (const word of ['charged_picodollars', 'overrun', '"late"', 'ticket']) assert.ok(!text.includes(word), word);
});

claim('a receiver that fails, redirects or hangs is asked again, and by a server started later', async () => {
  const broken = await Receiver.start();
  const other = await Receiver.start();
  const replies = [
    (response) => response.writeHead(500).end(),
    (response) => response.writeHead(307, { location: other.url }).end(),
    () => {}, // hangs
  ];
  broken.answer = (_request, response) => replies.shift()(response);
  await Promise.all([server.stop(), replica.stop()]);
  const seen = receiver.came.length;
  await world.rows('UPDATE tenancy.alerts SET delivered_at = now() WHERE delivered_at IS NULL');
  const spent = await world.value("SELECT sum(cost_picodollars) FROM agent.usage WHERE tenant_id = 'acme'");
  const least = (Number(spent) + 1_000_000) / 1e12;
  await world.rows("SELECT tenancy.set_budget('acme', 'day', $1, warn_ratio => NULL, mode => 'observe')", least);
  const failing = await start({ webhook_url: broken.url });
  await charge('acme', 1_000_000);
  await until('it was tried', () => broken.came.length === 1);
  assert.equal((await chat(failing.url, acme, chatBody('word'))).status, 200, 'requests do not wait for it');
  await world.rows('UPDATE tenancy.alerts SET next_attempt_at = now() WHERE delivered_at IS NULL'); // instead of a pause
  await until('it was tried again', () => broken.came.length === 2);
  await world.rows('UPDATE tenancy.alerts SET next_attempt_at = now() WHERE delivered_at IS NULL');
  await until('and again', () => broken.came.length === 3);
  const from = Date.now();
  assert.equal(await failing.stop(), 0, failing.log());
  assert.ok(Date.now() - from < 5000, 'a delivery that hangs does not keep the server');
  assert.equal(other.came.length, 0, 'no redirect was followed');
  await world.rows('UPDATE tenancy.alerts SET next_attempt_at = now() WHERE delivered_at IS NULL');
  const next = await start({ webhook_url: receiver.url });
  await until('the next server delivers it', () => receiver.came.length > seen);
  const { json } = receiver.came.at(-1);
  assert.deepEqual([json.kind, json.attempt, json.alert_id], ['limit', 4, broken.came[0].json.alert_id]);
  await next.stop();
});

claim('over https a certificate that nobody vouches for is refused, one of the given authority is taken', async () => {
  const [key, certificate] = ['tls.key', 'tls.pem'].map((name) => path.join(world.directory, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', certificate,
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  giveToServer(certificate);
  const secure = await Receiver.start({ key: readFileSync(key), cert: readFileSync(certificate) });
  await world.rows('UPDATE tenancy.alerts SET delivered_at = now() WHERE delivered_at IS NULL');
  await world.rows("INSERT INTO tenancy.alerts (tenant_id, budget_id, scope, scope_value, period, window_start, mode, kind, measure, threshold, spent_picodollars, spent_tokens) SELECT 'acme', 1, 'tenant', '', 'day', now(), 'enforce', 'warn', 'money', 1, 1, 1");
  const untrusting = await start({ webhook_url: secure.url });
  await until('it was refused', () => /alert_not_delivered/.test(untrusting.log()), 15_000);
  assert.equal(secure.came.length, 0);
  await untrusting.stop();
  await world.rows('UPDATE tenancy.alerts SET next_attempt_at = now() WHERE delivered_at IS NULL');
  await start({ webhook_url: secure.url, ca_file: certificate });
  await until('it is taken', () => secure.came.length === 1);
});
