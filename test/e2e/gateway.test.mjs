// Other people's servers as the upstream: Portkey's gateway between two tenancyd, and a server that imitates
// OpenAI's. What they do on the wire was not written by us, nor for us.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after } from 'node:test';
import path from 'node:path';
import { createMockServer } from 'openai-mock-api';
import { OpenAI } from './support/openai.mjs';
import { Program, freePort } from './support/process.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send, until } from './support/wire.mjs';

const PATH = '/v1/chat/completions';
const LONG = 'This answer passes through a gateway of other people, piece by piece \u2713. '.repeat(3);
const SHORT = 'A few words, streamed \u2713';
const KEY = 'the-key-of-the-imitation';

const world = await World.create('gateway');
await world.rows("SELECT tenancy.add_tenant('provider', $1, 'provider')", world.issuer.url);
const key = await world.token('provider', 'service-account');
const acme = await world.token('acme', 'alice');

/** Portkey's gateway as a program of its own; the headers of a request tell it where the provider is. */
async function startGateway() {
  const port = await freePort();
  const script = fileURLToPath(import.meta.resolve('@portkey-ai/gateway/build/start-server.js'));
  const log = path.join(world.directory, 'gateway.log');
  const gateway = new Program([process.execPath, script, '--headless', `--port=${port}`], log, { isOurs: true });
  world.stoppers.push(() => gateway.stop('SIGKILL'));
  gateway.url = `http://127.0.0.1:${port}`;
  return gateway.ready(() => send(gateway.url, 'GET', '/').then(() => true, () => false));
}

/** The imitation: knows two conversations and refuses all others. */
async function startImitation() {
  const port = await freePort();
  const call = { name: 'get_weather', arguments: '{"location": "Krak\u00f3w"}' };
  const answers = [
    { id: 'greeting', messages: [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: SHORT }] },
    {
      id: 'weather',
      messages: [
        { role: 'user', content: 'weather', matcher: 'contains' },
        { role: 'assistant', tool_calls: [{ id: 'call_1', type: 'function', function: call }] },
      ],
    },
  ];
  const logFile = path.join(world.directory, 'imitation.log');
  const imitation = await createMockServer({ config: { apiKey: KEY, port, responses: answers }, port, logFile });
  await imitation.start();
  after(() => imitation.stop());
  return `http://127.0.0.1:${port}/v1`;
}

const far = await world.tenancyd({ model: { provider: 'echo', name: 'far-parrot', echo_delay_ms: 30 } });
const gateway = await startGateway();
const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${far.url}/v1` };
const behindGateway = (apiKey, more = {}) => ({
  model: {
    provider: 'openai',
    endpoint: `${gateway.url}/v1`,
    name: 'near-name',
    retries: 0,
    headers,
    api_key_file: world.secretFile(`key-${apiKey.length}`, `${apiKey}\n`),
    ...more,
  },
});
const near = await world.tenancyd(behindGateway(key));
const endpoint = await startImitation();
const behindImitation = (apiKey) => behindGateway(apiKey, { endpoint, headers: {} });
const imitated = await world.tenancyd(behindImitation(KEY));

const chat = (server, text, more) => send(server.url, 'POST', PATH, { token: acme, body: chatBody(text, more) });
const stream = (server, text, more) =>
  openStream(server.url, PATH, { token: acme, body: chatBody(text, { stream: true, ...more }) });
const usageOf = async (answer) =>
  (
    await world.rows(
      `SELECT input_tokens::int AS input, output_tokens::int AS output, requests, estimated FROM agent.usage
       WHERE tenant_id = 'acme' AND trace_id = $1`,
      answer.headers['x-trace-id'],
    )
  )[0];
const tokensOf = (text) => Math.ceil(Buffer.byteLength(text) / 4);

claim('behind a gateway: answers and streams with the usage that the provider counted', async () => {
  const counted = { input: tokensOf(LONG), output: tokensOf(LONG), requests: 1, estimated: false };
  const answer = await chat(near, LONG);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.choices[0].message.content, LONG);
  assert.equal(answer.json.choices[0].finish_reason, 'stop');
  assert.deepEqual(await usageOf(answer), counted);
  const streamed = await stream(near, LONG, { stream_options: { include_usage: true } });
  const frames = await streamed.all();
  assert.equal(contentOf(frames), LONG);
  assert.equal(frames.at(-1).data, '[DONE]');
  assert.equal(frames.at(-2).json.usage.completion_tokens, counted.output);
  assert.deepEqual(await usageOf(streamed), counted);
});

claim('behind a gateway: a key that is refused, a rate that is used up, a gateway that is told nonsense', async () => {
  const stranger = await world.tenancyd(behindGateway(`${key.slice(0, -8)}AAAAAAAAA`));
  const lost = await world.tenancyd(behindGateway(key, { headers: { 'x-portkey-provider': 'nobody' } }));
  await world.rows("SELECT tenancy.set_rate_limit('provider', 1, burst => 1)");
  await chat(near, 'the only one');
  const answers = [await chat(stranger, 'hi'), await chat(lost, 'hi'), await chat(near, 'hi')];
  await world.rows("SELECT tenancy.set_rate_limit('provider')");
  for (const answer of answers) {
    assert.deepEqual([answer.status, answer.json.error.code], [502, 'upstream_failed'], answer.text);
    assert.doesNotMatch(answer.text, /portkey|invalid_token|rate/i, 'not a word of what is behind');
    assert.deepEqual(await usageOf(answer), { input: 0, output: 0, requests: 0, estimated: false });
  }
  const events = [stranger, lost, near].map((server) => server.log().match(/answered with status (\d+)/)?.[1]);
  assert.deepEqual(events, ['401', '400', '429']);
  assert.equal((await chat(near, 'again')).status, 200);
});

// The gateway reads on from its provider; that a provider is let go at once is shown in upstream.test.mjs.
claim('behind a gateway: a client that hangs up ends its turn, which costs what had come', async () => {
  const answer = await stream(near, LONG.repeat(4));
  let seen = 0;
  try {
    for await (const _ of answer.frames()) if (++seen === 3) answer.hangUp();
  } catch (error) {
    assert.equal(error.code, 'ECONNRESET');
  }
  const open = "SELECT count(*)::int FROM agent.turns WHERE status = 'open'";
  await until('no turn is open', async () => (await world.value(open)) === 0);
  const status = "SELECT status FROM agent.turns WHERE tenant_id = 'acme' ORDER BY started_at DESC LIMIT 1";
  assert.equal(await world.value(status), 'aborted');
  const usage = await usageOf(answer);
  assert.ok(usage.output > 0 && usage.output < tokensOf(LONG.repeat(4)), JSON.stringify(usage));
});

claim('an imitation that streams as text/plain and counts nothing: the answer is there, its usage estimated', async () => {
  const answer = await chat(imitated, 'Hello');
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.choices[0].message.content, SHORT);
  const usage = await usageOf(answer);
  assert.ok(usage.estimated && usage.output > 0 && usage.input > 0, JSON.stringify(usage));
  const frames = await (await stream(imitated, 'Hello')).all();
  assert.equal(contentOf(frames), SHORT);
  assert.equal(frames.at(-1).data, '[DONE]');
});

claim("the call of a tool comes from the imitation to OpenAI's client as it was made", async () => {
  const client = new OpenAI({ baseURL: `${imitated.url}/v1`, apiKey: acme, maxRetries: 0 });
  const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } }];
  const question = { model: 'm', tools, messages: [{ role: 'user', content: 'What is the weather like?' }] };
  const { message } = (await client.chat.completions.create(question)).choices[0];
  const [made] = message.tool_calls;
  assert.deepEqual(
    [made.id, made.type, made.function.name, JSON.parse(made.function.arguments)],
    ['call_1', 'function', 'get_weather', { location: 'Krak\u00f3w' }],
  );
  const deltas = [];
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true }))
    deltas.push(...(chunk.choices[0]?.delta?.tool_calls ?? []));
  assert.deepEqual(
    deltas.map((delta) => [delta.id, delta.function.name, delta.function.arguments]),
    [['call_1', 'get_weather', made.function.arguments]],
  );
});

claim('the imitation refuses a key and a conversation that it does not know: 502, not tried again', async () => {
  const stranger = await world.tenancyd(behindImitation('another-key'));
  for (const answer of [await chat(stranger, 'Hello'), await chat(imitated, 'Who are you?')]) {
    assert.deepEqual([answer.status, answer.json.error.code], [502, 'upstream_failed'], answer.text);
    assert.deepEqual(await usageOf(answer), { input: 0, output: 0, requests: 0, estimated: false });
  }
  assert.match(stranger.log(), /answered with status 401/);
  assert.match(imitated.log(), /answered with status 400/);
});
