// No input is an error of the server: whatever is thrown at whichever route is answered below 500, and a
// refusal of the input names the field. The routes are those of server/routes.cpp, so a new one is tested, too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { World, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('input');
const server = await world.tenancyd();
const token = await world.token('acme', 'alice');
const source = (file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

const ROUTES = [
  ...source('server/routes.cpp').matchAll(
    /\{"([A-Z]+)",\s*"([^"]+)",\s*Kind::(\w+),\s*"\w*"(?:,\s*\{([^}]*)\})?\}/g,
  ),
].map(([, method, path, kind, query = '']) => ({
  method,
  path,
  kind,
  query: [...query.matchAll(/"(\w+)"/g)].map(([, name]) => name),
}));

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const inAll = [];

/** Sends bytes as a body over a connection that is kept; the path goes out as it is. */
function call(method, path, body, headers = { 'Content-Type': 'application/json' }) {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', agent, method, path,
      headers: { Authorization: `Bearer ${token}`, ...headers, ...(bytes && { 'Content-Length': bytes.length }) } });
    request.on('error', reject);
    request.on('response', async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() });
    });
    request.end(bytes);
  });
}

const isNamed = (item) =>
  typeof item.type === 'string' && typeof item.msg === 'string' && item.loc?.length > 0 && 'input' in item;

/** What is wrong with an answer to bad input, or nothing. */
function fault({ status, text }, method) {
  if (status >= 500) return 'server error';
  if (status < 400 || method === 'HEAD') return undefined;
  const body = JSON.parse(text);
  if (typeof body.error === 'string') return undefined; // the routes of the reference that say so
  if (status === 422 && !(Array.isArray(body.detail) && body.detail.every(isNamed))) return 'no field is named';
  return body.detail === undefined ? 'no detail' : undefined;
}

/** Sends every case, eight at a time, and returns those whose answer is wrong. */
async function faults(cases) {
  const wrong = [];
  const waiting = [...cases];
  const work = async () => {
    for (let next; (next = waiting.pop()); ) {
      const answer = await call(...next);
      const what = fault(answer, next[0]);
      if (what) wrong.push([what, ...next.slice(0, 2), String(next[2]).slice(0, 100), answer.status, answer.text.slice(0, 200)]);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  inAll.push(cases.length);
  return wrong;
}

const filled = (path, id = 'x1') => path.replace(/\{\w+\}/g, id);
const withBody = ROUTES.filter(({ method }) => ['POST', 'PUT', 'PATCH'].includes(method));
const GOOD = {
  session_id: 'x1', trace_id: 't1', model: 'm', rating: 1, from_message_index: 0, to_message_index: 0, comment: 'c',
  correction: 'c', model_id: 'm', latency_ms: 1, turn_index: 0, agent_type: 'a', cost_data: {}, spans: [],
  messages: [{ role: 'user', content: 'hi' }], started_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01', status: 'ok',
  stream: false, temperature: 0, top_p: 1, top_k: 1, frequency_penalty: 0, presence_penalty: 0, repetition_penalty: 1,
  logprobs: false, top_logprobs: 1, n: 1, max_tokens: 5, max_completion_tokens: 5, clamp_to_budget: false, seed: 1,
  reasoning_effort: 'low', tools: [], tool_choice: 'auto', stop: 'x', logit_bias: {}, response_format: {},
  stream_options: {}, parallel_tool_calls: true, answers_to_question_id: 'q',
};
const ODD = ['null', 'true', '-1', '1.5', '1e308', '-99999999999999999999999', '"\\ud83d\\ude00"', '[[[]]]', '{"a":{"b":[]}}'];

claim('the list of routes was read from the source', () => {
  assert.ok(ROUTES.length >= 27, `only ${ROUTES.length}`);
  assert.deepEqual(ROUTES.find(({ path }) => path === '/v1/feedback/stats').query, ['window', 'agent_type', 'since', 'until']);
});

claim('every field of every body, with a value of every wrong type', async () => {
  const cases = [];
  for (const { method, path } of withBody)
    for (const field of Object.keys(GOOD)) {
      const { [field]: _, ...rest } = GOOD;
      const others = JSON.stringify(rest).slice(1, -1);
      for (const value of ODD) cases.push([method, filled(path), `{${others},"${field}":${value}}`]);
    }
  assert.deepEqual(await faults(cases), []);
});

claim('every member of a message, of its parts and calls, and of a span, with a value of every wrong type', async () => {
  const cases = [];
  const add = (path, member, whole) =>
    ODD.forEach((value) => cases.push([path.startsWith('/v1/s') ? 'PUT' : 'POST', path, JSON.stringify(whole({ [member]: '@' })).replace('"@"', value)]));
  for (const member of ['span_id', 'parent_span_id', 'name', 'start_time', 'end_time', 'status', 'attributes', 'events', 'trace_id'])
    add('/v1/traces', member, (odd) => ({ trace_id: 't9', spans: [{ span_id: 'a', name: 'n', start_time: 1, ...odd }] }));
  for (const path of ['/v1/chat/completions', '/v1/sessions/x9']) {
    for (const member of ['role', 'content', 'name', 'tool_calls', 'tool_call_id', 'refusal', 'function_call'])
      add(path, member, (odd) => ({ messages: [{ role: 'user', content: 'hi', ...odd }] }));
    for (const member of ['type', 'text', 'image_url', 'input_audio'])
      add(path, member, (odd) => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'hi', ...odd }] }] }));
    for (const member of ['url', 'detail'])
      add(path, member, (odd) => ({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,', ...odd } }] }] }));
    for (const member of ['id', 'type', 'function'])
      add(path, member, (odd) => ({ messages: [{ role: 'assistant', tool_calls: [{ id: 'c', type: 'function', ...odd }] }] }));
    for (const member of ['name', 'arguments'])
      add(path, member, (odd) => ({ messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: '', ...odd } }] }] }));
  }
  for (const member of ['tool_choice', 'tools'])
    for (const odd of ODD) cases.push(['POST', '/v1/chat/completions', `{"messages":[{"role":"user"}],"tools":[{"function":{"name":"f"}}],"tool_choice":{"function":{"name":${odd}}},"${member}":[${odd}]}`]);
  assert.deepEqual(await faults(cases), []);
});

claim('bodies that are no JSON, no object, too deep, not UTF-8, or not storable', async () => {
  const deep = (open, close, depth) => open.repeat(depth) + close.repeat(depth);
  const bodies = [
    '', ' ', '{', '{"a"', '[]', '7', '"x"', 'null', 'nul', '{}{}', "{'a':1}", '{"a":1,}', '\ufeff{}', 'NaN', '{"a":NaN}',
    deep('[', ']', 5000), `{"messages":${deep('[', ']', 127)}}`, `{"cost_data":${deep('{"a":', '}', 126).replace('}', '1}')}}`,
    '{"session_id":"\\u0000"}', '{"\\u0000":1}', '{"comment":"\\ud800"}', '{"messages":[{"role":"user","content":"a\\u0000b"}]}',
    '{"rating":1e999999}', '{"rating":1,"rating":"x"}', '{"session_id":"a","session_id":"b c"}',
    `{"comment":"${'x'.repeat(20000)}","rating":1}`, `{"messages":[${'{},'.repeat(500)}7]}`, `{"${'k'.repeat(5000)}":1}`,
    Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), Buffer.from('{"comment":"\xed\xa0\x80"}', 'latin1'), Buffer.from([0]),
  ];
  const cases = withBody.flatMap(({ method, path }) => bodies.map((body) => [method, filled(path), body]));
  assert.deepEqual(await faults(cases), []);
});

claim('query values that are no numbers, dates or text', async () => {
  const values = [
    '', '-1', '0', '1.5', '1e3', '99999999999999999999', 'ten', '%00', '%ff', '%zz', '%', '%ed%a0%80', '+', 'yesterday',
    '2026-02-30', '2026-13-01', '0000-00-00', '9999-12-31T23:59:59.999999999Z', '2026-01-01T25:00:00Z', '-infinity', "';--",
  ];
  const cases = ROUTES.flatMap(({ method, path, query }) =>
    query.flatMap((name) => values.map((value) => [method, `${filled(path)}?${name}=${value}&${name}`.replace(/&\w+$/, '')])),
  );
  assert.deepEqual(await faults(cases), []);
  const limit = await call('GET', '/v1/traces?limit=1001');
  assert.deepEqual(JSON.parse(limit.text).detail[0].loc, ['query', 'limit']);
  const bytes = await call('GET', '/v1/feedback?trace_id=%ff');
  assert.deepEqual([bytes.status, JSON.parse(bytes.text).detail[0].loc], [422, ['query', 'trace_id']]);
});

claim('ids of every kind in the path', async () => {
  const ids = [
    '%00', '%ff', '%zz', '%', '%2e%2e', '..%2f..', '%20', '%27%3b--', '%f0%9f%98%80', 'x'.repeat(3000), '%25%32%65', '-1', '{}', '*',
    '%e2%80%ae', 'a%0ab', "a'b", 'a+b', 'a;b', '~', '%C0%AE',
  ];
  const cases = ROUTES.filter(({ path }) => path.includes('{')).flatMap(({ method, path }) =>
    ids.map((id) => [method, filled(path, id), JSON.stringify({ ...GOOD, session_id: undefined, trace_id: undefined })]),
  );
  assert.deepEqual(await faults(cases.map(([method, path, body]) => (['GET', 'DELETE'].includes(method) ? [method, path] : [method, path, body]))), []);
});

claim('other content types, methods and headers on every route', async () => {
  const cases = [];
  for (const { path } of ROUTES)
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])
      for (const type of ['application/xml', 'text/plain; charset=utf-16', 'multipart/form-data', '', '/', 'application/json; charset=x'])
        cases.push([method, filled(path), ['GET', 'HEAD', 'OPTIONS', 'PROPFIND'].includes(method) ? undefined : '{}', { 'Content-Type': type }]);
  for (const headers of [{ traceparent: '00-zz' }, { traceparent: '0'.repeat(900) }, { 'X-Request-ID': '\u00ff'.repeat(50) }, { 'X-Tenant': 'acme', 'X-Auth-Subject': '%00' }])
    cases.push(['GET', '/v1/traces', undefined, headers], ['POST', '/v1/chat/completions', JSON.stringify(GOOD), headers]);
  assert.deepEqual(await faults(cases), []);
});

claim('an answer names the member that is wrong, however deep it is', async () => {
  for (const [method, path, body, loc] of [
    ['POST', '/v1/chat/completions', '{"messages":[{"role":"user","content":"a"},{"role":"user","content":"\\u0000"}]}', ['body', 'messages', 1, 'content']],
    ['POST', '/v1/chat/completions', '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":7}}]}]}', ['body', 'messages', 0, 'content', 0]],
    ['POST', '/v1/chat/completions', '{"messages":[{"role":"user"}],"stop":7}', ['body', 'stop']],
    ['POST', '/v1/chat/completions', '{"messages":[{"role":"user"}],"tools":[[{}]]}', ['body', 'tools']],
    ['POST', '/v1/feedback', '{"rating":1,"comment":"\\ud800"}', ['body', 'comment']],
    ['POST', '/v1/traces', '{"trace_id":"t","spans":[{"span_id":"s","name":"n","start_time":"now"}]}', ['body', 'spans', 0, 'start_time']],
    ['PUT', '/v1/sessions/a%20b', '{"messages":[]}', ['path', 'session_id']],
  ]) {
    const { status, text } = await call(method, path, body);
    assert.deepEqual([status, JSON.parse(text).detail[0].loc], [422, loc], body);
  }
});

claim('of two members of one name the last counts, for the server as for the database', async () => {
  const body = '{"messages":[{"role":"user","content":"no"}],"stream":true,"messages":[{"role":"user","content":"yes"}],"stream":false}';
  assert.equal(JSON.parse((await call('POST', '/v1/chat/completions', body)).text).choices[0].message.content, 'yes');
});

claim('nothing of all that was unexpected to the server, and it is still there', async () => {
  const unexpected = server.log().split('\n').filter((line) => /unexpected_exception|"sqlstate":"[^P"]/.test(line));
  assert.deepEqual(unexpected.slice(0, 5), []);
  assert.equal((await send(server.url, 'GET', '/readyz')).status, 200);
  assert.ok(inAll.reduce((a, b) => a + b) > 3500, `${inAll}`);
});

claim('the reference of the HTTP API lists exactly the routes of the source', () => {
  const documented = [...source('docs/http-reference.md').matchAll(/^\| ([A-Z, ]+) `(\/[^`]*)` \|/gm)].flatMap(([, methods, path]) =>
    methods.split(', ').map((method) => `${method} ${path.replace(/\{\w+\}/g, '{id}')}`),
  );
  assert.deepEqual(documented.sort(), ROUTES.map(({ method, path }) => `${method} ${filled(path, '{id}')}`).sort());
});
