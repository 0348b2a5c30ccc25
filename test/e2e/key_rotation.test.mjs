// tenancyd sync-keys against a real OpenID Connect provider that rotates its keys under load, and against
// servers that misbehave.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateKeyPair, exportJWK } from 'jose';
import { freePort } from './support/process.mjs';
import { OidcProvider, RESOURCE, TENANT_CLAIM } from './support/provider.mjs';
import { World, claim } from './support/world.mjs';
import { send, until } from './support/wire.mjs';

const COOLDOWN_S = 1;
const REFRESH_S = 60; // what happens sooner was signalled by an unknown kid

const world = await World.create('keyrotation');
const role = 'e2e_keyrotation_keys';
await world.rows(`CREATE ROLE ${role} LOGIN PASSWORD '${world.password}'`);
await world.rows('SELECT tenancy.grant_key_sync($1)', role);
const keySync = {
  database_url: world.databaseUrl().replace(world.role, role),
  refresh_seconds: REFRESH_S,
  cooldown_seconds: COOLDOWN_S,
  timeout_seconds: 2,
};

const server = await world.tenancyd();
const provider = await OidcProvider.start({ algorithm: 'ES256', tenants: { 'app-one': 'one' } });
after(() => provider.stop());
await world.rows(
  'SELECT tenancy.add_issuer($1, $2, $3, typ => $4)',
  provider.url,
  [RESOURCE],
  TENANT_CLAIM,
  'at+jwt',
);
await world.rows("SELECT tenancy.add_tenant('one', $1, 'one')", provider.url);

const issuerOf = (url, more = {}) => ({ issuer: url, audience: [RESOURCE], ...more });
const loader = (issuers, more = {}) =>
  world.keyLoader({ tenancy: { issuers }, key_sync: { ...keySync, ...more } });
const status = async (token) => (await send(server.url, 'GET', '/v1/traces', { token })).status;
const keysOf = (url) =>
  world.rows('SELECT kid, state FROM tenancy.keys WHERE issuer = $1 ORDER BY kid COLLATE "C"', url);
const events = (program, name) =>
  program
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
    .filter((event) => event.event === name);

/** A server that answers every path with what `answer(request, response)` does; counts its requests. */
async function stub(answer, tls) {
  const port = await freePort();
  const self = { requests: 0, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` };
  const handler = (request, response) => {
    self.requests++;
    answer(request, response, self);
  };
  const listening = tls ? https.createServer(tls, handler) : http.createServer(handler);
  await new Promise((resolve) => listening.listen(port, '127.0.0.1', resolve));
  after(() => {
    listening.closeAllConnections();
    listening.close();
  });
  return self;
}

const json = (response, body, headers = {}) => {
  response.writeHead(200, { 'Content-Type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};

async function publicKey(kid) {
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
}

let first;
let second;

claim('of two loaders one is active, and it loads what the provider publishes', async () => {
  first = await loader([issuerOf(provider.url)]);
  await until('the keys are loaded', () => events(first, 'keys_loaded').length === 1);
  second = await loader([issuerOf(provider.url)]);
  await sleep(2500);
  assert.equal(events(second, 'key_sync_active').length, 0);
  assert.equal(events(second, 'keys_loaded').length, 0);
  assert.equal(await status(await provider.token('app-one')), 200);
});

claim('a rotation under load: a fetch brings the new key, and no token of the old one is refused', async () => {
  const old = await provider.token('app-one');
  const answers = new Set();
  let rotating = true;
  const load = (async () => {
    while (rotating) answers.add(await status(old));
  })();
  await provider.rotate(); // publishes the new key beside the old one and signs with it
  const fresh = await provider.token('app-one');
  const begun = Date.now();
  await until('the new key is accepted', async () => (await status(fresh)) === 200);
  const took = Date.now() - begun;
  assert.ok(took < (COOLDOWN_S + 3) * 1000, `${took} ms, much less than a scheduled refresh`);
  for (let i = 0; i < 50; i++) assert.equal(await status(fresh), 200);
  rotating = false;
  await load;
  assert.deepEqual([...answers], [200], 'tokens of the old key were good all along');
});

claim('a key that the provider withdraws verifies nothing from the next refresh on', async () => {
  const old = await provider.token('app-one');
  await provider.rotate({ keepOld: false });
  assert.equal(await status(old), 200, 'nobody has asked the provider yet');
  const fresh = await provider.token('app-one');
  await until('the new key is accepted', async () => (await status(fresh)) === 200);
  for (let i = 0; i < 20; i++) assert.equal(await status(old), 401);
  const states = (await keysOf(provider.url)).map((key) => key.state);
  assert.deepEqual(states.sort(), ['active', 'retired', 'retired']);
});

claim('SIGHUP ends no loader: its file is read again, and one with mistakes changes nothing', async () => {
  const file = second.file;
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, '{"nonsense": 1}');
  second.child.kill('SIGHUP');
  await until('the file is refused', () => events(second, 'reload_refused').length === 1);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(before), logging: { level: 'debug' } }));
  second.child.kill('SIGHUP');
  await until('the file is read', () => events(second, 'reloaded').length === 1);
  assert.equal(second.outcome, undefined);
});

claim('the other loader takes over when the active one is killed', async () => {
  await first.stop('SIGKILL');
  await until('the second is active', () => events(second, 'key_sync_active').length === 1);
  await provider.rotate();
  const fresh = await provider.token('app-one');
  await until('it loads keys', async () => (await status(fresh)) === 200);
  assert.equal(await second.stop(), 0);
});

claim('keys that nobody can refresh end after two refreshes and the grace, and come back with the provider', async () => {
  const outside = await OidcProvider.start({ algorithm: 'ES256', tenants: { 'app-two': 'two' } });
  after(() => outside.stop());
  await world.rows(
    'SELECT tenancy.add_issuer($1, $2, $3, typ => $4)',
    outside.url,
    [RESOURCE],
    TENANT_CLAIM,
    'at+jwt',
  );
  await world.rows("SELECT tenancy.add_tenant('two', $1, 'two')", outside.url);
  const program = await loader([issuerOf(outside.url)], { refresh_seconds: 1, stale_grace_seconds: 2 });
  const token = await outside.token('app-two');
  await until('the keys are loaded', async () => (await status(token)) === 200);
  await sleep(5000);
  assert.equal(await status(token), 200, 'refreshes keep them');
  await outside.stop();
  const stopped = Date.now();
  await sleep(1500);
  assert.equal(await status(token), 200, 'a missed refresh does no harm');
  await until('they end', async () => (await status(token)) === 401);
  const lasted = Date.now() - stopped;
  assert.ok(lasted > 2000 && lasted < 6000, `${lasted} ms after the provider stopped`);
  assert.deepEqual((await keysOf(outside.url)).map((key) => key.state), ['stale']);
  await outside.listen();
  await until('they come back', async () => (await status(token)) === 200);
  assert.equal(await program.stop(), 0);
});

claim('garbage kids cause one fetch per cooldown, whatever comes', async () => {
  const key = await publicKey('real');
  const target = await stub((request, response, self) =>
    request.url === '/jwks'
      ? json(response, { keys: [key] })
      : json(response, { issuer: self.url, jwks_uri: `${self.url}/jwks` }),
  );
  await world.rows('SELECT tenancy.add_issuer($1, $2)', target.url, [RESOURCE]);
  const program = await loader([issuerOf(target.url)], {
    cooldown_seconds: 3,
  });
  await until('the keys are loaded', () => events(program, 'keys_loaded').length === 1);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const begun = Date.now();
  for (let i = 0; Date.now() - begun < 5000; i++) {
    const token = `${part({ alg: 'ES256', kid: `no-${i}` })}.${part({ iss: target.url })}.${'A'.repeat(86)}`;
    assert.equal(await status(token), 401);
  }
  const fetches = target.requests / 2; // each asks for the discovery document and for the set
  assert.ok(fetches >= 2 && fetches <= 3, `${fetches} fetches in 5 s`);
  assert.equal(await program.stop(), 0);
});

const good = await publicKey('good');
const privateMember = { ...(await publicKey('private')), d: 'AAAA' };
const bad = {
  'a redirect to another host': [
    (response) => response.writeHead(302, { Location: 'http://127.0.0.2/jwks' }).end(),
    'key_refresh_failed',
    /redirect/,
  ],
  'an oversized set': [
    (response) => json(response, JSON.stringify({ keys: [good], pad: 'x'.repeat(300_000) })),
    'key_refresh_failed',
    /more than 262144 bytes/,
  ],
  'a set that never ends': [
    (response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 200);
      response.on('close', () => clearInterval(drip));
    },
    'key_refresh_failed',
    /in time/,
  ],
  'a set with a private key': [
    (response) => json(response, { keys: [good, privateMember] }),
    'key_set_refused',
    /key_private/,
  ],
  'a set with a shared secret': [
    (response) => json(response, { keys: [good, { kty: 'oct', kid: 's', k: 'c2VjcmV0' }] }),
    'key_set_refused',
    /key_symmetric/,
  ],
  'an empty set': [(response) => json(response, { keys: [] }), 'key_set_refused', /jwks_no_usable_key/],
  'what is not JSON': [(response) => json(response, '<html>'), 'key_set_refused', /malformed/],
  'an error page': [(response) => response.writeHead(500).end('no'), 'key_refresh_failed', /status 500/],
};

for (const [name, [answer, event, reason]] of Object.entries(bad))
  claim(`${name} changes nothing: the keys that were there stay`, async () => {
    let misbehave = false;
    const target = await stub((_request, response) =>
      misbehave ? answer(response) : json(response, { keys: [good] }),
    );
    await world.rows('SELECT tenancy.add_issuer($1, $2)', target.url, [RESOURCE]);
    const issuers = [issuerOf(target.url, { jwks_url: `${target.url}/jwks` })];
    assert.equal((await world.keyLoader({ tenancy: { issuers }, key_sync: keySync }, '--once')).outcome, 0);
    misbehave = true;
    const program = await world.keyLoader({ tenancy: { issuers }, key_sync: keySync }, '--once');
    assert.equal(program.outcome, 1);
    const [problem] = events(program, event);
    assert.match(problem.problem ?? problem.detail, reason);
    assert.deepEqual(await keysOf(target.url), [{ kid: 'good', state: 'active' }]);
    assert.ok(!program.log().includes(good.x), 'no byte of a key in the log');
  });

claim('discovery counts only when the document names that very issuer', async () => {
  const target = await stub((request, response, self) =>
    json(response, { issuer: `${self.url}/`, jwks_uri: `${self.url}/jwks` }),
  );
  await world.rows('SELECT tenancy.add_issuer($1, $2)', target.url, [RESOURCE]);
  const program = await world.keyLoader(
    { tenancy: { issuers: [issuerOf(target.url)] }, key_sync: keySync },
    '--once',
  );
  assert.equal(program.outcome, 1);
  assert.match(events(program, 'key_refresh_failed')[0].problem, /another issuer/);
  assert.equal(target.requests, 1, 'the key set was not even asked for');
});

claim('an issuer that no administrator has trusted gets no key', async () => {
  const target = await stub((_request, response) => json(response, { keys: [good] }));
  const program = await world.keyLoader(
    {
      tenancy: { issuers: [issuerOf(target.url, { jwks_url: `${target.url}/jwks` })] },
      key_sync: keySync,
    },
    '--once',
  );
  assert.equal(program.outcome, 1);
  assert.match(events(program, 'key_set_refused')[0].message, /is not trusted/);
});

claim('an unchanged set is not sent again: the provider is asked with its ETag', async () => {
  const asked = [];
  const target = await stub((request, response) => {
    asked.push(request.headers['if-none-match']);
    if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end();
    else json(response, { keys: [good] }, { ETag: '"v1"', 'Cache-Control': 'max-age=1' });
  });
  await world.rows('SELECT tenancy.add_issuer($1, $2)', target.url, [RESOURCE]);
  const program = await loader([issuerOf(target.url, { jwks_url: `${target.url}/jwks` })], {
    metrics: { enabled: true, port: await freePort() },
  });
  await until('it was asked again', () => asked.length >= 2);
  await sleep(300);
  assert.deepEqual(asked.slice(0, 2), [undefined, '"v1"']);
  assert.equal(events(program, 'keys_loaded').length, 1);
  const metrics = (await send(`http://127.0.0.1:${program.metricsPort}`, 'GET', '/metrics')).text;
  assert.match(metrics, /tenancyd_key_sync_active 1/);
  assert.match(metrics, /tenancyd_key_refreshes_total\{issuer="[^"]+",result="unchanged"\} [1-9]/);
  assert.equal(await program.stop(), 0);
});

/** A self-signed certificate for a subjectAltName. */
function certificate(name, subject) {
  const key = path.join(world.directory, `${name}.key`);
  const file = path.join(world.directory, `${name}.crt`);
  const request = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=test', '-addext', `subjectAltName=${subject}`];
  execFileSync('openssl', ['req', ...request, ...names, '-keyout', key, '-out', file], { stdio: 'ignore' });
  const cert = readFileSync(file, 'utf8');
  return { pem: world.secretFile(`${name}.pem`, cert), tls: { key: readFileSync(key), cert } };
}

claim('over TLS the certificate must be one that is trusted, and of that host', async () => {
  const attempt = async ({ tls, pem }, trusted) => {
    const target = await stub((_request, response) => json(response, { keys: [good] }), tls);
    await world.rows('SELECT tenancy.add_issuer($1, $2)', target.url, [RESOURCE]);
    const issuers = [issuerOf(target.url, { jwks_url: `${target.url}/jwks` })];
    const key_sync = { ...keySync, ...(trusted ? { ca_file: pem } : {}) };
    return (await world.keyLoader({ tenancy: { issuers }, key_sync }, '--once')).outcome;
  };
  const own = certificate('own', 'IP:127.0.0.1');
  const other = certificate('other', 'DNS:other.example');
  assert.equal(await attempt(own, true), 0);
  assert.equal(await attempt(own, false), 1, 'nobody vouches for it');
  assert.equal(await attempt(other, true), 1, 'it is another host');
});
