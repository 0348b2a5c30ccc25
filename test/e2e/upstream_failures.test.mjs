// An upstream that misbehaves in every way it can, and what then happens: another try, another model, or
// a clean failure; and that an upstream that behaves is passed on byte for byte over kept connections.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { RawModel, begun, chunked, content, stream, status } from './support/rawmodel.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send } from './support/wire.mjs';

const PATH = '/v1/chat/completions';
const world = await World.create('upstreamfailures');
const [model, other] = [await RawModel.start(), await RawModel.start()];
after(() => Promise.all([model.close(), other.close()]));
const near = await world.tenancyd({
  model: {
    provider: 'openai',
    endpoint: model.url,
    name: 'first',
    first_token_timeout_seconds: 1,
    api_key_file: world.secretFile('first.key', 'the-first-key\n'),
    fallbacks: [{ name: 'second' }, { name: 'third', endpoint: other.url }],
  },
});
for (const [name, input, output] of [
  ['first', 1, 10],
  ['second', 2, 3],
  ['third', 4, 5],
])
  await world.rows('SELECT tenancy.set_price($1, $2, $3)', name, input, output);
const acme = await world.token('acme', 'alice');

const chat = (more, headers) =>
  send(near.url, 'POST', PATH, { token: acme, headers, body: chatBody('hi', { max_tokens: 50, ...more }) });
const openChat = () =>
  openStream(near.url, PATH, { token: acme, body: chatBody('hi', { stream: true, max_tokens: 50 }) });
const recorded = async (answer) => {
  const id = answer.headers['x-trace-id'];
  const [usage] = await world.rows(
    'SELECT u.model, input_tokens::int AS input, output_tokens::int AS output, cost_picodollars::float8 AS cost, estimated, overrun, t.status, t.model AS traced FROM agent.usage u JOIN agent.traces t USING (tenant_id, trace_id) WHERE trace_id = $1',
    id,
  );
  return usage;
};
const broken = () => status('500 Broken');
const logged = (event) =>
  readFileSync(`${near.file}.log`, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"event":"${event}"`))
    .map((line) => JSON.parse(line));

claim('when the first model fails the next one answers: it is recorded, charged and logged', async () => {
  model.plan({ first: [broken()] });
  const answer = await chat();
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.choices[0].message.content, 'from second');
  assert.deepEqual(model.asked, ['first', 'second']);
  assert.deepEqual(await recorded(answer), {
    model: 'second',
    input: 7,
    output: 5,
    cost: 7 * 2e6 + 5 * 3e6,
    estimated: false,
    overrun: false,
    status: 'ok',
    traced: 'second',
  });
  const line = logged('upstream_retried').at(-1);
  assert.deepEqual(
    [line.model, line.upstream_status, line.tenant, line.subject, line.request_id, line.trace_id],
    ['first', 500, 'acme', 'alice', answer.headers['x-request-id'], answer.headers['x-trace-id']],
  );
  assert.match(line.span_id, /^[0-9a-f]{16}$/);
  assert.ok(line.deadline_in_ms > 590_000 && line.deadline_in_ms <= 600_000);
});

claim('the key of one endpoint is not sent to another', async () => {
  model.plan({ first: [broken()], second: [status('503 Away')] });
  other.plan({});
  const answer = await chat();
  assert.equal(answer.json.choices[0].message.content, 'from third');
  assert.match(model.requests[1].head, /^Authorization: Bearer the-first-key\r$/m);
  assert.doesNotMatch(other.requests[0].head, /authorization|the-first-key/i);
  assert.equal((await recorded(answer)).model, 'third');
});

claim('a model that says nothing in time is left for the next one', async () => {
  model.plan({ first: [() => {}] });
  const answer = await chat();
  assert.equal(answer.json.choices[0].message.content, 'from second');
});

claim('when all have failed the list is tried once more, after what Retry-After asks for', async () => {
  const busy = status('429 Busy', 'Retry-After: 1\r\n');
  model.plan({ first: [busy], second: [busy] });
  other.plan({ third: [busy] });
  const start = performance.now();
  const answer = await chat();
  assert.equal(answer.json.choices[0].message.content, 'from first');
  assert.ok(performance.now() - start >= 1000);
  assert.deepEqual(model.asked, ['first', 'second', 'first']);
});

claim('a long Retry-After, and a second round of failures, end the turn, which costs nothing', async () => {
  const busy = (seconds) => status('429 Busy', `Retry-After: ${seconds}\r\n`);
  model.plan({ first: [busy(60)], second: [busy(1)] });
  other.plan({ third: [busy(1)] });
  const start = performance.now();
  const answer = await chat();
  assert.equal(answer.status, 502);
  assert.ok(performance.now() - start < 900);
  assert.deepEqual(await recorded(answer), {
    ...{ model: 'third', input: 0, output: 0, cost: 0, estimated: false, overrun: false },
    ...{ status: 'error', traced: 'third' },
  });
  model.plan({ first: [broken(), broken()], second: [broken(), broken()] });
  other.plan({ third: [broken(), broken()] });
  assert.equal((await chat()).status, 502);
  assert.equal(model.requests.length + other.requests.length, 6);
});

claim('a request that the provider refuses is not tried elsewhere', async () => {
  for (const line of ['400 No', '401 No', '404 No', '422 No']) {
    model.plan({ first: [status(line)] });
    assert.equal((await chat()).status, 502);
    assert.deepEqual(model.asked, ['first']);
  }
});

claim('after the first piece nothing is tried again, however it breaks', async () => {
  const breaks = {
    'cut in mid-stream': (socket) => socket.end(begun(content('one'))),
    'reset in mid-stream': (socket) => socket.write(begun(content('one')), () => socket.resetAndDestroy()),
    'not JSON': begun(content('one'), '{"choices":[{"delta":{"content":"tw'),
    'not a chunk': begun(content('one'), '7'),
    'an error event': begun(content('one'), '{"error":{"message":"secret of the provider"}}'),
    'a giant line': (socket) => socket.write(begun(content('one')) + chunked(`data: ${'x'.repeat(5e6)}`)),
    'not a chunk size': begun(content('one')) + 'zz\r\n',
  };
  for (const [name, play] of Object.entries(breaks)) {
    model.plan({ first: [play] });
    const answer = await openChat();
    const frames = await answer.all();
    assert.equal(contentOf(frames), 'one', name);
    assert.equal(frames.at(-2).json.error?.code, 'upstream_failed', name);
    assert.equal(frames.at(-1).data, '[DONE]');
    assert.doesNotMatch(answer.text, /secret/);
    assert.deepEqual(model.asked, ['first'], name);
    const usage = await recorded(answer);
    assert.ok(usage.status === 'error' && usage.estimated && usage.output > 0 && usage.cost > 0, name);
  }
});

claim('what is no answer at all is 502, within bounded memory and time', async () => {
  const flood = (socket) => {
    const more = () => {
      while (socket.writable && socket.write(`X-Header: ${'y'.repeat(1000)}\r\n`));
    };
    socket.on('drain', more).write('HTTP/1.1 200 OK\r\n', more);
  };
  const plans = {
    'another content type': 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>',
    'an empty stream': 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n',
    'endless headers': flood,
  };
  for (const [name, play] of Object.entries(plans)) {
    model.plan({ first: [play] });
    const start = performance.now();
    const answer = await chat();
    assert.equal(answer.status, 502, name);
    assert.ok(performance.now() - start < 1000, name);
    assert.deepEqual(model.asked, ['first'], name);
  }
});

claim('usage that is missing is estimated; usage beyond what was held is charged as an overrun', async () => {
  const text = 'x'.repeat(40);
  model.plan({ first: [begun(content(text), '{"choices":[{"delta":{},"finish_reason":"stop"}]}', '[DONE]')] });
  const estimated = await recorded(await chat());
  assert.deepEqual([estimated.output, estimated.estimated, estimated.overrun], [10, true, false]);
  const usage = '{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5000}}';
  model.plan({ first: [begun(content('x'), usage, '[DONE]')] });
  const over = await recorded(await chat());
  assert.deepEqual([over.output, over.overrun, over.cost], [5000, true, 7 * 1e6 + 5000 * 10e6]);
});

claim('a fallback without a price refuses the turn before anybody is asked', async () => {
  await world.rows("DELETE FROM tenancy.prices WHERE model = 'third'");
  model.plan({});
  const answer = await chat();
  await world.rows("SELECT tenancy.set_price('third', 4, 5)");
  assert.deepEqual([answer.status, answer.json.error.code], [403, 'model_not_priced']);
  assert.deepEqual(model.asked, []);
});

claim('deltas reach the client in the bytes of the provider, but for the role', async () => {
  const deltas = [
    ['{"role":"assistant","content":""}', undefined],
    ['{"role":"assistant","content":"caf\\u00e9 \\/ \\ud83d\\ude00"}', '{"content":"caf\\u00e9 \\/ \\ud83d\\ude00"}'],
    ['{ "reasoning_content" : "hm", "content": null }'],
    ['{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}'],
    ['{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\": 1e2, \\u0022b\\u0022:\\t1.0}"}}]}'],
    ['{"annotations":[{"n":12345678901234567890.10,"e":1E+2}],"x_unknown":{"\\u006b":[ ]}}'],
  ];
  const chunks = deltas.map(([sent]) => `{"id":"theirs","choices":[{"index":0,"delta":${sent},"finish_reason":null}]}`);
  const logprobs = '{"choices":[{"delta":{"content":"!"},"logprobs":{"content":[{"logprob":-0.10}]}}]}';
  model.plan({ first: [stream(...chunks, logprobs)] });
  const answer = await openChat();
  const got = (await answer.all()).map(({ data }) => /"delta": (.*), "finish_reason": null/s.exec(data)?.[1]);
  assert.deepEqual(
    got.filter((delta) => delta !== undefined),
    [
      '{"role": "assistant"}',
      ...deltas.map(([sent, expected = sent]) => expected).slice(1),
      '{"content":"!"}, "logprobs": {"content":[{"logprob":-0.10}]}',
    ],
  );
});

claim('connections are used again; one that was closed meanwhile is replaced unnoticed', async () => {
  model.plan({});
  for (let i = 0; i < 3; i++) assert.equal((await chat()).status, 200);
  const [connection] = new Set(model.requests.map((request) => request.connection));
  assert.ok(model.requests.every((request) => request.connection === connection));
  model.connections[connection].end(); // closed while idle
  assert.equal((await chat()).status, 200);
  // Closed at the moment it is used: the request is sent once more, to the same model.
  model.plan({ first: [(socket) => socket.destroy()] });
  assert.equal((await chat()).json.choices[0].message.content, 'from first');
  assert.deepEqual(model.asked, ['first', 'first']);
  assert.notEqual(model.requests[0].connection, model.requests[1].connection);
});

claim('the trace of a valid traceparent goes on upstream under a span of its own; others begin one', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const sent = async (traceparent) => {
    model.plan({});
    await chat({}, { ...(traceparent && { traceparent }), tracestate: 'vendor=1' });
    assert.doesNotMatch(model.requests[0].head, /tracestate/i);
    return /^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\r$/im.exec(model.requests[0].head).slice(1);
  };
  for (const [version, flags, end] of [['00', '01', ''], ['00', '00', ''], ['cc', '03', '-more']]) {
    const [id, span, sampled] = await sent(`${version}-${trace}-00f067aa0ba902b7-${flags}${end}`);
    assert.equal(id, trace);
    assert.notEqual(span, '00f067aa0ba902b7');
    assert.equal(sampled, flags === '00' ? '00' : '01');
  }
  for (const bad of [undefined, `ff-${trace}-00f067aa0ba902b7-01`, `00-${trace}-0000000000000000-01`, `00-${trace.toUpperCase()}-00f067aa0ba902b7-01`, `00-${trace}-00f067aa0ba902b7-01-more`, `cc-${trace}-00f067aa0ba902b7-01more`])
    assert.notEqual((await sent(bad))[0], trace, bad);
});
