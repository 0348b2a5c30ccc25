// OpenAI's own client library, unmodified, as two tenants at once.
import assert from 'node:assert/strict';
import { OpenAI } from './support/openai.mjs';
import { World, claim } from './support/world.mjs';

const world = await World.create('openai');
const server = await world.tenancyd({ model: { provider: 'echo', name: 'parrot', echo_delay_ms: 5 } });

const clientOf = (apiKey) =>
  new OpenAI({ baseURL: `${server.url}/v1`, apiKey, maxRetries: 0, timeout: 20_000 });
const acme = clientOf(await world.token('acme', 'alice'));
const globex = clientOf(await world.token('globex', 'bob'));

const say = (content, more = {}) => ({
  model: 'gpt-of-the-client',
  messages: [{ role: 'user', content }],
  ...more,
});

async function streamed(client, request) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({ ...request, stream: true }))
    chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');

claim('a synchronous chat returns the answer, finish_reason stop and usage', async () => {
  const completion = await acme.chat.completions.create(say('twelve bytes'));
  assert.equal(completion.object, 'chat.completion');
  assert.match(completion.id, /^chatcmpl-[0-9a-f]{24}$/);
  assert.equal(completion.model, 'parrot', 'the model that ran, whatever the client called it');
  assert.equal(completion.choices.length, 1);
  assert.equal(completion.choices[0].finish_reason, 'stop');
  assert.deepEqual(completion.choices[0].message, { role: 'assistant', content: 'twelve bytes' });
  assert.deepEqual(completion.usage, { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 });
  assert.ok(Math.abs(completion.created - Date.now() / 1000) < 60);
});

claim(
  'a streamed chat returns the same in deltas, ended by finish_reason stop and the usage chunk',
  async () => {
    const text =
      'A text that is long enough to come in more than one piece, with \u00fcml\u00e4uts and \u{1f600}.';
    const chunks = await streamed(acme, say(text));
    assert.equal(textOf(chunks), text);
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1, 'one id for the whole stream');
    assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant' });
    const [finish, usage] = chunks.slice(-2);
    assert.equal(finish.choices[0].finish_reason, 'stop');
    assert.deepEqual(finish.choices[0].delta, {});
    assert.deepEqual(usage.choices, []);
    assert.equal(usage.usage.total_tokens, usage.usage.prompt_tokens + usage.usage.completion_tokens);
    assert.equal(usage.usage.completion_tokens, Math.ceil(Buffer.byteLength(text) / 4));
    assert.match(usage.trace_id, /^trace_[0-9a-f]{16}$/);
  },
);

claim(
  'two tenants chat at once, sync and streamed, under the same session id, and only get their own',
  async () => {
    const turn = async (client, name, index) => {
      const request = say(`${name} says ${index}`, { session_id: 'one-name-for-both' });
      const text =
        index % 2 === 0
          ? (await client.chat.completions.create(request)).choices[0].message.content
          : textOf(await streamed(client, request));
      assert.equal(text, `${name} says ${index}`);
    };
    const turns = [];
    for (let i = 0; i < 10; i++) turns.push(turn(acme, 'acme', i), turn(globex, 'globex', i));
    await Promise.all(turns);
    for (const [client, name, other] of [
      [acme, 'acme', 'globex'],
      [globex, 'globex', 'acme'],
    ]) {
      const session = await client.get('/sessions/one-name-for-both');
      assert.equal(session.messages.length, 20);
      assert.ok(session.messages.every((message) => message.content.startsWith(`${name} says`)));
      assert.ok(!JSON.stringify(await client.get('/traces')).includes(other));
    }
  },
);

claim(
  'content parts, system messages, tool results and sampling options of the client are accepted',
  async () => {
    const completion = await acme.chat.completions.create({
      model: 'gpt-of-the-client',
      temperature: 0.2,
      top_p: 0.9,
      seed: 7,
      max_tokens: 50,
      user: 'u1',
      n: 1,
      response_format: { type: 'text' },
      tools: [
        { type: 'function', function: { name: 'look_up', parameters: { type: 'object', properties: {} } } },
      ],
      tool_choice: 'auto',
      messages: [
        { role: 'system', content: 'Be a parrot.' },
        { role: 'user', content: 'first' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look_up', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'found' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'in ' },
            { type: 'text', text: 'parts' },
          ],
        },
      ],
    });
    assert.equal(completion.choices[0].message.content, 'in parts');
  },
);

claim('a forged token is an AuthenticationError with a WWW-Authenticate header', async () => {
  const client = clientOf(await world.issuer.otherKey('acme'));
  for (const request of [say('hello'), say('hello', { stream: true })]) {
    await assert.rejects(client.chat.completions.create(request), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.status, 401);
      assert.equal(error.code, 'invalid_token');
      assert.equal(error.type, 'authentication_error');
      assert.equal(error.headers['www-authenticate'], 'Bearer error="invalid_token"');
      return true;
    });
  }
});

claim('what the client gets wrong is an UnprocessableEntityError that names the place', async () => {
  await assert.rejects(acme.chat.completions.create({ model: 'm', messages: [] }), (error) => {
    assert.ok(error instanceof OpenAI.UnprocessableEntityError);
    assert.equal(error.status, 422);
    return true;
  });
});

claim('a tenant that is suspended is a PermissionDeniedError', async () => {
  await world.rows("SELECT tenancy.suspend_tenant('globex')");
  await assert.rejects(globex.chat.completions.create(say('hello')), (error) => {
    assert.ok(error instanceof OpenAI.PermissionDeniedError);
    assert.equal(error.code, 'tenant_suspended');
    return true;
  });
  await world.rows("SELECT tenancy.resume_tenant('globex')");
  assert.equal((await globex.chat.completions.create(say('back'))).choices[0].message.content, 'back');
});
