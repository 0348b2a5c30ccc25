// The weaknesses W1 to W17 of the agent server whose API this is, one claim each: what happens here instead.
// W10 (files) and the work items of W9 belong to the tests of those routes. docs/http-reference.md has the table.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Tap } from './support/tap.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { freePort } from './support/process.mjs';
import { openStream, send, until } from './support/wire.mjs';

const PATH = '/v1/chat/completions';
const world = await World.create('weaknesses');
for (const tenant of ['spent', 'thrifty', 'busy', 'slow', 'provider'])
  await world.rows('SELECT tenancy.add_tenant($1, $2, $1)', tenant, world.issuer.url);
for (const model of ['parrot', 'near']) await world.rows("SELECT tenancy.set_price($1, 1, 1, per_request_usd => 0.001)", model);
await world.rows("SELECT tenancy.set_price('cheap', 0, 0)");

const metricsPort = await freePort();
const echo = { model: { provider: 'echo', name: 'parrot' }, server: { metrics: { enabled: true, port: metricsPort } } };
const server = await world.tenancyd(echo);
const replica = await world.tenancyd({ model: echo.model });
const slow = await world.tenancyd({ model: { ...echo.model, echo_delay_ms: 100 } });
const tap = await Tap.start(slow.url);
after(() => tap.close());
const key = await world.token('provider', 'service');
const near = await world.tenancyd({
  model: { provider: 'openai', endpoint: `${tap.url}/v1`, name: 'near', api_key_file: world.secretFile('near.key', key) },
});
const tokens = {};
for (const tenant of ['acme', 'globex', 'spent', 'thrifty', 'busy', 'slow']) tokens[tenant] = await world.token(tenant, `${tenant}-user`);

const call = (tenant, method, path, body, more = {}) => send((more.to ?? server).url, method, path, { token: tokens[tenant] ?? tenant, body, headers: more.headers });
const chat = (tenant, text, fields, more) => call(tenant, 'POST', PATH, chatBody(text, { max_tokens: 100, ...fields }), more);
const statuses = (answers) => answers.map(({ status }) => status);
const times = (count, make) => Promise.all(Array.from({ length: count }, (_, index) => make(index)));
const costOf = async (tenant) => Number(await world.value('SELECT coalesce(sum(cost_picodollars), 0) FROM agent.usage WHERE tenant_id = $1', tenant));

claim('W1: an id of another tenant is an unknown id, in every route and in the chat', async () => {
  await chat('acme', 'the secret of acme', { session_id: 'shared-name' });
  const trace = (await call('acme', 'GET', '/v1/traces')).json[0].trace_id;
  for (const [method, path, body] of [
    ['GET', ''], ['HEAD', ''], ['DELETE', ''], ['GET', '/usage'], ['GET', '/cost_data'], ['PATCH', '', { cost_data: { a: 1 } }],
    ['POST', '/fork', {}], ['POST', '/revert', { to_message_index: 0 }],
  ]) {
    const foreign = await call('globex', method, `/v1/sessions/shared-name${path}`, body);
    const unknown = await call('globex', method, `/v1/sessions/nobody-name${path}`, body);
    assert.equal(foreign.status, 404);
    assert.equal(foreign.text.replaceAll('shared-name', 'nobody-name'), unknown.text);
  }
  assert.equal((await call('globex', 'GET', `/v1/traces/${trace}`)).status, 404);
  assert.equal((await call('globex', 'POST', '/v1/sessions', { session_id: 'shared-name' })).status, 201, 'no oracle');
  assert.equal((await call('globex', 'PUT', '/v1/sessions/shared-name', { messages: [] })).status, 200);
  assert.equal((await chat('globex', 'hello', { session_id: 'shared-name' })).json.usage.prompt_tokens, 2, 'no history of others');
  assert.equal((await call('acme', 'GET', '/v1/sessions/shared-name')).json.messages.length, 2);
});

claim('W2: a header does not choose the tenant: the token does', async () => {
  await world.rows("SELECT tenancy.set_budget('spent', 'total', 0.0001)");
  assert.deepEqual(statuses([await chat('spent', 'hi'), await chat('spent', 'hi', {}, { headers: { 'X-Tenant': 'acme' } })]), [402, 403]);
  assert.equal(await costOf('spent'), 0);
});

claim('W3: chats without a session count; the sum survives a restart and is one for all replicas', async () => {
  await world.rows("SELECT tenancy.set_budget('thrifty', 'total', 0.003)"); // two turns of a tenth of a cent
  assert.deepEqual(statuses([await chat('thrifty', 'a'), await chat('thrifty', 'b', {}, { to: replica })]), [200, 200]);
  const restarted = await world.tenancyd({ model: echo.model });
  const refused = await chat('thrifty', 'c', {}, { to: restarted });
  assert.deepEqual([refused.status, refused.json.detail.error], [402, 'budget_exceeded']);
});

claim('W4: neither a model label nor cost_data changes the price, the ledger or the session', async () => {
  const before = await costOf('acme');
  await chat('acme', '12345678', { model: 'cheap', session_id: 'w4' });
  const cost = (await costOf('acme')) - before;
  assert.equal(cost, 1_000_000_000 + 4 * 1_000_000, 'a request and four tokens of parrot, in picodollars');
  const usage = (await call('acme', 'GET', '/v1/sessions/w4/usage')).json;
  const labels = { input_tokens: 0, output_tokens: 0, turn_count: 0, model: 'cheap', cost_usd: 0 };
  assert.equal((await call('acme', 'PATCH', '/v1/sessions/w4', { cost_data: labels })).status, 200);
  assert.deepEqual((await call('acme', 'GET', '/v1/sessions/w4/cost_data')).json, { session_id: 'w4', cost_data: labels });
  assert.deepEqual((await call('acme', 'GET', '/v1/sessions/w4/usage')).json, usage);
  assert.deepEqual([usage.model, usage.cost_usd], ['parrot', 0.001004]);
});

claim('W5: the fee is per request, money is exact, and parallel turns cannot overshoot a limit', async () => {
  await world.rows("SELECT tenancy.set_budget('busy', 'total', 0.0051)");
  const answers = await times(16, (index) => chat('busy', '1234', { max_tokens: 1 }, { to: index % 2 ? server : replica }));
  const passed = answers.filter(({ status }) => status === 200).length;
  assert.ok(statuses(answers).every((status) => [200, 402, 429].includes(status)));
  assert.ok(passed >= 1 && passed <= 5, `${passed} passed`);
  assert.equal(await costOf('busy'), passed * (1_000_000_000 + 2 * 1_000_000));
});

claim('W6: eight turns at a time on one session leave sixteen messages', async () => {
  assert.deepEqual(statuses(await times(8, (index) => chat('acme', `turn ${index}`, { session_id: 'w6' }, { to: index % 2 ? server : slow }))), Array(8).fill(200));
  const { messages } = (await call('acme', 'GET', '/v1/sessions/w6')).json;
  assert.equal(messages.length, 16);
  for (let i = 0; i < 16; i += 2) assert.equal(messages[i].content, messages[i + 1].content, 'a turn is one piece');
});

claim('W7: neither a traceparent nor a posted trace overwrites a trace', async () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { traceparent: `00-${id}-00f067aa0ba902b7-01` };
  const first = await chat('acme', 'first', { session_id: 'w7' }, { headers });
  const second = await chat('acme', 'second', {}, { headers });
  assert.equal(first.headers['x-trace-id'], id);
  assert.match(second.headers['x-trace-id'], /^trace_/);
  const before = (await call('acme', 'GET', `/v1/traces/${id}`)).text;
  assert.equal((await call('acme', 'POST', '/v1/traces', { trace_id: id, spans: [] })).status, 409);
  assert.equal((await chat('globex', 'theirs', {}, { headers })).headers['x-trace-id'], id, 'another tenant has its own');
  assert.equal((await call('acme', 'GET', `/v1/traces/${id}`)).text, before);
  const posted = { trace_id: 'w7-own', spans: [{ span_id: 'a', name: 'n', start_time: 1 }] };
  assert.deepEqual((await call('acme', 'POST', '/v1/traces', posted)).json, { trace_id: 'w7-own', saved: true });
  const colleague = await world.token('acme', 'somebody-else');
  assert.equal((await call(colleague, 'POST', '/v1/traces', { ...posted, spans: [] })).status, 409);
  assert.equal((await call('acme', 'GET', '/v1/traces/w7-own')).json.spans.length, 1);
});

claim("W8: under concurrency no client's token goes upstream, for itself or for another", async () => {
  tap.sent = '';
  assert.deepEqual(statuses(await times(8, (index) => chat(index % 2 ? 'acme' : 'globex', 'hello', {}, { to: near }))), Array(8).fill(200));
  const sent = tap.sent.match(/^authorization: .*$/gim);
  assert.deepEqual([...new Set(sent.map((line) => line.trim()))], [`Authorization: Bearer ${key}`]);
  for (const token of [tokens.acme, tokens.globex]) assert.ok(!tap.sent.includes(token.split('.')[2]));
});

claim('W9: lists hold one tenant; feedback is changed by its author alone, who is the subject of the token', async () => {
  const { feedback_id: id } = (await call('acme', 'POST', '/v1/feedback', { rating: 1, user_id: 'mallory' })).json;
  assert.equal((await call('acme', 'GET', `/v1/feedback/${id}`)).json.user_id, 'acme-user');
  assert.equal((await call('globex', 'GET', `/v1/feedback/${id}`)).status, 404);
  assert.equal((await call('globex', 'PATCH', `/v1/feedback/${id}`, { rating: -1 })).status, 404);
  assert.equal((await call(await world.token('acme', 'colleague'), 'PATCH', `/v1/feedback/${id}`, { rating: -1 })).status, 403);
  assert.deepEqual((await call('globex', 'GET', '/v1/feedback?user_id=acme-user')).json, []);
  const seen = JSON.stringify((await call('globex', 'GET', '/v1/traces?limit=1000')).json);
  assert.ok(!seen.includes('w4') && !seen.includes('w6'));
});

claim('W11: agent-info needs a token, metrics are not on this port, and no label is a client\'s', async () => {
  assert.deepEqual(statuses([await send(server.url, 'GET', '/v1/agent-info'), await call('acme', 'GET', '/v1/agent-info'), await call('acme', 'GET', '/metrics')]), [401, 200, 404]);
  await chat('acme', 'hi', { model: 'label-of-a-client', session_id: 'label-of-a-session' });
  const metrics = (await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics')).text;
  assert.match(metrics, /agent_tokens_total\{model="parrot"/);
  assert.doesNotMatch(metrics, /label-of-a|acme/);
});

claim('W12: turns of one tenant that take long do not stall another; their number is limited per tenant', async () => {
  await world.rows("SELECT tenancy.set_rate_limit('slow', max_concurrent => 3)");
  const text = 'a text of many pieces '.repeat(8);
  const streams = await times(5, () => openStream(slow.url, PATH, { token: tokens.slow, body: chatBody(text, { stream: true, max_tokens: 100 }) }));
  assert.deepEqual(statuses(streams).sort(), [200, 200, 200, 429, 429]);
  const start = performance.now();
  assert.deepEqual(statuses(await times(4, () => call('globex', 'GET', '/v1/sessions/shared-name', undefined, { to: slow }))), Array(4).fill(200));
  assert.equal((await chat('globex', 'hi', {}, { to: slow })).status, 200);
  const took = performance.now() - start;
  const open = await world.value("SELECT count(*)::int FROM agent.turns WHERE tenant_id = 'slow' AND status = 'open'");
  streams.forEach((stream) => stream.hangUp());
  assert.equal(open, 3, `the slow ones still ran after ${took} ms`);
});

claim('W13: a cold server takes a hundred requests at once with the connections it was given', async () => {
  const connections = () => world.value('SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1', world.role);
  const before = await connections();
  const cold = await world.tenancyd({ model: echo.model, storage: { pool_size: 4 } });
  const answers = await times(100, () => call('globex', 'GET', '/v1/traces?limit=1', undefined, { to: cold }));
  assert.deepEqual([...new Set(statuses(answers))], [200]);
  assert.ok((await connections()) - before <= 4);
});

claim('W14: what was a 500 there is 409, 422 or 404 here', async () => {
  const twice = { session_id: 'w14' };
  assert.deepEqual(statuses([await call('acme', 'POST', '/v1/sessions', twice), await call('acme', 'POST', '/v1/sessions', twice)]), [201, 409]);
  for (const [path, field] of [['traces?limit=-1', 'limit'], ['traces?offset=-1', 'offset'], ['feedback?since=bad', 'since'], ['feedback/stats?until=bad', 'until']]) {
    const answer = await call('acme', 'GET', `/v1/${path}`);
    assert.deepEqual([answer.status, answer.json.detail[0].loc], [422, ['query', field]]);
  }
  for (const name of ['trust', 'skills', 'capabilities', 'maturation']) {
    const { status, json } = await call('acme', 'GET', `/v1/agent/${name}`);
    assert.deepEqual([status, json], [404, { error: `${name[0].toUpperCase()}${name.slice(1)} not enabled` }]);
    assert.equal((await send(server.url, 'GET', `/v1/agent/${name}`)).status, 401);
  }
});

claim('W15: refusals are on record and counted, with their request id; a stream that broke is an error in its trace', async () => {
  const refused = await chat('spent', 'hi', {}, { headers: { 'X-Request-ID': 'w15-request' } });
  assert.deepEqual([refused.status, refused.headers['x-request-id']], [402, 'w15-request']);
  const [row] = (await call('spent', 'GET', '/v1/audit?limit=1')).json;
  assert.deepEqual([row.request_id, row.outcome, row.status, row.actor], ['w15-request', 'deny', 402, 'spent-user']);
  const metrics = (await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics')).text;
  assert.match(metrics, /tenancyd_rejections_total\{kind="budget"\} [1-9]/);
  const stream = await openStream(near.url, PATH, { token: tokens.acme, body: chatBody('long enough to be cut in the middle '.repeat(3), { stream: true }) });
  for await (const _ of stream.frames()) tap.cut();
  assert.match(stream.text, /"error": \{.*upstream_failed[^]*\[DONE\]/);
  const { status } = (await call('acme', 'GET', `/v1/traces/${stream.headers['x-trace-id']}`)).json;
  assert.equal(status, 'error');
});

claim('W16: the names a gateway stamps may agree with the token or are refused; without a tenant there is no service', async () => {
  for (const [headers, status] of [
    [{ 'X-Tenant-ID': 'acme', 'X-Auth-Subject': 'acme-user' }, 200], [{ 'X-Tenant-ID': 'globex' }, 403], [{ 'X-Tenant': 'globex' }, 403],
    [{ 'X-Auth-Subject': 'root' }, 403], [{ 'X-Forwarded-For': '1.2.3.4' }, 200],
  ])
    assert.equal((await call('acme', 'GET', '/v1/traces?limit=1', undefined, { headers })).status, status, JSON.stringify(headers));
  assert.equal((await call(await world.token('acme', 'x', { org_id: undefined }), 'GET', '/v1/traces')).status, 401);
  assert.equal((await send(server.url, 'GET', '/v1/traces', { headers: { 'X-Auth-Subject': 'x', 'X-Tenant-ID': 'acme' } })).status, 401);
});

claim('W17: housekeeping of several replicas at once ends a lost turn once', async () => {
  const facts = JSON.stringify({ model: 'parrot', instance_id: 'a-server-that-is-gone' });
  const body = JSON.stringify(chatBody('lost', { max_tokens: 5 }));
  const turn = await world.value("SELECT (agent.call('begin_turn', $1, $2, $3)).body ->> 'turn_id'", tokens.globex, body, facts);
  const charges = () => world.value('SELECT count(*)::int FROM agent.usage WHERE turn_id = $1', turn);
  const sweep = () => world.rows('SELECT agent.sweep_turns(1000)');
  await until('the turn is swept', async () => (await Promise.all([sweep(), sweep()])) && (await charges()) > 0);
  assert.equal(await charges(), 1);
  assert.deepEqual((await world.rows('SELECT * FROM tenancy.verify_counters()')).filter((row) => !row.ok), []);
});
