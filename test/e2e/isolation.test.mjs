// Over HTTP a tenant cannot tell another tenant's things from things that do not exist, and cannot touch
// them.
import assert from 'node:assert/strict';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('isolation');
const server = await world.tenancyd();
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

const call = (token, method, path, more = {}) => send(server.url, method, path, { token, ...more });
const chat = (token, text, more) =>
  call(token, 'POST', '/v1/chat/completions', { body: chatBody(text, more) });

// What acme has, and for each an id of the same length that nobody has.
const SESSION = 'acme-session-1';
const first = await chat(acme, 'the secret of acme', { session_id: SESSION });
assert.equal(first.status, 200, first.text);
const TRACE = first.headers['x-trace-id'];
const created = await call(acme, 'POST', '/v1/feedback', {
  body: { rating: 1, trace_id: TRACE, session_id: SESSION },
});
const FEEDBACK = created.json.feedback_id;
const UNKNOWN = {
  [SESSION]: 'acme-session-2',
  [TRACE]: 'trace_0123456789abcdef',
  [FEEDBACK]: 'fb_0123456789abcdef',
};

/** Everything that acme can read of its own, as text. */
async function worldOfAcme() {
  const paths = [
    `/v1/sessions/${SESSION}`,
    `/v1/sessions/${SESSION}/usage`,
    `/v1/traces/${TRACE}`,
    '/v1/traces',
    '/v1/feedback',
    '/v1/audit?action=session.delete',
    '/v1/audit?action=chat.complete',
  ];
  const answers = await Promise.all(paths.map((path) => call(acme, 'GET', path)));
  return answers.map((answer) => answer.fingerprint()).join('\n');
}

const PROBES = [
  ['GET', '/v1/sessions/{}', SESSION],
  ['HEAD', '/v1/sessions/{}', SESSION],
  ['GET', '/v1/sessions/{}/usage', SESSION],
  ['POST', '/v1/sessions/{}/fork', SESSION],
  ['POST', '/v1/sessions/{}/fork', SESSION, { from_message_index: 1 }],
  ['POST', '/v1/sessions/{}/fork', SESSION, { from_message_index: 99 }],
  ['POST', '/v1/sessions/{}/fork', SESSION, { from_message_index: 'x' }],
  ['POST', '/v1/sessions/{}/revert', SESSION, { to_message_index: 0 }],
  ['POST', '/v1/sessions/{}/revert', SESSION, { to_message_index: 99 }],
  ['DELETE', '/v1/sessions/{}', SESSION],
  ['GET', '/v1/traces/{}', TRACE],
  ['GET', '/v1/traces/{}/', TRACE],
  ['PATCH', '/v1/feedback/{}', FEEDBACK, { rating: -1 }],
  ['PATCH', '/v1/feedback/{}', FEEDBACK, { rating: 5 }],
  ['PATCH', '/v1/feedback/{}', FEEDBACK, {}],
  ['GET', '/v1/feedback?trace_id={}', TRACE],
  ['GET', '/v1/feedback?session_id={}', SESSION],
  ['POST', '/v1/chat/completions', SESSION, (id) => chatBody('hello', { session_id: id })],
  ['DELETE', '/v1/sessions/{}', SESSION],
  ['POST', '/v1/sessions', SESSION, (id) => ({ session_id: id })],
  ['POST', '/v1/sessions', SESSION, (id) => ({ session_id: id })],
];

// Ids, times and durations of the answer itself.
const GENERATED =
  /(chatcmpl-[0-9a-f]{24}|(sess|trace)_[0-9a-f]{16}|"created":\d+|"stream_metrics":\{.*?\}|Content-Length: \d+)/g;

/** What globex is answered for an id, with that id and whatever is new in each answer taken out. */
async function probe([method, path, , body], id) {
  const sent = typeof body === 'function' ? body(id) : body;
  const answer = await call(globex, method, path.replace('{}', id), sent === undefined ? {} : { body: sent });
  assert.ok(answer.status < 500, `${method} ${path}: ${answer.status}`);
  const text = answer.fingerprint().replaceAll(id, '<id>');
  return path === '/v1/chat/completions' ? text.replace(GENERATED, '<new>') : text;
}

claim("every route answers another tenant's id byte for byte like an id that nobody has", async () => {
  const before = await worldOfAcme();
  for (const item of PROBES) {
    const foreign = await probe(item, item[2]);
    const unknown = await probe(item, UNKNOWN[item[2]]);
    assert.equal(foreign, unknown, `${item[0]} ${item[1]}`);
  }
  assert.equal(await worldOfAcme(), before, 'and acme is where it was');
});

claim('an unknown id is 404 with the id in the detail', async () => {
  const answer = await call(globex, 'GET', `/v1/traces/${TRACE}`);
  assert.equal(answer.status, 404);
  assert.deepEqual(answer.json, { detail: `Trace ${TRACE} not found` });
});

claim("the other tenant's session id continues nothing of that session", async () => {
  const wanted = { session_id: 'acme-session-3' };
  await chat(acme, 'a word of acme that costs tokens when it is put in front', wanted);
  const mine = (await chat(globex, 'hello', { session_id: 'of-globex-alone' })).json;
  const theirs = (await chat(globex, 'hello', wanted)).json;
  assert.deepEqual(theirs.usage, mine.usage, 'no token of history was put in front');
  const session = (await call(globex, 'GET', '/v1/sessions/acme-session-3')).json;
  assert.deepEqual(
    session.messages.map((message) => message.content),
    ['hello', 'hello'],
  );
  assert.equal((await call(acme, 'GET', '/v1/sessions/acme-session-3')).json.messages.length, 2);
});

claim('lists show only own rows', async () => {
  for (const path of [
    '/v1/traces?limit=1000',
    '/v1/feedback?limit=1000',
    '/v1/audit?limit=1000',
    '/v1/feedback/stats',
  ]) {
    const { text, status } = await call(globex, 'GET', path);
    assert.equal(status, 200);
    assert.doesNotMatch(text, /alice|secret|acme"/, path);
  }
  const traces = (await call(globex, 'GET', '/v1/traces?limit=1000')).json;
  assert.ok(traces.length > 0 && traces.every((trace) => trace.trace_id !== TRACE));
  assert.deepEqual((await call(globex, 'GET', '/v1/feedback')).json, []);
  assert.deepEqual((await call(globex, 'GET', '/v1/feedback/stats')).json, []);
  assert.equal((await call(acme, 'GET', '/v1/feedback')).json.length, 1);
});

claim('every refusal is in the audit log of the tenant that was refused, and only there', async () => {
  const denied = (await call(globex, 'GET', '/v1/audit?limit=1000')).json.filter(
    (row) => row.outcome === 'deny',
  );
  assert.ok(denied.some((row) => row.resource_id === SESSION && row.status === 404 && row.actor === 'bob'));
  const own = (await call(acme, 'GET', '/v1/audit?limit=1000')).json;
  assert.ok(own.length > 0 && own.every((row) => row.actor === 'alice' && row.outcome === 'allow'));
});

claim('a traceparent that both tenants send gives each a trace of its own', async () => {
  const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
  for (const [token, text] of [
    [acme, 'traced by acme'],
    [globex, 'by globex'],
    [globex, 'by globex again'],
  ]) {
    const answer = await call(token, 'POST', '/v1/chat/completions', { headers, body: chatBody(text) });
    assert.equal(answer.status, 200);
  }
  const sql =
    "SELECT tenant_id, count(*)::int AS count FROM agent.traces WHERE traceparent LIKE '00-0af%' GROUP BY 1 ORDER BY 1";
  assert.deepEqual(await world.rows(sql), [
    { tenant_id: 'acme', count: 1 },
    { tenant_id: 'globex', count: 2 },
  ]);
  const shared = '/v1/traces/0af7651916cd43dd8448eb211c80319c';
  const [theirs, mine] = [(await call(acme, 'GET', shared)).json, (await call(globex, 'GET', shared)).json];
  assert.notEqual(theirs.completion_tokens, mine.completion_tokens);
});

const ROUTES = [
  ['GET', '/v1/traces'],
  ['GET', '/v1/agent-info'],
  ['POST', '/v1/chat/completions', chatBody('hi')],
  ['GET', `/v1/sessions/${SESSION}`],
  ['POST', '/v1/feedback', { rating: 1 }],
  ['DELETE', `/v1/sessions/${SESSION}`],
];
const CLAIMS = [
  ['X-Tenant', 'acme', 'globex'],
  ['X-Tenant-ID', 'acme', 'globex'],
  ['X-Auth-Subject', 'alice', 'bob'],
];

claim('a header that names another tenant or subject than the token is 403 on every route', async () => {
  for (const [name, , wrong] of CLAIMS)
    for (const [method, path, body] of ROUTES) {
      const answer = await call(acme, method, path, { headers: { [name]: wrong }, body });
      assert.equal(answer.status, 403, `${name} on ${method} ${path}: ${answer.text}`);
      assert.equal(answer.json.error.code, 'tenant_mismatch');
    }
  const both = { 'X-Tenant': 'acme', 'X-Tenant-ID': 'globex' };
  assert.equal((await call(acme, 'GET', '/v1/traces', { headers: both })).status, 403);
  const twice = { 'X-Tenant': ['acme', 'globex'] };
  assert.equal((await call(acme, 'GET', '/v1/traces', { headers: twice })).status, 403);
  assert.equal((await call(acme, 'GET', `/v1/sessions/${SESSION}`)).status, 200, 'nothing was deleted');
});

claim('a header that names what the token names changes nothing', async () => {
  for (const [name, right] of CLAIMS)
    for (const [method, path, body] of ROUTES.slice(0, 5)) {
      const answer = await call(acme, method, path, { headers: { [name]: right }, body });
      assert.ok(answer.status < 300, `${name} on ${method} ${path}: ${answer.text}`);
    }
});

claim('a body cannot name the tenant, the author or another id than the path', async () => {
  const body = { rating: 1, tenant_id: 'acme', user_id: 'alice', feedback_id: FEEDBACK };
  const { feedback_id: id } = (await call(globex, 'POST', '/v1/feedback', { body })).json;
  assert.notEqual(id, FEEDBACK);
  const [row] = await world.rows('SELECT tenant_id, user_id FROM agent.feedback WHERE feedback_id = $1', id);
  assert.deepEqual(row, { tenant_id: 'globex', user_id: 'bob' });
  const reverted = await call(acme, 'POST', '/v1/sessions/no-such/revert', {
    body: { session_id: SESSION, to_message_index: 0 },
  });
  assert.deepEqual(reverted.json, { detail: 'Session no-such not found' });
  assert.equal((await call(acme, 'GET', '/v1/sessions/no-such?session_id=' + SESSION)).status, 404);
});
