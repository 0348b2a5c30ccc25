// Work items over HTTP: the shapes, the lease under a race, malformed input, two tenants.
import assert from 'node:assert/strict';
import { World, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const world = await World.create('workitems');
const server = await world.tenancyd();
const alice = await world.token('acme', 'alice');
const bob = await world.token('acme', 'bob');
const globex = await world.token('globex', 'carol');

const call = (token, method, route, body) =>
  send(server.url, method, `/v1/work-items${route}`, { token, ...(body === undefined ? {} : { body }) });
const make = async (more = {}) => (await call(alice, 'POST', '', { title: 'a task', ...more })).json;

claim('an item goes from hand to hand in the shapes of the reference', async () => {
  const created = await call(alice, 'POST', '/', {
    title: 'a task',
    max_cost_usd: 0.1,
    depends_on: ['wi_x'],
  });
  assert.equal(created.status, 201, created.text);
  const item = created.json;
  assert.match(item.id, /^wi_[0-9a-f]{16}$/);
  assert.deepEqual(Object.keys(item).sort(), [
    'assignee',
    'created_at',
    'created_by',
    'depends_on',
    'description',
    'id',
    'max_cost_usd',
    'parent_id',
    'priority',
    'status',
    'title',
    'updated_at',
  ]);
  assert.match(created.text, /"max_cost_usd": 0\.1[,}]/, 'exact');
  assert.deepEqual(
    (await call(bob, 'GET', '?max_results=5')).json.map((one) => one.id),
    [item.id],
  );
  const taken = await call(bob, 'POST', `/${item.id}/checkout`, {
    actor_id: 'bob',
    lease_duration_seconds: 60,
  });
  assert.deepEqual([taken.status, taken.json.status, taken.json.assignee], [200, 'checked_out', 'bob']);
  const done = await call(bob, 'POST', `/${item.id}/complete`, {
    result: 7,
    review_required: true,
    accomplished: ['all'],
  });
  assert.equal(done.json.status, 'review_pending');
  assert.deepEqual(done.json.handoff_note, {
    accomplished: ['all'],
    attempted: [],
    remaining: [],
    blockers: [],
    artifacts: {},
    context: '',
  });
  assert.equal((await call(alice, 'POST', `/${item.id}/accept`)).json.status, 'completed');
  assert.deepEqual((await call(alice, 'GET', '/stats')).json, { counts: { completed: 1 }, total: 1 });
  const deleted = await call(alice, 'DELETE', `/${item.id}`);
  assert.deepEqual([deleted.status, deleted.text], [204, '']);
  assert.equal((await call(alice, 'GET', `/${item.id}`)).json.status, 'failed');
});

claim('of twenty parallel checkouts one wins', async () => {
  const { id } = await make();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => call(i % 2 ? alice : bob, 'POST', `/${id}/checkout`, {})),
  );
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.ok(answers.every((answer) => answer.status === 200 || answer.status === 409));
  const lost = answers.find((answer) => answer.status === 409);
  assert.deepEqual(lost.json, { error: `Work item '${id}' is not available (status=checked_out)` });
});

claim('only the holder of a lease that has not run out completes and releases', async () => {
  const { id } = await make();
  assert.equal((await call(bob, 'POST', `/${id}/checkout`, { actor_id: 'alice' })).status, 403);
  assert.equal((await call(bob, 'POST', `/${id}/checkout`, { lease_duration_seconds: 1 })).status, 200);
  for (const move of ['complete', 'release'])
    assert.equal((await call(alice, 'POST', `/${id}/${move}`, {})).status, 409, move);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal((await call(bob, 'POST', `/${id}/complete`, {})).status, 409, 'the lease is over');
  assert.equal((await call(alice, 'POST', `/${id}/checkout`, {})).status, 200, 'and another may have it');
});

claim('malformed input is answered with 4xx', async () => {
  const { id } = await make();
  const bodies = [
    '{',
    '[]',
    '"x"',
    '{"title": 5}',
    '{"title": "x", "priority": 1e99}',
    '{"title": "x", "max_cost_usd": "1"}',
    '{"title": "x", "required_capabilities": {}}',
    '{"title": "\\u0000"}',
    '{"title": "x", "created_by": "bob"}',
    '{}',
  ];
  for (const body of bodies) {
    const status = (await call(alice, 'POST', '', body)).status;
    assert.ok(status >= 400 && status < 500, `${body}: ${status}`);
  }
  for (const [move, body] of [
    ['checkout', '{"lease_duration_seconds": -1}'],
    ['checkout', '{"actor_id": 5}'],
    ['checkout', '{'],
    ['complete', '{"artifacts": []}'],
    ['release', '{"blockers": "x"}'],
    ['reject', '{}'],
    ['reject', '{"reason": {}}'],
  ]) {
    const status = (await call(alice, 'POST', `/${id}/${move}`, body)).status;
    assert.ok(status >= 400 && status < 500, `${move} ${body}: ${status}`);
  }
  assert.equal((await call(alice, 'GET', '?max_results=-1')).status, 400);
});

claim("another tenant's item is answered like one that nobody has", async () => {
  const { id } = await make();
  const unknown = 'wi_0123456789abcdef';
  const probes = [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/checkout', {}],
    ['POST', '/complete', {}],
    ['POST', '/release', {}],
    ['POST', '/accept', {}],
    ['POST', '/reject', { reason: 'x' }],
  ];
  for (const [method, route, body] of probes) {
    const foreign = await call(globex, method, `/${id}${route}`, body);
    assert.equal(
      foreign.fingerprint().replaceAll(id, unknown),
      (await call(globex, method, `/${unknown}${route}`, body)).fingerprint(),
      `${method} ${route}`,
    );
    assert.ok([404, 409].includes(foreign.status), foreign.text);
  }
  assert.deepEqual((await call(globex, 'GET', '')).json, []);
  assert.deepEqual((await call(globex, 'GET', '/stats')).json, { counts: {}, total: 0 });
  assert.equal((await call(alice, 'GET', `/${id}`)).json.status, 'available');
});
