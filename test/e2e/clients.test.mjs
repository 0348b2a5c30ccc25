// The clients that people have: OpenAI's library with tools and reasoning, curl, a reader of server-sent events,
// and SQL alone. The model is another tenancyd behind a tap, so that what goes upstream is seen.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { createParser } from 'eventsource-parser';
import pg from 'pg';
import { OpenAI } from './support/openai.mjs';
import { Tap } from './support/tap.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { openStream, send } from './support/wire.mjs';

const world = await World.create('clients');
await world.rows("SELECT tenancy.add_tenant('provider', $1, 'provider')", world.issuer.url);
const far = await world.tenancyd({ model: { provider: 'echo', name: 'far' } });
const tap = await Tap.start(far.url);
after(() => tap.close());
const server = await world.tenancyd({
  model: {
    provider: 'openai',
    endpoint: `${tap.url}/v1`,
    name: 'near',
    api_key_file: world.secretFile('key', await world.token('provider', 'service')),
  },
});
const token = await world.token('acme', 'alice');
const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: token, maxRetries: 0, timeout: 20_000 });

const tools = ['look_up', 'write_down'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { text: { type: 'string' } } } },
}));
const ask = (content, more = {}) => ({ model: 'any', messages: [{ role: 'user', content }], tools, ...more });
const choose = (name) => ({ tool_choice: { type: 'function', function: { name } } });

claim('openai: a tool is called, its result goes back, and all of it is stored and sent on as it was', async () => {
  const session = { session_id: 'tools' };
  const question = ask('weather in "K\u00f6ln"?', { ...choose('look_up'), ...session });
  const called = (await client.chat.completions.create(question)).choices[0];
  assert.equal(called.finish_reason, 'tool_calls');
  assert.equal(called.message.content, null);
  const [{ id, type, function: used }] = called.message.tool_calls;
  assert.deepEqual([type, used.name, JSON.parse(used.arguments)], ['function', 'look_up', { text: 'weather in "K\u00f6ln"?' }]);
  const result = { role: 'tool', tool_call_id: id, content: '{"degrees": 21.50}' };
  const final = await client.chat.completions.create({ model: 'any', messages: [result], tools, ...session });
  assert.equal(final.choices[0].finish_reason, 'stop');
  const conversation = [question.messages[0], called.message, result];
  assert.deepEqual(tap.lastBody().messages, conversation);
  assert.deepEqual(tap.lastBody().tools, tools);
  assert.deepEqual((await client.get('/sessions/tools')).messages, [...conversation, final.choices[0].message]);
});

claim('openai: its own stream reader puts tool calls and reasoning together', async () => {
  const stream = client.beta.chat.completions.stream(
    ask('in several pieces, please', { ...choose('write_down'), reasoning_effort: 'low', stream_options: { include_usage: true } }),
  );
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const { choices } = await stream.finalChatCompletion();
  assert.equal(choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(choices[0].message.tool_calls[0].function.arguments), { text: 'in several pieces, please' });
  const deltas = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta));
  assert.equal(deltas.map((delta) => delta.reasoning_content ?? '').join(''), 'in several pieces, please');
  const calls = deltas.flatMap((delta) => delta.tool_calls ?? []);
  assert.deepEqual(calls[0], { index: 0, id: 'call_echo', type: 'function', function: { name: 'write_down', arguments: '' } });
  assert.ok(calls.length > 2 && calls.slice(1).every((call) => !('id' in call)));
  const { stream_metrics: metrics, trace_id: trace } = chunks.at(-1);
  assert.ok(metrics.time_to_first_reasoning >= 0 && metrics.total_time >= metrics.time_to_first_reasoning);
  assert.deepEqual([metrics.time_to_first_content, metrics.model_calls, metrics.tool_calls], [null, 1, 1]);
  assert.equal((await client.get(`/traces/${trace}`)).tool_calls, 1);
});

claim('openai: images and other content parts are stored and sent on unchanged', async () => {
  const content = [
    { type: 'text', text: 'what is on it? \u{1f600}' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0KGgo='.repeat(50)}`, detail: 'low' } },
    { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
  ];
  const request = { model: 'any', messages: [{ role: 'user', name: 'alice', content }], session_id: 'images' };
  assert.equal((await client.chat.completions.create(request)).choices[0].message.content, content[0].text);
  assert.deepEqual(tap.lastBody().messages, request.messages);
  assert.deepEqual((await client.get('/sessions/images')).messages[0], request.messages[0]);
});

claim('openai: each refusal is the error of its class, with the field where there is one', async () => {
  for (const [request, type, status] of [
    [() => client.get('/sessions/nothing'), OpenAI.NotFoundError, 404],
    [() => client.post('/sessions', { body: { session_id: 'tools' } }), OpenAI.ConflictError, 409],
    [() => client.chat.completions.create(ask('x', { stop: 7 })), OpenAI.UnprocessableEntityError, 422],
    [() => client.chat.completions.create(ask('x', { stream: true, temperature: 'hot' })), OpenAI.UnprocessableEntityError, 422],
  ])
    await assert.rejects(request(), (error) => error instanceof type && error.status === status);
  await assert.rejects(client.chat.completions.create(ask('x', { stop: 7 })), { param: 'stop', code: 'invalid_request' });
});

claim('openai: a 503 is tried again after the time it names, and then answered', async () => {
  const seen = [];
  const impatient = await world.tenancyd({ model: { provider: 'echo', echo_delay_ms: 250 }, server: { limits: { max_turns: 1 } } });
  const retrying = new OpenAI({
    baseURL: `${impatient.url}/v1`, apiKey: token, maxRetries: 5,
    fetch: async (...request) => {
      const answer = await fetch(...request);
      seen.push(answer.status);
      return answer;
    },
  });
  const answers = await Promise.all([1, 2].map((n) => retrying.chat.completions.create(ask(`turn ${n}`, { tools: undefined }))));
  assert.deepEqual(answers.map((answer) => answer.choices[0].message.content), ['turn 1', 'turn 2']);
  assert.ok(seen.includes(503) && seen.filter((status) => status === 200).length === 2, `${seen}`);
});

claim('curl: a chat, a stream that is not buffered, HEAD, and an error status that fails', async () => {
  const curl = async (...args) =>
    (await promisify(execFile)('curl', ['-sS', '-m', '20', '-H', `Authorization: Bearer ${token}`, ...args])).stdout;
  const json = ['-H', 'Content-Type: application/json', '-d'];
  const chat = `${server.url}/v1/chat/completions`;
  assert.equal(JSON.parse(await curl(chat, ...json, JSON.stringify(chatBody('from curl')))).choices[0].message.content, 'from curl');
  const text = await curl('-N', chat, ...json, JSON.stringify(chatBody('in a stream', { stream: true })));
  assert.match(text, /^data: \{.*\n\n(data: \{.*\n\n)+data: \[DONE\]\n\n$/);
  assert.match(await curl('-I', `${server.url}/v1/sessions/tools/`), /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(await curl('-I', `${server.url}/v1/sessions/none`), /^HTTP\/1\.1 404 /);
  assert.equal(await curl('-X', 'PUT', `${server.url}/v1/sessions/by-curl`, ...json, '{"messages":[]}'), '{"saved": true, "session_id": "by-curl"}');
  await assert.rejects(curl('--fail', `${server.url}/v1/sessions/none`), { code: 22 });
});

claim('a reader of server-sent events gets every frame as a message without id or name', async () => {
  const events = [];
  const parser = createParser({ onEvent: (event) => events.push(event), onError: (error) => events.push(error) });
  const stream = await openStream(server.url, '/v1/chat/completions', { token, body: chatBody('one, two\n\ndata: three', { stream: true }) });
  stream.response.setEncoding('utf8');
  for await (const piece of stream.response) for (const character of piece) parser.feed(character);
  assert.ok(events.every(({ event, id }) => event === undefined && id === undefined));
  assert.equal(events.pop().data, '[DONE]');
  const content = events.map(({ data }) => JSON.parse(data).choices[0]?.delta.content ?? '').join('');
  assert.equal(content, 'one, two\n\ndata: three');
});

claim('SQL alone: the statements of the documentation, as the application role', async () => {
  const docs = readFileSync(new URL('../../docs/http-reference.md', import.meta.url), 'utf8');
  const statements = docs.match(/```sql\n([^]*?)```/)[1].trim().split(';\n').map((sql) => sql.replace(/;$/, ''));
  const database = new pg.Client({ connectionString: world.databaseUrl() });
  await database.connect();
  const run = (sql) => database.query(sql.replaceAll(":'token'", `'${token}'`));
  const answers = [];
  for (const sql of statements.slice(0, -1)) answers.push((await run(sql)).rows[0]);
  const failure = await run(statements.at(-1)).catch((error) => error);
  await database.end();
  assert.deepEqual(answers.map(({ status }) => status), [201, 200, 200]);
  assert.deepEqual(answers[2].body, { session_id: 'from-sql', messages: [{ role: 'user', content: 'hi' }] });
  assert.deepEqual([failure.code, JSON.parse(failure.detail).code], ['PT401', 'invalid_token']);
  const { json } = await send(server.url, 'GET', '/v1/sessions/from-sql', { token });
  assert.deepEqual(json, answers[2].body, 'what SQL wrote is there over HTTP');
});
