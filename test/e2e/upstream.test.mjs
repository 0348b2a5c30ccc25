// An OpenAI-compatible upstream: one tenancyd, as a client with a key, in front of another one that
// serves the API. What is between them is tapped.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { OpenAI } from './support/openai.mjs';
import { Tap } from './support/tap.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send, until } from './support/wire.mjs';

const PIECE_MS = 80;
const LONG = 'This answer comes in twelve-byte pieces, one after the other, for about a second.';

const world = await World.create('upstream');
await world.rows("SELECT tenancy.add_tenant('provider', $1, 'provider')", world.issuer.url);
const key = await world.token('provider', 'service-account');
const far = await world.tenancyd({
  model: { provider: 'echo', name: 'far-parrot', echo_delay_ms: PIECE_MS },
});
const tap = await Tap.start(far.url);
after(() => tap.close());
const near = await world.tenancyd({
  model: {
    provider: 'openai',
    endpoint: `${tap.url}/v1`,
    name: 'near-name',
    temperature: 0.5,
    max_tokens: 77,
    api_key_file: world.secretFile('upstream.key', `${key}\n`),
  },
});
const acme = await world.token('acme', 'alice');

const PATH = '/v1/chat/completions';
const chat = (text, more, headers) =>
  send(near.url, 'POST', PATH, { token: acme, headers, body: chatBody(text, more) });
const stream = (text, more) =>
  openStream(near.url, PATH, { token: acme, body: chatBody(text, { stream: true, ...more }) });
const traceOf = async (id) => (await send(near.url, 'GET', `/v1/traces/${id}`, { token: acme })).json;
const usageOf = (traceId) =>
  world.rows(
    "SELECT model, input_tokens::int AS input, output_tokens::int AS output, requests, estimated FROM agent.usage WHERE tenant_id = 'acme' AND trace_id = $1",
    traceId,
  );

claim('a synchronous answer of the upstream comes back with its usage, which is recorded', async () => {
  const answer = await chat('twelve bytes');
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.choices[0].message, { role: 'assistant', content: 'twelve bytes' });
  assert.equal(answer.json.choices[0].finish_reason, 'stop');
  assert.deepEqual(answer.json.usage, { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 });
  assert.deepEqual(await usageOf(answer.headers['x-trace-id']), [
    { model: 'near-name', input: 3, output: 3, requests: 1, estimated: false },
  ]);
  const fars = "SELECT subject, model FROM agent.usage WHERE tenant_id = 'provider'";
  assert.deepEqual(await world.rows(fars), [{ subject: 'service-account', model: 'far-parrot' }]);
});

claim("the upstream gets the configured key and never the client's token", async () => {
  assert.ok(tap.sent.includes(`Authorization: Bearer ${key}\r\n`));
  for (let i = 0; i + 16 <= acme.split('.')[2].length; i += 8)
    assert.ok(!tap.sent.includes(acme.split('.')[2].slice(i, i + 16)));
  assert.equal(tap.sent.match(/^authorization:/gim).length, 1);
});

claim("request id and traceparent go upstream; nothing else of the client's headers does", async () => {
  tap.sent = '';
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const headers = {
    'X-Request-ID': 'request-17',
    traceparent,
    'X-Tenant': 'acme',
    Cookie: 'c=1',
    'X-Anything': 'a',
  };
  assert.equal((await chat('hi', {}, headers)).status, 200);
  assert.match(tap.sent, /^X-Request-ID: request-17\r$/im);
  assert.match(tap.sent, /^traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01\r$/im);
  assert.doesNotMatch(tap.sent, /^(x-tenant|cookie|x-anything)/im);
});

claim('the model is the configured one; sampling options and tools of the client pass through', async () => {
  const client = new OpenAI({ baseURL: `${near.url}/v1`, apiKey: acme, maxRetries: 0 });
  const tools = [
    {
      type: 'function',
      function: { name: 'look_up', parameters: { type: 'object', properties: { q: { type: 'string' } } } },
    },
  ];
  const options = {
    temperature: 0.1,
    top_p: 0.3,
    seed: 11,
    stop: ['END'],
    tools,
    tool_choice: 'auto',
    response_format: { type: 'text' },
  };
  tap.sent = '';
  await client.chat.completions.create({
    model: 'a-label',
    user: 'hidden',
    ...options,
    messages: [{ role: 'user', content: 'hi' }],
  });
  const { model, max_tokens: maxTokens, messages, ...rest } = tap.lastBody();
  assert.deepEqual([model, maxTokens, messages], ['near-name', 77, [{ role: 'user', content: 'hi' }]]);
  assert.deepEqual(rest, { ...options, stream: true, stream_options: { include_usage: true } });
});

claim('session history goes upstream in front of the new message', async () => {
  await chat('first', { session_id: 'told' });
  tap.sent = '';
  await chat('second', { session_id: 'told' });
  assert.deepEqual(
    tap.lastBody().messages.map((message) => [message.role, message.content]),
    [
      ['user', 'first'],
      ['assistant', 'first'],
      ['user', 'second'],
    ],
  );
  assert.equal(tap.lastBody().session_id, undefined);
});

claim('frames reach the client while the upstream is still working', async () => {
  const frames = await (await stream(LONG)).all();
  assert.equal(contentOf(frames), LONG);
  const times = frames.filter(({ json }) => json?.choices?.[0]?.delta.content).map(({ at }) => at);
  const pieces = Math.ceil(LONG.length / 12);
  assert.equal(times.length, pieces);
  const expected = (pieces - 1) * PIECE_MS;
  assert.ok(times.at(-1) - times[0] > 0.7 * expected, `all content within ${times.at(-1) - times[0]} ms`);
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  assert.ok(Math.max(...gaps) < 0.6 * expected, 'not in one lump');
});

claim(
  'an upstream that is down is 502, and the turn is on record as an error that cost nothing',
  async () => {
    await tap.close();
    try {
      for (const more of [{}, { stream: true }]) {
        const answer = await chat('anybody?', { session_id: 'told-to-nobody', ...more });
        assert.equal(answer.status, 502, answer.text);
        assert.equal(answer.json.error.code, 'upstream_failed');
        assert.equal(answer.json.detail, answer.json.error.message);
        const trace = await traceOf(answer.headers['x-trace-id']);
        assert.equal(trace.status, 'error');
        assert.equal(trace.spans[0].events[0].name, 'error');
        assert.deepEqual(await usageOf(trace.trace_id), [
          { model: 'near-name', input: 0, output: 0, requests: 0, estimated: false },
        ]);
      }
    } finally {
      await tap.listen();
    }
    const session = await send(near.url, 'GET', '/v1/sessions/told-to-nobody', { token: acme });
    assert.deepEqual(
      session.json.messages,
      [],
      'a question without an answer is not part of the conversation',
    );
    assert.equal((await chat('back again')).status, 200, 'and the next turn works');
  },
);

claim('an upstream that refuses the key is 502; its words do not reach the client', async () => {
  await world.rows("SELECT tenancy.suspend_tenant('provider')");
  const answer = await chat('hello');
  await world.rows("SELECT tenancy.resume_tenant('provider')");
  assert.equal(answer.status, 502);
  assert.doesNotMatch(answer.text, /suspended/);
  assert.equal(answer.headers['www-authenticate'], undefined);
});

claim(
  'an upstream lost in mid-stream ends the stream with an error event, and what came is recorded',
  async () => {
    const answer = await stream(LONG, { session_id: 'torn' });
    const frames = [];
    for await (const { data } of answer.frames()) {
      frames.push(data);
      if (frames.length === 4) tap.cut();
    }
    assert.equal(answer.status, 200);
    const [error, done] = frames.slice(-2);
    assert.equal(done, '[DONE]');
    assert.equal(JSON.parse(error).error.code, 'upstream_failed');
    assert.ok(!frames.some((data) => data.includes('"finish_reason": "stop"')));
    const trace = await traceOf(answer.headers['x-trace-id']);
    assert.equal(trace.status, 'error');
    const [usage] = await usageOf(trace.trace_id);
    assert.ok(usage.output > 0 && usage.output < LONG.length / 4 && usage.estimated);
  },
);

claim(
  'a client that hangs up in mid-stream leaves an aborted trace and usage, and the upstream is let go',
  async () => {
    const answer = await stream(LONG, { session_id: 'left' });
    let seen = 0;
    try {
      for await (const _ of answer.frames()) if (++seen === 3) answer.hangUp();
    } catch (error) {
      assert.equal(error.code, 'ECONNRESET');
    }
    const traceId = answer.headers['x-trace-id'];
    const trace = await until(
      'the turn has ended',
      async () => {
        const found = await traceOf(traceId);
        return found.status !== 'open' && found;
      },
      5000,
    );
    assert.equal(trace.status, 'aborted');
    const [usage] = await usageOf(traceId);
    assert.ok(
      usage.requests === 1 && usage.output > 0 && usage.output < LONG.length / 4,
      JSON.stringify(usage),
    );
    const audit = await world.rows(
      "SELECT outcome, reason FROM agent.audit_log WHERE tenant_id = 'acme' AND trace_id = $1",
      traceId,
    );
    assert.deepEqual(audit, [{ outcome: 'allow', reason: 'aborted' }]);
    const open = "SELECT count(*)::int FROM agent.turns WHERE status = 'open'";
    await until('the upstream has ended its turn, too', async () => (await world.value(open)) === 0);
    const fars =
      "SELECT status FROM agent.turns WHERE tenant_id = 'provider' ORDER BY started_at DESC LIMIT 1";
    assert.equal(await world.value(fars), 'aborted');
  },
);

claim('a client that hangs up while it waits for a synchronous answer leaves an aborted trace', async () => {
  const before = await world.value(
    "SELECT count(*)::int FROM agent.traces WHERE tenant_id = 'acme' AND status = 'aborted'",
  );
  const controller = new AbortController();
  const client = new OpenAI({ baseURL: `${near.url}/v1`, apiKey: acme, maxRetries: 0 });
  const request = client.chat.completions.create(
    { model: 'm', messages: [{ role: 'user', content: LONG }] },
    { signal: controller.signal },
  );
  await until('the turn has begun', () =>
    world.value("SELECT count(*)::int FROM agent.turns WHERE tenant_id = 'acme' AND status = 'open'"),
  );
  controller.abort();
  await assert.rejects(request, OpenAI.APIUserAbortError);
  const sql = "SELECT count(*)::int FROM agent.traces WHERE tenant_id = 'acme' AND status = 'aborted'";
  await until('the turn has ended', async () => (await world.value(sql)) === before + 1, 5000);
});

claim('a turn whose token expires while the model works is still recorded', async () => {
  const text = LONG.repeat(5);
  const token = await world.token('acme', 'alice', { exp: Math.floor(Date.now() / 1000) - 28 }); // leeway: 30 s
  const answer = await openStream(near.url, PATH, { token, body: chatBody(text, { stream: true }) });
  assert.equal(answer.status, 200, 'the token is within the leeway');
  const frames = await answer.all();
  assert.equal((await send(near.url, 'GET', '/v1/traces', { token })).status, 401, 'and now it is not');
  assert.equal(frames.at(-2).json.usage.completion_tokens, Math.ceil(text.length / 4));
  assert.equal((await traceOf(answer.headers['x-trace-id'])).status, 'ok');
});
