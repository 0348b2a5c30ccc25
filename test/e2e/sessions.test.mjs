// The wire shapes of sessions: create, read, delete, usage, fork, revert.
import assert from 'node:assert/strict';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('sessions');
const server = await world.tenancyd({ model: { provider: 'echo', name: 'parrot' } });
const token = await world.token('acme', 'alice');

const call = (method, path, body) => send(server.url, method, path, { token, body });
const chat = (text, id) => call('POST', '/v1/chat/completions', chatBody(text, { session_id: id }));
const contents = async (id) =>
  (await call('GET', `/v1/sessions/${id}`)).json.messages.map((message) => message.content);

/** Status and parsed body of an answer; the body is undefined when there is none. */
const shape = ({ status, text }) => [status, text === '' ? undefined : JSON.parse(text)];

claim('a session is created with a generated id, with or without a body', async () => {
  for (const body of [undefined, '', {}, { session_id: null }, { other: 1 }]) {
    const answer = await call('POST', '/v1/sessions', body);
    assert.equal(answer.status, 201, answer.text);
    assert.deepEqual(Object.keys(answer.json), ['session_id']);
    assert.match(answer.json.session_id, /^sess_[0-9a-f]{16}$/);
    assert.equal(answer.headers['content-type'], 'application/json');
  }
});

claim("a session is created with the client's id once; the second time is 409", async () => {
  assert.deepEqual(shape(await call('POST', '/v1/sessions', { session_id: 'mine-1_A' })), [
    201,
    { session_id: 'mine-1_A' },
  ]);
  assert.deepEqual(shape(await call('POST', '/v1/sessions', { session_id: 'mine-1_A' })), [
    409,
    { detail: 'Session mine-1_A already exists' },
  ]);
});

claim('a bad session id is 422 that names place, rule and input', async () => {
  for (const [input, type] of [
    ['with space', 'string_pattern_mismatch'],
    ['', 'string_pattern_mismatch'],
    ['x'.repeat(129), 'string_pattern_mismatch'],
    [7, 'string_type'],
    [['a'], 'string_type'],
  ]) {
    const answer = await call('POST', '/v1/sessions', { session_id: input });
    assert.equal(answer.status, 422, answer.text);
    const [item] = answer.json.detail;
    assert.equal(item.type, type);
    assert.deepEqual(item.loc, ['body', 'session_id']);
    assert.deepEqual(item.input, input);
    assert.equal(typeof item.msg, 'string');
  }
});

claim('a session is read, deleted, and then unknown', async () => {
  await chat('hello', 'short-lived');
  assert.deepEqual(shape(await call('GET', '/v1/sessions/short-lived')), [
    200,
    {
      session_id: 'short-lived',
      messages: [
        { role: 'user', content: 'hello' },
        { role: 'assistant', content: 'hello' },
      ],
    },
  ]);
  assert.deepEqual(shape(await call('DELETE', '/v1/sessions/short-lived')), [200, { deleted: true }]);
  const gone = [404, { detail: 'Session short-lived not found' }];
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['GET', '/usage'],
    ['POST', '/fork'],
  ])
    assert.deepEqual(shape(await call(method, `/v1/sessions/short-lived${path}`)), gone);
  const revert = await call('POST', '/v1/sessions/short-lived/revert', { to_message_index: 0 });
  assert.deepEqual(shape(revert), gone);
});

claim('usage sums the turns of the session', async () => {
  await chat('12345678', 'counted'); // 2 tokens in, 2 out
  await chat('1234', 'counted'); // history 16 bytes + 4 = 5 in, 1 out
  assert.deepEqual(shape(await call('GET', '/v1/sessions/counted/usage')), [
    200,
    {
      session_id: 'counted',
      model: 'parrot',
      input_tokens: 7,
      output_tokens: 3,
      cached_tokens: 0,
      turn_count: 2,
      cost_usd: 0,
      pricing: { input_per_1k: 0, output_per_1k: 0, cached_input_per_1k: null, per_request: 0 },
    },
  ]);
  await call('POST', '/v1/sessions', { session_id: 'unused' });
  const { model, turn_count: turns } = (await call('GET', '/v1/sessions/unused/usage')).json;
  assert.deepEqual([model, turns], [null, 0]);
});

claim('a fork copies all messages, or the first so many, and leaves the parent alone', async () => {
  await chat('one', 'parent');
  await chat('two', 'parent');
  for (const [body, count, messages] of [
    [undefined, 4, ['one', 'one', 'two', 'two']],
    [{ from_message_index: null }, 4, ['one', 'one', 'two', 'two']],
    [{ from_message_index: 2 }, 2, ['one', 'one']],
    [{ from_message_index: 0 }, 0, []],
  ]) {
    const answer = await call('POST', '/v1/sessions/parent/fork', body);
    const { session_id: id, ...rest } = answer.json;
    assert.equal(answer.status, 201);
    assert.match(id, /^sess_[0-9a-f]{16}$/);
    assert.deepEqual(rest, { parent_session_id: 'parent', message_count: count });
    assert.deepEqual(await contents(id), messages);
    await chat('on its own', id);
    assert.equal((await contents(id)).length, count + 2);
  }
  assert.equal((await contents('parent')).length, 4);
});

claim('a fork out of range is 400 and says how many messages there are', async () => {
  for (const index of [99, 5, -1])
    assert.deepEqual(shape(await call('POST', '/v1/sessions/parent/fork', { from_message_index: index })), [
      400,
      { detail: `from_message_index ${index} out of range (session has 4 messages)` },
    ]);
  assert.equal((await call('POST', '/v1/sessions/parent/fork', { from_message_index: 'x' })).status, 422);
});

claim('a revert keeps the first so many messages and answers 204 without a body', async () => {
  await chat('one', 'reverted');
  await chat('two', 'reverted');
  const answer = await call('POST', '/v1/sessions/reverted/revert', { to_message_index: 2 });
  assert.deepEqual(shape(answer), [204, undefined]);
  assert.equal(answer.headers['content-type'], undefined);
  assert.deepEqual(await contents('reverted'), ['one', 'one']);
  await chat('again', 'reverted');
  assert.deepEqual(await contents('reverted'), ['one', 'one', 'again', 'again']);
  assert.equal(
    (await call('POST', '/v1/sessions/reverted/revert', { to_message_index: 4 })).status,
    204,
    'the end is in range',
  );
  assert.equal((await call('POST', '/v1/sessions/reverted/revert', { to_message_index: 0 })).status, 204);
  assert.deepEqual(await contents('reverted'), []);
  assert.equal(
    (await call('GET', '/v1/sessions/reverted/usage')).json.turn_count,
    3,
    'what was used stays counted',
  );
});

claim('a revert out of range is 400, without an index or with a negative one 422', async () => {
  assert.deepEqual(shape(await call('POST', '/v1/sessions/parent/revert', { to_message_index: 99 })), [
    400,
    { detail: 'to_message_index 99 out of range (session has 4 messages)' },
  ]);
  for (const [body, type] of [
    [{}, 'missing'],
    [undefined, 'missing'],
    [{ to_message_index: -1 }, 'greater_than_equal'],
    [{ to_message_index: 1.5 }, 'int_type'],
    [{ to_message_index: 'x' }, 'int_parsing'],
    [{ to_message_index: true }, 'int_type'],
  ]) {
    const answer = await call('POST', '/v1/sessions/parent/revert', body);
    assert.equal(answer.status, 422, answer.text);
    assert.deepEqual(
      [answer.json.detail[0].type, answer.json.detail[0].loc],
      [type, ['body', 'to_message_index']],
    );
  }
  assert.equal((await contents('parent')).length, 4);
});

claim('every create, delete, fork, revert and refusal is in the audit log with its request id', async () => {
  const headers = { 'X-Request-ID': 'look-for-me' };
  const path = '/v1/sessions/audited';
  await send(server.url, 'POST', '/v1/sessions', { token, headers, body: { session_id: 'audited' } });
  await send(server.url, 'POST', `${path}/fork`, { token, headers });
  await send(server.url, 'POST', `${path}/revert`, { token, headers, body: { to_message_index: 0 } });
  await send(server.url, 'POST', `${path}/revert`, { token, headers, body: { to_message_index: 1 } });
  await send(server.url, 'DELETE', path, { token, headers });
  await send(server.url, 'GET', path, { token, headers });
  const rows = (await call('GET', '/v1/audit')).json
    .filter((row) => row.request_id === 'look-for-me')
    .reverse();
  const expected = [
    ['session.create', 'allow', null],
    ['session.fork', 'allow', null],
    ['session.revert', 'allow', null],
    ['session.revert', 'deny', 400],
    ['session.delete', 'allow', null],
    ['session.read', 'deny', 404],
  ];
  assert.deepEqual(
    rows.map((row) => [row.action, row.outcome, row.status]),
    expected,
  );
  assert.ok(rows.every((row) => row.actor === 'alice' && row.issuer === world.issuer.url));
});
