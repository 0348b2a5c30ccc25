// Fifty turns at once on one session: nothing is lost, nothing is recorded twice, and another tenant's
// session of the same name is not touched.
import assert from 'node:assert/strict';
import { World, chatBody, claim } from './support/world.mjs';
import { contentOf, openStream, send } from './support/wire.mjs';

const TURNS = 50;
const SESSION = 'crowded';

const world = await World.create('parallel');
const server = await world.tenancyd({ model: { provider: 'echo', echo_delay_ms: 10 } });
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

async function turn(token, text, stream) {
  const body = chatBody(text, { session_id: SESSION, stream });
  if (!stream) {
    const answer = await send(server.url, 'POST', '/v1/chat/completions', { token, body });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.choices[0].message.content, text);
    return answer.headers['x-trace-id'];
  }
  const answer = await openStream(server.url, '/v1/chat/completions', { token, body });
  assert.equal(answer.status, 200);
  const frames = await answer.all();
  assert.equal(contentOf(frames), text);
  assert.equal(frames.at(-1).data, '[DONE]');
  return answer.headers['x-trace-id'];
}

async function sessionOf(token) {
  return (await send(server.url, 'GET', `/v1/sessions/${SESSION}`, { token })).json.messages;
}

const traceIds = new Set();

claim(`${TURNS} parallel turns on one session, half of them streamed, all come back right`, async () => {
  const turns = Array.from({ length: TURNS }, (_, i) => turn(acme, `acme ${i}`, i % 2 === 1));
  const others = Array.from({ length: 4 }, (_, i) => turn(globex, `globex ${i}`, i % 2 === 1));
  for (const id of await Promise.all(turns)) traceIds.add(id);
  await Promise.all(others);
  assert.equal(traceIds.size, TURNS, 'each turn has a trace of its own');
});

claim('the session holds every message once, each question followed by its answer', async () => {
  const messages = await sessionOf(acme);
  assert.equal(messages.length, 2 * TURNS);
  const asked = new Set();
  for (let i = 0; i < messages.length; i += 2) {
    assert.deepEqual([messages[i].role, messages[i + 1].role], ['user', 'assistant']);
    assert.equal(messages[i + 1].content, messages[i].content);
    asked.add(messages[i].content);
  }
  assert.equal(asked.size, TURNS);
});

claim('their numbers in the database are 0, 1, 2 ... without a gap', async () => {
  const sql = `SELECT count(*)::int AS count, min(seq)::int AS first, max(seq)::int AS last, count(DISTINCT turn_id)::int AS turns
               FROM agent.messages WHERE tenant_id = 'acme' AND session_id = $1`;
  assert.deepEqual(await world.rows(sql, SESSION), [
    { count: 2 * TURNS, first: 0, last: 2 * TURNS - 1, turns: TURNS },
  ]);
});

claim('there is one usage row, one ended trace and one audit row for each turn', async () => {
  const count = (sql) => world.value(`SELECT count(*)::int FROM ${sql}`);
  assert.equal(
    await count("agent.usage WHERE tenant_id = 'acme' AND session_id = 'crowded' AND requests = 1"),
    TURNS,
  );
  assert.equal(await count("agent.turns WHERE tenant_id = 'acme' AND status = 'ok'"), TURNS);
  assert.equal(
    await count(
      "agent.audit_log WHERE tenant_id = 'acme' AND action = 'chat.complete' AND outcome = 'allow'",
    ),
    TURNS,
  );
  const ended = await world.rows(
    "SELECT trace_id FROM agent.traces WHERE tenant_id = 'acme' AND status = 'ok' AND span_count = 2",
  );
  assert.deepEqual(new Set(ended.map((row) => row.trace_id)), traceIds);
  const usage = (await send(server.url, 'GET', `/v1/sessions/${SESSION}/usage`, { token: acme })).json;
  assert.equal(usage.turn_count, TURNS);
  assert.equal(
    usage.output_tokens,
    await world.value("SELECT sum(output_tokens)::int FROM agent.usage WHERE tenant_id = 'acme'"),
  );
});

claim(
  'another tenant that chatted under the same session id sees its own turns and nothing else',
  async () => {
    const messages = await sessionOf(globex);
    assert.deepEqual(messages.map((message) => message.content).sort(), [
      'globex 0',
      'globex 0',
      'globex 1',
      'globex 1',
      'globex 2',
      'globex 2',
      'globex 3',
      'globex 3',
    ]);
    assert.equal((await send(server.url, 'GET', '/v1/traces?limit=1000', { token: globex })).json.length, 4);
  },
);

claim("the history that a turn gets is its own tenant's, in order", async () => {
  const answer = await send(server.url, 'POST', '/v1/chat/completions', {
    token: globex,
    body: chatBody('12345678', { session_id: SESSION }),
  });
  const stored = (await sessionOf(globex))
    .slice(0, -2)
    .reduce((bytes, message) => bytes + message.content.length, 0);
  assert.equal(answer.json.usage.prompt_tokens, Math.ceil((stored + 8) / 4));
});

claim('the first turns of a new session, begun at once, are all kept', async () => {
  const sessions = Array.from({ length: 20 }, (_, i) => `new-${i}`);
  const begin = async (session, n) => {
    const body = chatBody(`${session} ${n}`, { session_id: session });
    const answer = await send(server.url, 'POST', '/v1/chat/completions', { token: acme, body });
    assert.equal(answer.status, 200, answer.text);
  };
  await Promise.all(sessions.flatMap((session) => [1, 2, 3].map((n) => begin(session, n))));
  const sql = `SELECT session_id, count(*)::int AS messages FROM agent.messages
               WHERE tenant_id = 'acme' AND session_id LIKE 'new-%' GROUP BY 1 HAVING count(*) = 6`;
  assert.equal((await world.rows(sql)).length, sessions.length);
});
