// Two tenancyd on two databases, which stand for two primaries, and one Valkey that counts for both.
// Every tenant here has 1 request a minute and a burst: what is admitted is the burst, exactly.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './support/process.mjs';
import { Valkey } from './support/valkey.mjs';
import { send, until } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const TIMEOUT_MS = 500; // generous: a busy machine is not a Valkey that is away
const PAUSE_MS = 1000; // of the circuit breaker, after a failure

const worlds = [await World.create('valkeya'), await World.create('valkeyb')];
const valkey = await Valkey.create(worlds[0]);
const rate_limit = { backend: 'valkey', valkey_url: valkey.url, timeout_ms: TIMEOUT_MS };
const metricsPort = await freePort();
const model = { provider: 'echo', name: 'parrot' };
const servers = [
  await worlds[0].tenancyd({ model, server: { rate_limit, metrics: { enabled: true, port: metricsPort } } }),
  await worlds[1].tenancyd({ model, server: { rate_limit } }),
];
const plain = await worlds[0].tenancyd({ model }); // on the first database, without Valkey

/** A tenant of both databases with the same limits in both; its tokens, one for each server. */
async function newTenant(name, limits) {
  const values = [limits.requests_per_minute, limits.burst, limits.tokens_per_minute];
  for (const world of worlds) {
    await world.rows('SELECT tenancy.add_tenant($1, $2, $1)', name, world.issuer.url);
    await world.rows('SELECT tenancy.set_rate_limit($1, $2, $3, $4)', name, ...values);
  }
  return Promise.all(worlds.map((world) => world.token(name, 'alice')));
}

const chat = (server, token, more = {}) =>
  send(server.url, 'POST', '/v1/chat/completions', { token, body: chatBody('hello', more) });

/** `count` requests at once, in turn to both servers; the answers of each server. */
async function both(count, request) {
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => request(i % 2)));
  return [0, 1].map((s) => answers.filter((_, i) => i % 2 === s));
}
const admitted = (answers) => answers.filter(({ status }) => status === 200).length;
const statuses = (answers) => [...new Set(answers.flat().map(({ status }) => status))].sort();
const decisions = async (result) => {
  const { text } = await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics');
  return Number(text.match(new RegExp(`^tenancyd_valkey_decisions_total\\{result="${result}"\\} (\\d+)$`, 'm'))?.[1] ?? 0);
};
const isAsked = async () => (await decisions('allowed')) + (await decisions('refused'));

claim('two databases admit one burst together, not one each, in turns and in reads', async () => {
  for (const request of [chat, (server, token) => send(server.url, 'GET', '/v1/traces', { token })]) {
    const name = request === chat ? 'turns' : 'reads';
    const tokens = await newTenant(name, { requests_per_minute: 1, burst: 20 });
    const answers = await both(80, (s) => request(servers[s], tokens[s]));
    assert.deepEqual(statuses(answers), [200, 429]);
    assert.equal(admitted(answers.flat()), 20);
    assert.equal(Math.round(await valkey.taken(name, 'requests')), 20);
  }
  const turns = await Promise.all(
    worlds.map((world) => world.value("SELECT count(*)::int FROM agent.turns WHERE tenant_id = 'turns'")),
  );
  assert.equal(turns[0] + turns[1], 20, 'a refused turn leaves nothing behind');
});

claim('its refusal is word for word what the database itself answers, and on record', async () => {
  const tokens = await newTenant('words', { requests_per_minute: 1, burst: 1 });
  assert.equal((await chat(servers[1], tokens[1])).status, 200);
  const shared = await chat(servers[0], tokens[0]); // this database has not refused anyone yet
  assert.equal((await chat(plain, tokens[0])).status, 200);
  const own = await chat(plain, tokens[0]);
  const numbers = (text) => text.replace(/\d+/g, '#').replace(/#m#s/, '#s');
  assert.equal(numbers(shared.fingerprint()), numbers(own.fingerprint()));
  assert.equal(shared.status, 429);
  assert.equal(shared.json.error.code, 'rate_limit_exceeded');
  assert.ok(shared.json.detail.retry_after_ms > 50_000 && shared.json.detail.retry_after_ms <= 60_000);
  assert.ok(Number(shared.headers['retry-after']) > 50);
  assert.ok(Math.abs(shared.json.detail.retry_after_ms - own.json.detail.retry_after_ms) < 5000);
  const audit = await worlds[0].value(
    "SELECT count(*)::int FROM agent.audit_log WHERE tenant_id = 'words' AND action = 'rate_limit.reject'",
  );
  assert.equal(audit, 2);
});

claim('what is left is told as the smaller of both figures', async () => {
  const tokens = await newTenant('left', { requests_per_minute: 1, burst: 5 });
  const remaining = async (s) =>
    (await send(servers[s].url, 'GET', '/v1/traces', { token: tokens[s] })).headers['x-ratelimit-remaining-requests'];
  for (const expected of ['4', '3']) assert.equal(await remaining(0), expected);
  assert.equal(await remaining(1), '2', 'where this database has 4 left');
});

claim('tokens a turn does not use go back, so ten turns fit where two estimates do', async () => {
  const tokens = await newTenant('thrifty', { tokens_per_minute: 1000 });
  for (let i = 0; i < 10; i++) {
    const answer = await chat(servers[i % 2], tokens[i % 2], { max_tokens: 450, stream: i % 3 === 0 });
    assert.equal(answer.status, 200, answer.text);
  }
  await until('the last turn is settled', async () => (await valkey.taken('thrifty', 'tokens')) < 200);
  const tooMuch = await chat(servers[0], tokens[0], { max_tokens: 1001 });
  assert.equal(tooMuch.status, 429);
  assert.equal(tooMuch.json.error.type, 'tokens');
  assert.equal(tooMuch.headers['x-should-retry'], 'false');
  assert.ok((await valkey.taken('thrifty', 'tokens')) < 200, 'and what was refused took nothing');
});

claim('tokens of running turns count on both databases', async () => {
  const tokens = await newTenant('greedy', { tokens_per_minute: 1000 });
  const slow = await worlds[0].tenancyd({ model: { ...model, echo_delay_ms: 1500 }, server: { rate_limit } });
  const running = chat(slow, tokens[0], { max_tokens: 800 });
  await until('a turn runs', async () => (await valkey.taken('greedy', 'tokens')) > 700);
  const other = await chat(servers[1], tokens[1], { max_tokens: 800 });
  assert.equal(other.status, 429);
  assert.equal(other.json.error.type, 'tokens');
  assert.equal((await running).status, 200);
  assert.equal((await chat(servers[1], tokens[1], { max_tokens: 800 })).status, 200);
});

claim('a request that the database refuses takes nothing from the shared limit', async () => {
  const tokens = await newTenant('refused', { requests_per_minute: 60, burst: 3, tokens_per_minute: 100000 });
  await worlds[0].rows("SELECT tenancy.set_price('parrot', 1, 1)");
  await worlds[0].rows("SELECT tenancy.set_budget('refused', 'total', 0)");
  for (const [status, request] of [
    [402, () => chat(servers[0], tokens[0])],
    [422, () => chat(servers[0], tokens[0], { temperature: 'hot' })],
    [403, () => send(servers[0].url, 'GET', '/v1/traces', { token: tokens[0], headers: { 'X-Tenant': 'turns' } })],
    [401, () => send(servers[0].url, 'GET', '/v1/traces', { token: `${tokens[0]}x` })],
  ])
    for (let i = 0; i < 5; i++) assert.equal((await request()).status, status);
  assert.equal(await valkey.taken('refused', 'requests'), 0);
  assert.equal(await valkey.taken('refused', 'tokens'), 0);
});

claim('one tenant cannot use up the rate of another', async () => {
  const [noisy, quiet] = [
    await newTenant('noisy', { requests_per_minute: 1, burst: 2 }),
    await newTenant('noisy-2', { requests_per_minute: 1, burst: 2 }),
  ];
  assert.equal(admitted((await both(30, (s) => chat(servers[s], noisy[s]))).flat()), 2);
  assert.equal(admitted((await both(30, (s) => chat(servers[s], quiet[s]))).flat()), 2);
});

claim('nothing a client writes reaches a key, or passes for a decision', async () => {
  const tokens = await newTenant('hostile', { requests_per_minute: 1, burst: 1 });
  const before = await valkey.keys();
  const evil = 'x}:requests\r\nFLUSHALL\r\n{turns';
  const bodies = ['tenant_id', 'shared_rate', 'model', 'session_id', 'request', 'user'].flatMap((member) =>
    [evil, { requests: { allowed: true }, tenant_id: 'turns' }].map((value) => ({ [member]: value })),
  );
  const answers = [];
  for (const more of bodies) answers.push(await chat(servers[0], tokens[0], more));
  for (const name of ['X-Request-ID', 'traceparent', 'X-Auth-Subject', 'X-Shared-Rate', 'X-Forwarded-For'])
    answers.push(
      await send(servers[0].url, 'GET', `/v1/traces?limit=1&tenant_id=turns&shared_rate=%7B%7D`, {
        token: tokens[0],
        headers: { [name]: evil.replace(/[\r\n]/g, ' ') },
      }),
    );
  assert.equal(admitted(answers), 1);
  assert.deepEqual(
    (await valkey.keys()).filter((key) => !before.includes(key)),
    ['tenancy:{hostile}:requests'],
  );
});

claim('the script may vanish from Valkey at any time', async () => {
  const tokens = await newTenant('flushed', { requests_per_minute: 1, burst: 25 });
  let isOver = false;
  const flushing = (async () => {
    for (; !isOver; await sleep(5)) await valkey.ask('SCRIPT', 'FLUSH');
  })();
  const answers = await both(100, (s) => chat(servers[s], tokens[s]));
  isOver = true;
  await flushing;
  assert.deepEqual(statuses(answers), [200, 429]);
  assert.equal(admitted(answers.flat()), 25);
});

claim('keys of tenants that went quiet vanish by themselves', async () => {
  const tokens = await newTenant('brief', { requests_per_minute: 600, burst: 10 });
  assert.equal((await chat(servers[0], tokens[0])).status, 200);
  await until('the key is gone', async () => !(await valkey.keys()).includes('tenancy:{brief}:requests'), 2000);
});

claim("a step back of Valkey's clock is not waited for", async () => {
  const tokens = await newTenant('stepped', { requests_per_minute: 600, burst: 1 });
  const inAnHour = Date.now() + 3_600_000;
  await valkey.ask('SET', 'tenancy:{stepped}:requests', `60000 ${inAnHour}`);
  const refused = await chat(servers[0], tokens[0]);
  assert.equal(refused.status, 429);
  assert.ok(refused.json.detail.retry_after_ms <= 100);
  await sleep(150);
  assert.equal((await chat(servers[0], tokens[0])).status, 200);
});

claim('a limit that is changed counts at the next request, and what was taken stays taken', async () => {
  const tokens = await newTenant('changed', { requests_per_minute: 1, burst: 4 });
  assert.equal(admitted((await both(8, (s) => chat(servers[s], tokens[s]))).flat()), 4);
  for (const world of worlds) await world.rows("SELECT tenancy.set_rate_limit('changed', 1, 10)");
  assert.equal(admitted((await both(20, (s) => chat(servers[s], tokens[s]))).flat()), 6);
});

claim('Valkey killed under load: each database admits its own burst at most, nothing fails or hangs', async () => {
  const tokens = await newTenant('killed', { requests_per_minute: 1, burst: 30 });
  const started = performance.now();
  const load = both(160, (s) => sleep(Math.random() * 600).then(() => chat(servers[s], tokens[s])));
  await sleep(200);
  await valkey.program.stop('SIGKILL');
  const answers = await load;
  assert.deepEqual(statuses(answers), [200, 429]);
  for (const ofOne of answers) assert.ok(admitted(ofOne) <= 30, `${admitted(ofOne)} of 30`);
  assert.ok(performance.now() - started < 10_000);
  assert.ok((await decisions('unavailable')) > 0);
});

claim('without Valkey each database decides alone, exactly', async () => {
  const tokens = await newTenant('alone', { requests_per_minute: 1, burst: 7 });
  const answers = await both(60, (s) => chat(servers[s], tokens[s]));
  assert.deepEqual(answers.map(admitted), [7, 7]);
  assert.deepEqual(statuses(answers), [200, 429]);
});

claim('once Valkey is back the limit is shared again', async () => {
  await valkey.start();
  await sleep(PAUSE_MS + 100);
  const tokens = await newTenant('again', { requests_per_minute: 1, burst: 7 });
  const answers = await both(60, (s) => chat(servers[s], tokens[s]));
  assert.equal(admitted(answers.flat()), 7);
  assert.deepEqual(statuses(answers), [200, 429]);
});

claim('a Valkey that hangs costs its timeout, once a second, and admits nobody', async () => {
  const tokens = await newTenant('hangs', { requests_per_minute: 1, burst: 7 });
  await chat(servers[0], tokens[0]);
  valkey.program.child.kill('SIGSTOP');
  try {
    const times = [];
    const answers = await both(40, async (s) => {
      const started = performance.now();
      const answer = await chat(servers[s], tokens[s]);
      times.push(performance.now() - started);
      return answer;
    });
    assert.deepEqual(statuses(answers), [200, 429]);
    assert.deepEqual(answers.map(admitted), [6, 7]);
    assert.ok(Math.max(...times) < 3000, `the slowest took ${Math.max(...times)} ms`);
    const started = performance.now();
    for (let i = 0; i < 30; i++) await chat(servers[0], tokens[0]);
    assert.ok(performance.now() - started < 15 * TIMEOUT_MS, 'not each pays for it');
  } finally {
    valkey.program.child.kill('SIGCONT');
  }
  await sleep(PAUSE_MS + 100);
  const asked = await isAsked();
  await chat(servers[0], tokens[0]);
  assert.equal(await isAsked(), asked + 1, 'and it is asked again afterwards');
});

claim('a Valkey that does not take the password is one that is away', async () => {
  const tokens = await newTenant('locked', { requests_per_minute: 1, burst: 2 });
  const url = valkey.url.replace(/:[^:@]*@/, ':wrong-secret@');
  const server = await worlds[0].tenancyd({ model, server: { rate_limit: { ...rate_limit, valkey_url: url } } });
  const answers = [];
  for (let i = 0; i < 4; i++) answers.push(await chat(server, tokens[0]));
  assert.equal(admitted(answers), 2);
  assert.match(server.log(), /valkey_unavailable.*AUTH: (WRONGPASS|ERR)/);
  assert.ok(!server.log().includes('wrong-secret'));
});

claim('the logs say that Valkey was away, seldom, and hold no password', async () => {
  for (const server of servers) {
    const lines = server.log().match(/"event":"valkey_unavailable"/g) ?? [];
    assert.ok(lines.length >= 1 && lines.length <= 6, `${lines.length} lines`);
    for (const secret of [valkey.password, encodeURIComponent(valkey.password)])
      assert.ok(!server.log().includes(secret));
  }
});
