// What the internet does to a server: clients that are slow on purpose, one client or one tenant that
// wants everything, and a port that is reached in the wrong protocol. Good clients must not notice.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { giveToServer } from './support/process.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { openStream, send, until } from './support/wire.mjs';

const run = promisify(execFile);
const THREADS = 16;

const world = await World.create('hostile');
const limits = { threads: THREADS, queue: 16, max_turns: 5, max_connections: 200, connections_per_address: 190 };
const server = await world.tenancyd({ model: { provider: 'echo', echo_delay_ms: 50 }, server: { limits } });
const tokens = { acme: await world.token('acme', 'alice'), globex: await world.token('globex', 'bob') };
const forged = `${tokens.acme.slice(0, -8)}AAAAAAAA`;
await world.rows("SELECT tenancy.set_price('echo', 1, 1)");
const openTurns = async () => Number(await world.value("SELECT count(*) FROM agent.turns WHERE status = 'open'"));

/** A connection that is written to by hand; `text` is what came back, `ended` is told the time of the end. */
function raw(url, bytes) {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  const began = performance.now();
  const self = { socket, text: '' };
  socket.on('data', (data) => (self.text += data.toString('latin1')));
  socket.on('error', () => {});
  self.ended = new Promise((resolve) => socket.once('close', () => resolve(performance.now() - began)));
  socket.write(bytes);
  return self;
}

const chatHead = (token, length) =>
  `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** Somebody who sends one byte of a request every 100 ms and, when cut off, comes again. */
function slowloris(url, bytes, more) {
  let isOver = false;
  const round = async () => {
    while (!isOver) {
      const client = raw(url, bytes);
      const drip = setInterval(() => client.socket.writable && client.socket.write(more), 100);
      await Promise.race([client.ended, until('over', () => isOver, 60_000)]);
      clearInterval(drip);
      client.socket.destroy();
    }
  };
  const done = round();
  return () => ((isOver = true), done);
}

claim('wrk with a good token beside slowloris on heads, bodies and readers: no error', async () => {
  const text = 'a text that is streamed in many pieces and that nobody reads '.repeat(20);
  const body = JSON.stringify(chatBody(text, { stream: true }));
  const stops = [];
  for (let i = 0; i < 40; i++) {
    stops.push(slowloris(server.url, 'GET /v1/traces HTTP/1.1\r\n', 'X: y\r\n'));
    stops.push(slowloris(server.url, chatHead(tokens.globex, 5000), 'x'));
    stops.push(slowloris(server.url, '', ''));
  }
  const readers = [0, 1].map(() => raw(server.url, chatHead(tokens.globex, body.length) + body));
  readers.forEach((reader) => reader.socket.pause());
  await until('two streams that nobody reads run', async () => (await openTurns()) === 2);
  const { stdout } = await run('wrk', [
    ...['-t1', '-c8', '-d3s', '--latency', '-H', `Authorization: Bearer ${tokens.acme}`],
    `${server.url}/v1/traces`,
  ]);
  const turn = await send(server.url, 'POST', '/v1/chat/completions', { token: tokens.acme, body: chatBody('hello') });
  assert.equal(turn.json.choices[0].message.content, 'hello');
  assert.doesNotMatch(stdout, /Non-2xx|Socket errors/, stdout);
  assert.ok(Number(stdout.match(/(\d+) requests in/)[1]) > 100, stdout);
  readers.forEach((reader) => reader.socket.destroy());
  await Promise.all(stops.map((stop) => stop()));
  await until('their turns are settled', async () => (await openTurns()) === 0);
});

claim('a slow request costs its sender the time limit and the server no thread', async () => {
  const impatient = await world.tenancyd({
    server: { limits: { threads: 2, max_turns: 1, request_timeout_seconds: 1, keep_alive_timeout_seconds: 1 } },
  });
  const slow = [
    raw(impatient.url, 'GET /healthz HTTP/1.1\r\nX: y\r\n'),
    raw(impatient.url, chatHead(tokens.acme, 50) + '{'),
    raw(impatient.url, chatHead(tokens.acme, 200_000) + '{'), // a thread reads this one
    raw(impatient.url, ''),
  ];
  const began = performance.now();
  assert.equal((await send(impatient.url, 'GET', '/v1/traces', { token: tokens.acme })).status, 200);
  assert.ok(performance.now() - began < 900, 'before any of the slow ones is given up');
  for (const client of slow) assert.ok((await client.ended) < 3000);
  for (const client of slow.slice(0, 3)) assert.match(client.text, /^HTTP\/1.1 408 /);
  assert.equal(slow[3].text, '');
});

claim('a large body is not read without a good token, nor at less than its least rate', async () => {
  const expired = await world.token('acme', 'alice', { exp: Math.floor(Date.now() / 1000) - 3600 });
  for (const token of ['nonsense', expired]) {
    const client = raw(server.url, chatHead(token, 1_000_000) + '{');
    await client.ended;
    assert.match(client.text, /^HTTP\/1.1 401 [\s\S]*invalid_token/);
  }
  const client = raw(server.url, chatHead(tokens.acme, 1_000_000) + '{');
  const drip = setInterval(() => client.socket.write(' '.repeat(100)), 100);
  const took = await client.ended;
  clearInterval(drip);
  assert.ok(took > 4500 && took < 8000, `cut off after ${took} ms`);
  assert.match(client.text, /^HTTP\/1.1 408 /);
});

claim('large bodies have a place for each tenant, whatever another one sends', async () => {
  const places = THREADS / 4 + 1;
  const greedy = () => raw(server.url, chatHead(tokens.globex, 1_000_000) + '{');
  const slow = Array.from({ length: places - 1 }, greedy);
  await sleep(300);
  const more = greedy();
  await more.ended;
  assert.match(more.text, /^HTTP\/1.1 429 [\s\S]*Retry-After: 1[\s\S]*concurrency_limit_exceeded/);
  const body = chatBody('x '.repeat(50_000), { max_tokens: 1 });
  const other = await send(server.url, 'POST', '/v1/chat/completions', { token: tokens.acme, body });
  assert.equal(other.status, 200);
  for (const client of slow) assert.equal(client.text, '', 'still allowed to send');
  slow.forEach((client) => client.socket.destroy());
});

claim('with all places for large bodies taken, who has no good token learns just that', async () => {
  const small = await world.tenancyd({ server: { limits: { threads: 2, max_turns: 1 } } }); // one such place
  const clients = [];
  const begin = (token) => clients[clients.push(raw(small.url, chatHead(token, 1_000_000) + '{')) - 1];
  const isFull = () => clients.some((client) => /^HTTP\/1.1 503 [\s\S]*Retry-After: 1/.test(client.text));
  await until('the place is taken', async () => {
    begin(tokens.acme);
    await sleep(100);
    return isFull();
  });
  const refused = begin(forged);
  await until('it is answered', () => refused.text);
  assert.match(refused.text, /^HTTP\/1.1 401 [\s\S]*invalid_token/);
  clients.forEach((client) => client.socket.destroy());
});

claim('one tenant cannot take all places for turns', async () => {
  const text = 'word '.repeat(200);
  const long = () =>
    openStream(server.url, '/v1/chat/completions', { token: tokens.globex, body: chatBody(text, { stream: true }) });
  const streams = await Promise.all(Array.from({ length: 4 }, long));
  assert.ok(streams.every((stream) => stream.status === 200), 'four of five places for one who is alone');
  const fifth = await send(server.url, 'POST', '/v1/chat/completions', { token: tokens.globex, body: chatBody('more') });
  assert.deepEqual(
    [fifth.status, fifth.json.error.code, fifth.headers['retry-after']],
    [429, 'concurrency_limit_exceeded', '1'],
  );
  const other = await send(server.url, 'POST', '/v1/chat/completions', { token: tokens.acme, body: chatBody('hello') });
  assert.equal(other.status, 200);
  streams.forEach((stream) => stream.hangUp());
  await until('all is settled', async () => (await openTurns()) === 0);
  const charged = 'SELECT sum(cost_picodollars) FROM agent.usage WHERE trace_id = $1';
  assert.equal(Number(await world.value(charged, fifth.headers['x-trace-id'])), 0, 'what it held is free again');
  assert.equal(Number(await world.value('SELECT count(*) FROM tenancy.verify_counters() WHERE NOT ok')), 0);
});

claim('a turn has no place before its token is verified, however long that takes', async () => {
  const program = await world.tenancyd({ server: { limits: { threads: 8, max_turns: 1 } }, storage: { pool_size: 1 } });
  const admin = await world.admin.connect();
  await admin.query('BEGIN; LOCK TABLE agent.sessions');
  const ask = (token, method, route, body) => send(program.url, method, route, { token, body });
  const chat = (token) => ask(token, 'POST', '/v1/chat/completions', chatBody('hi'));
  const before = ask(tokens.acme, 'GET', '/v1/sessions/s');
  await until('the only connection is busy', async () => (await admin.query("SELECT FROM pg_locks WHERE NOT granted AND relation = 'agent.sessions'::regclass")).rowCount);
  const refused = chat(forged); // waits for the connection
  await sleep(300);
  const turn = chat(tokens.acme);
  await sleep(300); // without a place it would have its answer now
  await admin.query('ROLLBACK');
  admin.release();
  const statuses = (await Promise.all([before, refused, turn])).map((answer) => answer.status);
  assert.deepEqual(statuses, [404, 401, 200]);
});

claim('a full queue is answered at once', async () => {
  const small = await world.tenancyd({
    model: { provider: 'echo', echo_delay_ms: 300 },
    server: { limits: { threads: 2, queue: 1, max_turns: 1 } },
  });
  const body = JSON.stringify(chatBody('one two three four five six'));
  const hold = raw(small.url, chatHead(tokens.acme, body.length) + body);
  await until('it runs', async () => (await openTurns()) === 1);
  const flood = Array.from({ length: 40 }, () => raw(small.url, `GET /v1/traces HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer ${tokens.acme}\r\n\r\n`));
  await Promise.all(flood.map((client) => client.ended));
  const refused = flood.filter((client) => client.text.startsWith('HTTP/1.1 503'));
  assert.ok(refused.length > 0);
  for (const client of flood) assert.match(client.text, /^HTTP\/1.1 (200|503 [\s\S]*Retry-After: 1)/);
  hold.socket.destroy();
});

claim('an address has so many connections and no more, whatever X-Forwarded-For says', async () => {
  const capped = await world.tenancyd({ server: { limits: { connections_per_address: 5 } } });
  const idle = [];
  const staying = () => idle.filter((client) => client.text === '');
  await until('five are in', async () => {
    // The first may be refused for the sake of the connection that asked whether the server is ready.
    while (staying().length < 5) idle.push(raw(capped.url, ''));
    await sleep(200);
    return staying().length === 5;
  });
  const headers = { 'X-Forwarded-For': '192.0.2.7', Forwarded: 'for=192.0.2.7' };
  const refused = await send(capped.url, 'GET', '/healthz', { headers });
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
  staying()[0].socket.destroy();
  await until('there is room again', async () => (await send(capped.url, 'GET', '/healthz')).status === 200);
  idle.forEach((client) => client.socket.destroy());
});

/** A self-signed certificate for localhost; `serial` tells one from another. */
function certificate(serial) {
  const files = ['key', 'cert'].map((kind) => path.join(world.directory, `tls.${kind}.pem`));
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-set_serial', String(serial), '-keyout', files[0], '-out', files[1]],
  ], { stdio: 'ignore' });
  giveToServer(...files);
  return { key_file: files[0], certificate_file: files[1] };
}

/** One request over TLS: status, body, and the certificate's serial number. */
function secure(url, ca, options = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(url, { ca, agent: false, ...options }, async (response) => {
      const { serialNumber } = response.socket.getPeerCertificate();
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString(), serial: parseInt(serialNumber, 16) });
    });
    request.on('error', reject);
    request.end(options.body);
  });
}

claim('TLS: node and curl are served, old versions and plain HTTP are not, a new certificate needs no restart', async () => {
  const tls = certificate(1001);
  const limits = { keep_alive_timeout_seconds: 1, max_turns: 4 };
  const program = await world.tenancyd({ server: { tls, limits }, ca: tls.certificate_file });
  const ca = () => readFileSync(tls.certificate_file);
  const headers = { Authorization: `Bearer ${tokens.acme}`, 'Content-Type': 'application/json' };
  const ask = (options) => secure(`${program.url}/v1/traces`, ca(), { headers, ...options });

  const first = await ask();
  assert.deepEqual([first.status, first.serial], [200, 1001]);
  assert.equal((await ask({ maxVersion: 'TLSv1.2' })).status, 200);
  await assert.rejects(ask({ maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0', minVersion: 'TLSv1' }));
  const body = JSON.stringify(chatBody('over TLS '.repeat(20_000), { stream: true })); // a body of many records
  const streamed = await secure(`${program.url}/v1/chat/completions`, ca(), { method: 'POST', headers, body });
  assert.match(streamed.text, /\[DONE\]/);
  const curl = await run('curl', ['-sS', '--cacert', tls.certificate_file, '-H', `Authorization: Bearer ${tokens.acme}`, `${program.url}/v1/traces`, `${program.url}/healthz`]);
  assert.match(curl.stdout, /"status":"ok"|ok/);

  const plain = raw(program.url, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  await plain.ended;
  assert.match(plain.text, /^HTTP\/1.1 400 [\s\S]*https only/);
  const silent = raw(program.url, '');
  const halfway = raw(program.url, Buffer.from('1603010200010001fc0303', 'hex')); // a handshake begins
  for (const client of [silent, halfway]) assert.ok((await client.ended) < 2500, 'a handshake has a time limit');

  certificate(1002);
  program.child.kill('SIGHUP');
  await until('the new certificate is shown', async () => (await ask().catch(() => ({}))).serial === 1002);
  assert.equal(program.outcome, undefined);
});

/** What openssl's client says of a handshake in one version, with nothing in its own way. */
async function shakeHands(url, version) {
  const { port } = new URL(url);
  const client = run('openssl', [
    ...['s_client', '-connect', `127.0.0.1:${port}`, `-${version}`, '-cipher', 'ALL:@SECLEVEL=0', '-legacy_server_connect'],
  ]);
  client.child.stdin.end();
  const { stdout, stderr } = await client.catch((error) => error);
  return { isConnected: /New, TLSv1/.test(stdout), alert: /alert protocol version/.test(stderr) };
}

claim('TLS: the least version is the one that is configured', async () => {
  const tls = certificate(1004);
  const ca = tls.certificate_file;
  const either = await world.tenancyd({ server: { tls }, ca });
  const strict = await world.tenancyd({ server: { tls: { ...tls, min_version: 1.3 } }, ca });
  const good = { isConnected: true, alert: false };
  const refused = { isConnected: false, alert: true };
  assert.deepEqual(await shakeHands(either.url, 'tls1_2'), good);
  assert.deepEqual(await shakeHands(either.url, 'tls1_3'), good);
  assert.deepEqual(await shakeHands(either.url, 'tls1_1'), refused);
  assert.deepEqual(await shakeHands(strict.url, 'tls1_3'), good);
  assert.deepEqual(await shakeHands(strict.url, 'tls1_2'), refused);
});

claim('a reader who stops is cut off after the bound, and the turn settled with what it used', async () => {
  const program = await world.tenancyd({ server: { limits: { write_timeout_seconds: 1 } } });
  const text = 'w'.repeat(3_000_000); // more than the kernel keeps for both ends
  const body = JSON.stringify(chatBody(text, { stream: true }));
  const token = await world.token('globex', 'stopped');
  const reader = raw(program.url, chatHead(token, body.length));
  reader.socket.write(body);
  await until('it runs', async () => (await openTurns()) === 1);
  reader.socket.pause();
  const began = performance.now();
  await until('the turn is settled', async () => (await openTurns()) === 0, 8000);
  assert.ok(performance.now() - began < 6000);
  reader.socket.destroy();
  const [turn] = await world.rows("SELECT t.status, u.output_tokens::int AS output, u.cost_picodollars > 0 AS charged FROM agent.turns t JOIN agent.usage u USING (tenant_id, trace_id) WHERE u.subject = 'stopped'");
  assert.equal(turn.status, 'aborted');
  assert.ok(turn.charged && turn.output > 0 && turn.output < text.length / 4, JSON.stringify(turn));
  assert.equal(Number(await world.value('SELECT count(*) FROM tenancy.verify_counters() WHERE NOT ok')), 0);
});

claim('a flood of bodies without a good token takes no place from a tenant', async (context) => {
  const body = JSON.stringify(chatBody('x'.repeat(50_000)));
  const request = (i) => (i % 3 === 0 ? `${chatHead(forged, 100_000)}{` : chatHead(forged, body.length) + body);
  // More than there are threads, fewer than threads and queue: it is about what the threads hold.
  const flood = Array.from({ length: THREADS + 8 }, (_, i) => slowloris(server.url, request(i), ''));
  context.after(() => Promise.all(flood.map((stop) => stop())));
  const took = [];
  for (let i = 0; i < 40; i++) {
    const began = performance.now();
    const turn = await send(server.url, 'POST', '/v1/chat/completions', { token: tokens.globex, body: chatBody('hi') });
    took.push(performance.now() - began);
    assert.equal(turn.status, 200, turn.text);
  }
  assert.ok(Math.max(...took) < 3000, `the slowest took ${Math.max(...took)} ms`);
});

claim('a client that leaves over TLS is noticed before its answer is ready, and its turn settled', async () => {
  const tls = certificate(1003);
  const program = await world.tenancyd({ model: { provider: 'echo', echo_delay_ms: 100 }, server: { tls }, ca: tls.certificate_file });
  const headers = { Authorization: `Bearer ${tokens.acme}`, 'Content-Type': 'application/json' };
  const ca = readFileSync(tls.certificate_file);
  // Cut off, and with the notice that TLS has for it: then there are bytes to read.
  for (const leave of [(request) => request.destroy(), (request) => request.socket.end()]) {
    const request = https.request(`${program.url}/v1/chat/completions`, { method: 'POST', headers, ca, agent: false });
    request.on('error', () => {});
    request.end(JSON.stringify(chatBody('word '.repeat(500))));
    await until('it runs', async () => (await openTurns()) === 1);
    leave(request);
    await until('its turn is settled', async () => (await openTurns()) === 0, 5000);
    request.destroy();
  }
});
