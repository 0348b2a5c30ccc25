// The shapes that belong to no single route: errors of HTTP itself, slashes, HEAD, request ids, and the
// frames of a stream to the byte.
import assert from 'node:assert/strict';
import net from 'node:net';
import { World, chatBody, claim } from './support/world.mjs';
import { openStream, send } from './support/wire.mjs';

const world = await World.create('shapes');
const limits = { max_body_bytes: 20_000, request_timeout_seconds: 5 };
const server = await world.tenancyd({
  model: { provider: 'echo', name: 'parrot', temperature: 0.25 },
  server: { limits },
});
const token = await world.token('acme', 'alice');
const call = (method, path, more = {}) => send(server.url, method, path, { token, ...more });

claim("liveness, readiness and agent-info have the reference's bodies", async () => {
  for (const [path, body] of [
    ['/healthz', { status: 'ok' }],
    ['/readyz', { status: 'ready' }],
  ]) {
    const answer = await send(server.url, 'GET', path);
    assert.deepEqual([answer.status, answer.json], [200, body], 'without a token');
  }
  const info = await call('GET', '/v1/agent-info');
  assert.deepEqual(info.json, {
    agent: { name: 'e2e-agent', description: 'an agent under test', version: '0.1.0' },
    model: { name: 'parrot', temperature: 0.25, max_tokens: null },
    system_prompt: '',
    tools: [],
  });
  assert.equal((await send(server.url, 'GET', '/v1/agent-info')).status, 401);
});

claim('an unknown path is 404 and an unknown method 405 with Allow', async () => {
  for (const path of [
    '/v1',
    '/v1/nothing',
    '/v1/sessions/a/b',
    '/v2/traces',
    '/v1/traces/a/b/c',
    '/docs',
    '/v1//traces',
  ]) {
    const answer = await call('GET', path);
    assert.deepEqual([answer.status, answer.text], [404, '{"detail":"Not Found"}'], path);
  }
  for (const [method, path, allow] of [
    ['POST', '/v1/sessions/a', 'GET, HEAD, PUT, PATCH, DELETE'],
    ['PUT', '/v1/traces', 'POST, GET, HEAD'],
    ['GET', '/v1/chat/completions', 'POST'],
    ['DELETE', '/v1/feedback', 'POST, GET, HEAD'],
    ['PUT', '/v1/feedback/fb_1', 'GET, HEAD, PATCH'],
    ['PUT', '/healthz', 'GET, HEAD'],
  ]) {
    const answer = await call(method, path);
    assert.deepEqual(
      [answer.status, answer.text, answer.headers.allow],
      [405, '{"detail":"Method Not Allowed"}', allow],
      `${method} ${path}`,
    );
  }
});

claim('a trailing slash changes nothing', async () => {
  await call('POST', '/v1/sessions', { body: { session_id: 'slashed' } });
  for (const [method, path, more] of [
    ['GET', '/v1/sessions/slashed', {}],
    ['GET', '/v1/sessions/slashed/usage', {}],
    ['GET', '/v1/feedback', {}],
    ['GET', '/v1/agent-info', {}],
    ['POST', '/v1/sessions', { body: { session_id: 'slashed' } }],
    ['GET', '/v1/feedback/stats', {}],
  ])
    assert.equal(
      (await call(method, `${path}/`, more)).fingerprint(),
      (await call(method, path, more)).fingerprint(),
      path,
    );
  assert.equal((await call('POST', '/v1/chat/completions/', { body: chatBody('hi') })).status, 200);
  assert.equal((await call('GET', '/v1/traces/?limit=1')).json.length, 1);
});

claim('HEAD answers with the head of GET and no body', async () => {
  for (const path of [
    '/healthz',
    '/readyz',
    '/v1/sessions/slashed',
    '/v1/sessions/no-such-one',
    '/v1/traces',
    '/v1/agent-info',
  ]) {
    const head = await call('HEAD', path);
    const get = await call('GET', path);
    assert.equal(head.text, '');
    assert.equal(head.fingerprint() + get.text, get.fingerprint(), path);
  }
});

claim('a usable X-Request-ID comes back, any other is replaced', async () => {
  const idFor = async (value) =>
    (await call('GET', '/v1/traces', { headers: { 'X-Request-ID': value } })).headers['x-request-id'];
  for (const id of ['a', 'Req-1.2_3', 'x'.repeat(128)]) assert.equal(await idFor(id), id);
  for (const id of ['', 'with space', 'x'.repeat(129), '<script>', ['one', 'two'], '\u00e9'])
    assert.match(await idFor(id), /^req_[0-9a-f]{24}$/, String(id));
  for (const path of ['/healthz', '/nowhere', '/v1/traces'])
    assert.match((await send(server.url, 'GET', path)).headers['x-request-id'], /^req_[0-9a-f]{24}$/, path);
});

claim('a body that is too large is 413, in one piece and in chunks', async () => {
  const body = JSON.stringify(chatBody('x'.repeat(21_000)));
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const answer = await call('POST', '/v1/chat/completions', { body, headers }).catch((error) => error);
    if (answer instanceof Error) assert.match(answer.code, /ECONNRESET|EPIPE/, 'refused before all was sent');
    else assert.deepEqual([answer.status, answer.json.error.code], [413, 'too_large']);
  }
  const fits = await call('POST', '/v1/chat/completions', { body: chatBody('x'.repeat(19_000)) });
  assert.equal(fits.json.choices[0].message.content.length, 19_000);
});

claim('a body that is not JSON by its type or encoding is 415', async () => {
  for (const headers of [
    { 'Content-Type': 'text/plain' },
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    { 'Content-Type': 'multipart/form-data; boundary=x' },
    { 'Content-Encoding': 'gzip', 'Content-Type': 'application/json' },
  ]) {
    const answer = await call('POST', '/v1/chat/completions', {
      headers,
      body: JSON.stringify(chatBody('hi')),
    });
    assert.deepEqual(
      [answer.status, answer.json.error.code],
      [415, 'unsupported_media'],
      JSON.stringify(headers),
    );
  }
  const charset = { 'Content-Type': 'application/json; charset=utf-8' };
  assert.equal(
    (await call('POST', '/v1/chat/completions', { headers: charset, body: JSON.stringify(chatBody('hi')) }))
      .status,
    200,
  );
});

claim("a body that is no JSON is 422 in the reference's shape, never 500", async () => {
  const deep = (depth) => `{"messages":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const bodies = [
    '{',
    '',
    'nonsense',
    '[]',
    '"text"',
    '7',
    'null',
    '{"a":1}{"b":2}',
    '{"messages":[{"role":"user","content":"\\u0000"}]}',
    '{"messages":[{"role":"user","content":"\\ud800"}]}',
    deep(2000),
    deep(9000),
    '{"messages":[{"role":"user","content":"x"}],"temperature":1e999999}',
    '{"messages":[{"role":"user","content":"x"}],"max_tokens":99999999999999999999}',
    '{"messages":"x"}',
    '{"messages":[1]}',
    '{"messages":[{"role":"king","content":"x"}]}',
    '{"messages":[{"role":"user","content":5}]}',
    '{"messages":[{"role":"user","content":"x"}],"session_id":"a b"}',
    '{"messages":[{"role":"user","content":"x"}],"stream":"yes"}',
  ];
  const isItem = (item) =>
    typeof item.type === 'string' &&
    typeof item.msg === 'string' &&
    item.loc[0] === 'body' &&
    'input' in item;
  const wrong = [];
  for (const body of bodies) {
    const { status, text, json } = await call('POST', '/v1/chat/completions', { body });
    if (status !== 422 || !json.detail.every(isItem))
      wrong.push([body.slice(0, 80), status, text.slice(0, 200)]);
  }
  assert.deepEqual(wrong, []);
  const invalid = (await call('POST', '/v1/sessions', { body: '{"session_id":' })).json.detail[0];
  assert.deepEqual(
    [invalid.type, invalid.loc[0], typeof invalid.ctx.error],
    ['json_invalid', 'body', 'string'],
  );
});

claim('bytes that are no UTF-8, in body, path or query, are refused without a 500', async () => {
  const body = Buffer.concat([
    Buffer.from('{"messages":[{"role":"user","content":"'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}]}'),
  ]).toString('latin1');
  const raw = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  assert.match(await exchange(raw), /^HTTP\/1\.1 422 /);
  for (const path of [
    '/v1/sessions/%ff',
    '/v1/sessions/%00',
    '/v1/traces/%0a',
    '/v1/sessions/%zz',
    '/v1/sessions/%',
  ])
    assert.equal((await call('GET', path)).status, 404, path);
  for (const path of [
    '/v1/feedback?trace_id=%ff',
    '/v1/feedback?trace_id=%00',
    '/v1/traces?limit=%zz',
    '/v1/audit?action=%c3',
  ])
    assert.ok((await call('GET', path)).status < 500, path);
});

/** Sends bytes as they are and returns what came until the server closed. */
function exchange(bytes) {
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setEncoding('latin1');
    socket.setTimeout(10_000, () =>
      socket.destroy(new Error(`the server neither answers nor closes: ${text}`)),
    );
    socket.on('data', (data) => (text += data));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

claim(
  'two requests cannot hide in one: ambiguous lengths are refused and the connection is closed',
  async () => {
    const head = `POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
    const smuggled = `GET /v1/agent-info HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    for (const lengths of [
      'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: 2\r\nContent-Length: 3\r\n',
      'Content-Length: +2\r\n',
      'Content-Length: 2x\r\n',
    ]) {
      const text = await exchange(`${head}${lengths}\r\n{}${smuggled}`);
      assert.match(text, /^HTTP\/1\.1 400 /, lengths);
      assert.equal(text.match(/HTTP\/1\.1/g).length, 1, lengths);
    }
  },
);

claim(
  'a stream is data lines with spaced JSON and blank lines, ended by [DONE], and nothing else',
  async () => {
    const stream = await openStream(server.url, '/v1/chat/completions', {
      token,
      body: chatBody('say "hi",\n ok: yes \u00e9 and more of it', { stream: true }),
    });
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
    assert.equal(stream.headers['cache-control'], 'no-cache');
    assert.equal(stream.headers['x-accel-buffering'], 'no');
    assert.equal(stream.headers['transfer-encoding'], 'chunked');
    const frames = await stream.all();
    assert.equal(
      stream.text,
      frames.map(({ data }) => `data: ${data}\n\n`).join(''),
      'no event:, id: or comment lines',
    );
    assert.ok(frames.every(({ data }) => !data.includes('\n')));
    const { id, created } = frames[0].json;
    assert.match(id, /^chatcmpl-[0-9a-f]{24}$/);
    const chunk = (rest) =>
      `{"id": "${id}", "object": "chat.completion.chunk", "created": ${created}, "model": "parrot", "choices": ${rest}`;
    const choice = (delta, reason = 'null') =>
      chunk(`[{"index": 0, "delta": ${delta}, "finish_reason": ${reason}}]}`);
    const [role, ...others] = frames.map(({ data }) => data);
    const [finish, usage, done] = others.splice(-3);
    assert.equal(role, choice('{"role": "assistant"}'));
    assert.equal(others[0], choice('{"content": "say \\"hi\\",\\n o"}'));
    assert.equal(finish, choice('{}', '"stop"'));
    assert.ok(
      usage.startsWith(
        chunk(
          '[], "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}, "stream_metrics": {',
        ),
      ),
      usage,
    );
    assert.equal(done, '[DONE]');
    const last = frames.at(-2).json;
    assert.equal(last.trace_id, stream.headers['x-trace-id']);
    assert.deepEqual(Object.keys(last.stream_metrics), [
      'time_to_first_reasoning',
      'time_to_first_content',
      'total_time',
      'inter_token_latencies',
      'model_calls',
      'tool_calls',
    ]);
    assert.equal(last.stream_metrics.inter_token_latencies.length, others.length - 1);
  },
);

claim("a synchronous answer is compact JSON with the reference's members in order", async () => {
  const { text, json, headers } = await call('POST', '/v1/chat/completions', { body: chatBody('hi') });
  assert.doesNotMatch(text, /\s/);
  assert.deepEqual(Object.keys(json), [
    'id',
    'object',
    'created',
    'model',
    'choices',
    'usage',
    'stream_metrics',
  ]);
  assert.match(headers['x-trace-id'], /^trace_[0-9a-f]{16}$/);
  assert.equal(headers['content-type'], 'application/json');
});
