// The wire shapes of what is kept about turns: traces with spans, feedback and its statistics, audit.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('records');
const server = await world.tenancyd({ model: { provider: 'echo', name: 'parrot' } });
const token = await world.token('acme', 'alice', { jti: 'the-id-of-this-token' });
const colleague = await world.token('acme', 'carol');

const call = (method, path, body, as = token) => send(server.url, method, path, { token: as, body });
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;

claim("a trace has the reference's members, and its spans form a tree", async () => {
  const chat = await call(
    'POST',
    '/v1/chat/completions',
    chatBody('twelve bytes', { session_id: 'traced', model: 'label' }),
  );
  const id = chat.headers['x-trace-id'];
  assert.match(id, /^trace_[0-9a-f]{16}$/);
  const {
    spans,
    started_at: started,
    ended_at: ended,
    duration_ms: duration,
    ...rest
  } = (await call('GET', `/v1/traces/${id}`)).json;
  assert.deepEqual(rest, {
    trace_id: id,
    model: 'parrot',
    session_id: 'traced',
    status: 'ok',
    span_count: 2,
    tool_calls: 0,
    prompt_tokens: 3,
    completion_tokens: 3,
  });
  assert.match(started, TIME);
  assert.match(ended, TIME);
  assert.ok(Math.abs(Date.parse(ended) - Date.parse(started) - duration) < 2);
  const [request, model] = spans;
  assert.deepEqual(
    [request.name, request.parent_span_id, model.name, model.parent_span_id],
    ['request', null, 'model_call', request.span_id],
  );
  for (const span of spans) {
    assert.deepEqual(Object.keys(span).sort(), [
      'attributes',
      'end_time',
      'events',
      'name',
      'parent_span_id',
      'span_id',
      'start_time',
      'status',
      'trace_id',
    ]);
    assert.match(span.span_id, /^span_[0-9a-f]{16}$/);
    assert.equal(span.trace_id, id);
    assert.equal(span.status, 'ok');
    assert.ok(span.end_time >= span.start_time);
  }
  const { attributes: asked } = request;
  assert.deepEqual(
    [asked.stream, asked.session_id, asked['gen_ai.operation.name'], asked['gen_ai.request.model']],
    [false, 'traced', 'chat', 'parrot'],
  );
  const { attributes: used } = model;
  assert.deepEqual(
    [used['gen_ai.usage.input_tokens'], used['gen_ai.usage.output_tokens'], used['gen_ai.response.model']],
    [3, 3, 'parrot'],
  );
});

claim('traces are listed newest first, without spans, in pages', async () => {
  for (const text of ['a', 'b', 'c']) await call('POST', '/v1/chat/completions', chatBody(text));
  const all = (await call('GET', '/v1/traces')).json;
  assert.ok(all.length >= 4 && all.every((trace) => trace.spans === undefined));
  assert.deepEqual(
    all,
    [...all].sort((a, b) => Date.parse(b.started_at) - Date.parse(a.started_at)),
  );
  assert.deepEqual((await call('GET', '/v1/traces?limit=2&offset=1')).json, all.slice(1, 3));
  assert.equal((await call('GET', '/v1/traces?limit=1000')).status, 200);
  assert.equal((await call('GET', '/v1/traces?limit=1001')).status, 422, 'refused, not cut');
});

claim('bad paging values are 422 that name the query', async () => {
  for (const [path, name, type] of [
    ['/v1/traces?limit=-1', 'limit', 'greater_than_equal'],
    ['/v1/traces?offset=x', 'offset', 'int_parsing'],
    ['/v1/feedback?limit=0', 'limit', 'greater_than_equal'],
    ['/v1/feedback?since=yesterday', 'since', 'datetime_parsing'],
    ['/v1/audit?until=2026-13-01', 'until', 'datetime_parsing'],
    ['/v1/feedback/stats?since=%00', 'since', 'datetime_parsing'],
  ]) {
    const answer = await call('GET', path);
    assert.equal(answer.status, 422, `${path}: ${answer.text}`);
    if (!path.includes('%00'))
      assert.deepEqual([answer.json.detail[0].loc, answer.json.detail[0].type], [['query', name], type]);
  }
});

const FULL = {
  rating: -1,
  trace_id: 'trace_of_the_client',
  session_id: 's-1',
  comment: 'no\nr\u00e9ally',
  correction: 'so',
  model_id: 'm',
  latency_ms: 12.5,
  turn_index: 3,
  agent_type: 'assistant',
};

claim('feedback is created and comes back as the full record', async () => {
  const created = await call('POST', '/v1/feedback', FULL);
  assert.equal(created.status, 201, created.text);
  assert.deepEqual(Object.keys(created.json), ['feedback_id']);
  assert.match(created.json.feedback_id, /^fb_[0-9a-f]{16}$/);
  const [{ created_at: time, ...record }] = (await call('GET', '/v1/feedback?trace_id=trace_of_the_client'))
    .json;
  assert.deepEqual(record, { ...FULL, feedback_id: created.json.feedback_id, user_id: 'alice' });
  assert.match(time, TIME);
  const { feedback_id: id } = (await call('POST', '/v1/feedback', { rating: 1 })).json;
  const [bare] = (await call('GET', '/v1/feedback?limit=1')).json;
  assert.equal(bare.feedback_id, id);
  assert.match(bare.trace_id, /^trace_[0-9a-f]{16}$/, 'a missing trace id is made up');
});

claim('feedback is changed by its author: what is absent or null stays', async () => {
  const { feedback_id: id } = (await call('POST', '/v1/feedback', FULL)).json;
  for (const [change, expected] of [
    [{ rating: 1 }, { ...FULL, rating: 1 }],
    [
      { comment: 'new', correction: null },
      { ...FULL, rating: 1, comment: 'new' },
    ],
    [{}, { ...FULL, rating: 1, comment: 'new' }],
  ]) {
    const answer = await call('PATCH', `/v1/feedback/${id}`, change);
    assert.equal(answer.status, 200, answer.text);
    const { created_at: _, ...record } = answer.json;
    assert.deepEqual(record, { ...expected, feedback_id: id, user_id: 'alice' });
  }
});

claim('feedback of a colleague can be read but not changed: 403', async () => {
  const { feedback_id: id } = (await call('POST', '/v1/feedback', FULL)).json;
  const answer = await call('PATCH', `/v1/feedback/${id}`, { rating: 1 }, colleague);
  assert.equal(answer.status, 403);
  assert.equal(answer.json.error.code, 'not_author');
  const [record] = (await call('GET', '/v1/feedback?limit=1', undefined, colleague)).json;
  assert.deepEqual([record.feedback_id, record.rating], [id, -1]);
});

claim('bad feedback is 422 that names every field at fault', async () => {
  const cases = [
    [{}, ['rating']],
    [{ rating: 0 }, ['rating']],
    [{ rating: 'good' }, ['rating']],
    [{ rating: 1, latency_ms: -1 }, ['latency_ms']],
    [{ rating: 1, turn_index: 1.5 }, ['turn_index']],
    [{ rating: 2, comment: 7, session_id: 'a b' }, ['comment', 'rating', 'session_id']],
  ];
  for (const [body, names] of cases) {
    const answer = await call('POST', '/v1/feedback', body);
    assert.equal(answer.status, 422, answer.text);
    assert.deepEqual(
      answer.json.detail.map((item) => item.loc),
      names.map((name) => ['body', name]),
    );
  }
  const { feedback_id: id } = (await call('POST', '/v1/feedback', { rating: 1 })).json;
  assert.equal((await call('PATCH', `/v1/feedback/${id}`, { rating: 3 })).status, 422);
  assert.deepEqual((await call('PATCH', '/v1/feedback/fb_none', { rating: 1 })).json, {
    detail: 'Feedback fb_none not found',
  });
});

claim('feedback is filtered by trace, session, author and time', async () => {
  const since = encodeURIComponent(new Date(Date.now() - 60_000).toISOString());
  const count = async (query) => (await call('GET', `/v1/feedback?${query}`)).json.length;
  await call('POST', '/v1/feedback', { rating: 1, session_id: 'filtered', trace_id: 'filtered' }, colleague);
  assert.deepEqual(
    [await count('session_id=filtered'), await count('trace_id=filtered'), await count('user_id=carol')],
    [1, 1, 1],
  );
  assert.equal(await count(`user_id=carol&since=${since}`), 1);
  assert.equal(await count(`user_id=carol&until=${since}`), 0);
  assert.equal(await count('user_id=carol&user_id=nobody'), 0, 'of a repeated parameter the last one counts');
});

claim('statistics count thumbs per window and agent type', async () => {
  const all = (await call('GET', '/v1/feedback')).json;
  const expected = all.filter((record) => record.agent_type === 'assistant');
  const [row, ...more] = (await call('GET', '/v1/feedback/stats?window=week&agent_type=assistant')).json;
  assert.deepEqual(more, []);
  assert.deepEqual(Object.keys(row).sort(), [
    'agent_type',
    'thumbs_down',
    'thumbs_up',
    'total',
    'window_end',
    'window_start',
  ]);
  assert.deepEqual(
    [row.agent_type, row.total, row.thumbs_down],
    ['assistant', expected.length, expected.filter((record) => record.rating < 0).length],
  );
  assert.equal(Date.parse(row.window_end) - Date.parse(row.window_start), 7 * 86_400_000);
  const bad = await call('GET', '/v1/feedback/stats?window=month');
  assert.deepEqual([bad.status, bad.json], [400, { detail: "window must be 'hour', 'day', or 'week'" }]);
});

claim(
  'the audit log is listed newest first, by action and time, without content and without tokens',
  async () => {
    await call(
      'POST',
      '/v1/chat/completions',
      chatBody('do not keep this text here', { session_id: 'audited' }),
    );
    const answer = await call('GET', '/v1/audit?limit=1000');
    const rows = answer.json;
    assert.deepEqual(
      rows.map((row) => row.audit_id),
      rows.map((row) => row.audit_id).sort((a, b) => b - a),
    );
    const [turn] = (await call('GET', '/v1/audit?action=chat.complete&limit=1')).json;
    assert.deepEqual(
      [turn.action, turn.outcome, turn.actor, turn.session_id, turn.resource_type],
      ['chat.complete', 'allow', 'alice', 'audited', 'turn'],
    );
    assert.equal(turn.token_id_hash, createHash('sha256').update('the-id-of-this-token').digest('hex'));
    assert.ok(turn.prompt_tokens > 0 && turn.completion_tokens > 0);
    assert.match(turn.occurred_at, TIME);
    assert.doesNotMatch(answer.text, /do not keep|the-id-of-this-token|tenant_id/);
    const until = encodeURIComponent(turn.occurred_at);
    assert.ok(
      (await call('GET', `/v1/audit?until=${until}&limit=1000`)).json.every(
        (row) => row.audit_id <= turn.audit_id,
      ),
    );
    assert.deepEqual((await call('GET', '/v1/audit?since=2100-01-01')).json, []);
  },
);
