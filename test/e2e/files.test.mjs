// Files over HTTP: real forms, limits, two tenants, and what the model is given.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';
import { OpenAI } from './support/openai.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { send } from './support/wire.mjs';

const LIMIT = 6_000_000; // more than a JSON body may have
const world = await World.create('files');
const files = { enabled: true, max_file_size_bytes: LIMIT, allowed_mime_types: ['text/plain', 'image/png'] };
const server = await world.tenancyd({ server: { files } });
await world.rows('SELECT tenancy.set_file_quota(NULL, 20000000, 20)');
const acme = await world.token('acme', 'alice');
const globex = await world.token('globex', 'bob');

const call = (token, method, route, more = {}) => send(server.url, method, route, { token, ...more });

/** Uploads with the platform's own form encoder. */
async function upload(token, content, { name = 'a.txt', type = 'text/plain', fields = {} } = {}) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append('file', new Blob([content], { type }), name);
  const answer = await fetch(`${server.url}/v1/files`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}` },
    body: form,
  });
  return { status: answer.status, json: await answer.json() };
}

/** The status of a request that announces so many bytes and sends none. */
const judgedByHead = (route, type, bytes) =>
  new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${acme}`, 'Content-Type': type, 'Content-Length': bytes };
    const request = http.request(server.url + route, { method: 'POST', headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    request.flushHeaders();
  });

const raw = (body, type = 'multipart/form-data; boundary=b') =>
  call(acme, 'POST', '/v1/files', { body, headers: { 'Content-Type': type } });

claim('a file larger than any JSON body is stored byte for byte, and its record tells its hash', async () => {
  const bytes = Buffer.alloc(LIMIT);
  for (let i = 0; i < LIMIT; i += 1) bytes[i] = (i * 7 + (i >> 8)) % 256;
  const { status, json } = await upload(acme, bytes, {
    name: 'big "\u00fc".png',
    type: 'image/png',
    fields: { session_id: 's-1' },
  });
  assert.equal(status, 201, JSON.stringify(json));
  assert.deepEqual(Object.keys(json).sort(), [
    'chunk_count',
    'chunk_status',
    'created_at',
    'file_id',
    'filename',
    'mime_type',
    'parse_error',
    'parse_status',
    'session_id',
    'sha256',
    'size_bytes',
  ]);
  assert.match(json.file_id, /^file_[0-9a-f]{24}$/);
  assert.equal(json.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.equal(json.size_bytes, LIMIT);
  const [stored] = await world.rows(
    'SELECT content FROM agent.file_contents WHERE file_id = $1',
    json.file_id,
  );
  assert.ok(bytes.equals(stored.content));
  const list = await call(acme, 'GET', '/v1/files?session_id=s-1');
  assert.deepEqual(
    list.json.map((file) => file.file_id),
    [json.file_id],
  );
  assert.equal(
    (await call(acme, 'DELETE', `/v1/files/${json.file_id}/`)).text,
    `{"deleted": true, "file_id": "${json.file_id}"}`,
  );
  assert.equal((await call(acme, 'GET', `/v1/files/${json.file_id}`)).status, 404);
});

claim('limits of the server and the database: 413 and 415 before anything is kept', async () => {
  const large = await upload(acme, Buffer.alloc(LIMIT + 1));
  assert.deepEqual(large, {
    status: 413,
    json: { detail: `File exceeds max_file_size_bytes (${LIMIT} bytes)` },
  });
  assert.equal(await judgedByHead('/v1/files', 'multipart/form-data; boundary=b', LIMIT + 100_000), 413);
  const type = await upload(acme, 'x', { type: 'text/html' });
  assert.deepEqual(type, { status: 415, json: { detail: 'MIME type text/html is not allowed' } });
  assert.equal(Number(await world.value('SELECT count(*) FROM agent.files')), 0);
  assert.equal(
    await judgedByHead('/v1/chat/completions', 'application/json', 5_000_000),
    413,
    'as all other routes',
  );
});

claim('parallel uploads never exceed the quota', async () => {
  await world.rows("SELECT tenancy.set_file_quota('acme', 10000, 5)");
  const answers = await Promise.all(Array.from({ length: 12 }, () => upload(acme, 'y'.repeat(1000))));
  const statuses = answers.map((answer) => answer.status).filter((status) => status !== 503);
  assert.equal(statuses.filter((status) => status === 201).length, 5, statuses.join());
  assert.ok(statuses.every((status) => status === 201 || status === 413));
  assert.match(
    answers.find((answer) => answer.status === 413).json.detail,
    /^File quota exceeded: 5 of 5 files/,
  );
  for (const answer of answers.filter((one) => one.status === 201))
    assert.equal((await call(acme, 'DELETE', `/v1/files/${answer.json.file_id}`)).status, 200);
  assert.deepEqual(
    await world.rows("SELECT files::int, bytes::int FROM agent.file_usage WHERE tenant_id = 'acme'"),
    [{ files: 0, bytes: 0 }],
  );
  await world.rows("SELECT tenancy.set_file_quota('acme', 20000000)");
});

claim('forms that are none are answered with 4xx', async () => {
  const part = (headers, content) => `--b\r\n${headers}\r\n\r\n${content}\r\n`;
  const file = 'Content-Disposition: form-data; name="file"; filename="a"';
  const cases = [
    [400, ''],
    [400, '--b'],
    [400, part(file, 'x')],
    [400, `${part('X: y', 'x')}--b--`],
    [400, part(file, 'x').repeat(17) + '--b--'],
    [400, `${part(`${file}\r\nX: ${'y'.repeat(9000)}`, 'x')}--b--`],
    [422, '--b--'],
    [422, `${part('Content-Disposition: form-data; name="file"', 'no file name')}--b--`],
    [422, `${part('Content-Disposition: form-data; name="file"; filename=""', 'x')}--b--`],
    [422, `${part('Content-Disposition: form-data; name="file"; filename="a\0b"', 'x')}--b--`],
    [400, part(file, 'x') + part('Content-Disposition: form-data; name="session_id"', 'a/b') + '--b--'],
    [422, '{}', 'application/json'],
    [415, 'x', 'text/plain'],
    [400, '--b--', 'multipart/form-data'],
    [400, '--b--', `multipart/form-data; boundary=${'b'.repeat(71)}`],
  ];
  for (const [status, body, type] of cases) {
    const answer = await raw(body, type);
    assert.equal(answer.status, status, `${body.slice(0, 90)}: ${answer.text}`);
    assert.ok(answer.json.detail, answer.text);
  }
  const zero = await raw(`${part('Content-Disposition: form-data; name="file"; filename="a\0b"', 'x')}--b--`);
  assert.deepEqual(zero.json.detail[0].loc, ['body', 'filename'], 'the field is named, and no database asked');
  const refused = await call('not.a.token', 'POST', '/v1/files', {
    body: `${part(file, 'x')}--b--`,
    headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
  });
  assert.equal(refused.status, 401);
  for (const query of ['', '?session_id=a/b', '?session_id=s&limit=-1', '?session_id=s&offset=x'])
    assert.ok([400, 422].includes((await call(acme, 'GET', `/v1/files${query}`)).status), query);
});

claim("openai's library and curl upload; the text is in front of the model by file_ids", async () => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: acme, maxRetries: 0 });
  const made = await client.files.create({
    file: new File(['from the library'], 'l.txt', { type: 'text/plain' }),
    purpose: 'assistants',
  });
  assert.equal(made.filename, 'l.txt');
  const note = path.join(world.directory, 'note.txt');
  writeFileSync(note, 'from curl');
  const { stdout } = await promisify(execFile)('curl', [
    '-sS',
    '-H',
    `Authorization: Bearer ${acme}`,
    '-F',
    `file=@${note};type=text/plain`,
    '-F',
    'session_id=s-2',
    `${server.url}/v1/files`,
  ]);
  const curled = JSON.parse(stdout);
  assert.equal(curled.session_id, 's-2');
  const body = chatBody('and?', { session_id: 'with-files', file_ids: [curled.file_id, made.file_id] });
  assert.equal((await call(acme, 'POST', '/v1/chat/completions', { body })).status, 200);
  const session = (await call(acme, 'GET', '/v1/sessions/with-files')).json;
  assert.deepEqual(
    session.messages.map((message) => [message.role, message.content]),
    [
      ['system', 'File "note.txt" (text/plain):\n\nfrom curl'],
      ['system', 'File "l.txt" (text/plain):\n\nfrom the library'],
      ['user', 'and?'],
      ['assistant', 'and?'],
    ],
  );
});

claim("another tenant's file is answered like one that nobody has", async () => {
  const { json } = await upload(acme, 'the secret of acme', { fields: { session_id: 's-3' } });
  const unknown = 'file_0123456789abcdef01234567';
  const image = (id) => ({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `file_id:${id}` } }] }],
  });
  const probes = [
    (id) => call(globex, 'GET', `/v1/files/${id}`),
    (id) => call(globex, 'DELETE', `/v1/files/${id}`),
    (id) => call(globex, 'POST', '/v1/chat/completions', { body: chatBody('x', { file_ids: [id] }) }),
    (id) => call(globex, 'POST', '/v1/chat/completions', { body: image(id) }),
  ];
  for (const probe of probes) {
    const foreign = await probe(json.file_id);
    assert.ok([400, 404].includes(foreign.status), foreign.text);
    assert.equal(
      foreign.fingerprint().replaceAll(json.file_id, unknown),
      (await probe(unknown)).fingerprint(),
    );
  }
  assert.deepEqual((await call(globex, 'GET', '/v1/files?session_id=s-3')).json, []);
  assert.equal(
    (await call(acme, 'GET', `/v1/files/${json.file_id}`)).json.extracted_text,
    'the secret of acme',
  );
});

const FORM = 'multipart/form-data; boundary=b';
// A smaller body is waited for before it takes a place.
const LARGE_FORM = `--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: text/plain\r\n\r\n${'x'.repeat(70_000)}\r\n--b--`;

const uploadLarge = (url, token) =>
  send(url, 'POST', '/v1/files', { token, body: LARGE_FORM, headers: { 'Content-Type': FORM } });

/** An upload that stops after its first bytes; `answered` is its response, `finish` sends the rest. */
function slowUpload(url, token) {
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': FORM,
    'Content-Length': LARGE_FORM.length,
  };
  const request = http.request(`${url}/v1/files`, { method: 'POST', headers, agent: false });
  request.on('error', () => {}); // who is refused early may be cut off
  const self = { finish: () => request.end(LARGE_FORM.slice(10)) };
  self.answered = new Promise((resolve) => {
    request.on('response', (response) => {
      self.response = response;
      resolve(response);
      response.resume();
    });
  });
  request.write(LARGE_FORM.slice(0, 10));
  return self;
}

claim('no more uploads than there is memory for: the next one is told to come back', async () => {
  const narrow = await world.tenancyd({ server: { files: { ...files, max_uploads: 1 } } });
  const slow = slowUpload(narrow.url, acme);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const refused = await uploadLarge(narrow.url, acme);
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '1']);
  assert.equal(
    (await send(narrow.url, 'GET', '/v1/files?session_id=s', { token: acme })).status,
    200,
    'other routes go on',
  );
  slow.finish();
  assert.equal((await slow.answered).statusCode, 201);
  assert.equal((await uploadLarge(narrow.url, acme)).status, 201);
});

claim('one tenant cannot take all places for uploads', async () => {
  const limits = { threads: 60, max_turns: 4 }; // 16 places for large bodies, so that these are not what is short
  const shared = await world.tenancyd({ server: { files: { ...files, max_uploads: 5 }, limits } });
  const greedy = Array.from({ length: 5 }, () => slowUpload(shared.url, globex));
  const refused = await Promise.race(greedy.map((one) => one.answered));
  assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '1']);
  const waiting = greedy.filter((one) => one.response === undefined);
  assert.equal(waiting.length, 4, 'four of five places for one who is alone');
  const other = await uploadLarge(shared.url, acme);
  assert.equal(other.status, 201, other.text);
  waiting.forEach((one) => one.finish());
  for (const one of waiting) assert.equal((await one.answered).statusCode, 201);
  assert.equal((await uploadLarge(shared.url, globex)).status, 201, 'its places are free again');
});

claim('a server without files refuses uploads and says so', async () => {
  const other = await world.tenancyd();
  const answer = await send(other.url, 'POST', '/v1/files', {
    token: acme,
    body: '--b--',
    headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
  });
  assert.equal(answer.status, 404);
  assert.deepEqual(answer.json, { detail: 'File uploads are not enabled' });
});
