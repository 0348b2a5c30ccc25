// tenancyd apply, and SIGHUP to tenancyd serve: what a file says reaches the database whole or not at all,
// and a running server without a request noticing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { freePort, giveToServer } from './support/process.mjs';
import { contentOf, openStream, send, until } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const PASSWORD = 'hunter2-hunter2';

const world = await World.create('apply');
const adminUrl = `postgresql://${process.env.PGUSER}:${PASSWORD}@/${world.database}?host=${encodeURIComponent(process.env.PGHOST)}&port=${process.env.PGPORT}`;
const inDatabase = () =>
  world.value(`SELECT json_agg(s)::text FROM (SELECT * FROM tenancy.config_state() ORDER BY 1, 2) s`);

/** A configuration file with these blocks; returns its path. */
function file(name, { tenancy = {}, ...blocks } = {}) {
  const model = { provider: 'echo', name: 'parrot' };
  const server = { storage: { database_url: world.databaseUrl() }, tenancy };
  return world.secretFile(name, JSON.stringify({ model, server, ...blocks }));
}

/** Runs the command; resolves with its status and everything it printed. */
function apply(words, environment = { TENANCYD_DATABASE_URL: adminUrl }) {
  const options = { env: { PATH: process.env.PATH, ...environment }, cwd: '/' };
  return new Promise((resolve) => {
    execFile(world.binary(), ['apply', ...words], options, (error, stdout, stderr) => {
      for (const secret of [PASSWORD, world.password])
        assert.ok(!(stdout + stderr).includes(secret), 'a password was printed');
      resolve({ status: error ? error.code : 0, stdout, stderr });
    });
  });
}

const good = file('good.yaml', {
  tenancy: {
    issuers: [
      { issuer: world.issuer.url, audience: 'agents', tenant_claim: 'org_id', jwks_file: world.secretFile('jwks.json', JSON.stringify(world.issuer.jwks)) },
    ],
    tenants: [{ id: 'newco', issuer: world.issuer.url, claim_value: 'New Co' }],
    overrides: {
      newco: { rate_limit: { requests_per_minute: 1, burst: 2 } },
      globex: { budget: { window: 'day', limit_usd: 0 } },
    },
  },
  pricing: { default: { output_per_1k: '0.002' } },
  budget: { mode: 'observe', per_session: { limit_usd: 3 } },
});

claim('a dry run shows what would change, and changes nothing', async () => {
  const before = await inDatabase();
  const { status, stdout, stderr } = await apply(['--dry-run', '--config', good]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^add {5}tenant newco\n {8}.*claims: \["New Co of https:\/\/apply\.issuer\.example"\]/m);
  assert.match(stdout, /^add {5}rate limit newco\n {8}burst: 2, requests_per_minute: 1$/m);
  assert.match(stdout, /^add {5}price parrot\n.*output_usd_per_mtok: 2\b/m);
  assert.match(stdout, /^not in the file, left alone: tenant acme$/m);
  assert.match(stdout, /\ndry run, nothing was written: 5 added, 0 changed, 0 removed, 2 as they were\n$/);
  assert.equal(await inDatabase(), before);
});

claim('apply writes it, and the second time there is nothing to change', async () => {
  const first = await apply(['--config', good]);
  assert.equal(first.status, 0, first.stderr);
  assert.match(first.stdout, /\nwritten: 5 added, 0 changed, 0 removed, 2 as they were\n$/);
  const after = await inDatabase();
  const second = await apply(['--database-url', adminUrl, '--config', good], {});
  assert.match(second.stdout, /\nnothing to change\n$/);
  assert.equal(await inDatabase(), after);
});

claim('the limits of the file are what requests meet', async () => {
  const server = await world.tenancyd({ model: { provider: 'echo', name: 'parrot' } });
  const ask = async (tenant) =>
    send(server.url, 'POST', '/v1/chat/completions', { token: await world.token(tenant), body: chatBody('hi') });
  assert.deepEqual([(await ask('New Co')).status, (await ask('New Co')).status, (await ask('New Co')).status], [200, 200, 429]);
  assert.equal((await ask('globex')).status, 402);
  assert.equal((await ask('acme')).status, 200);
  assert.ok(Number(await world.value("SELECT sum(cost_picodollars) FROM agent.usage WHERE tenant_id = 'acme'")) > 0);
});

claim('a change is shown as old and new; the address may come from the file or from libpq', async () => {
  const tenancy = { overrides: { newco: { rate_limit: { requests_per_minute: 100, burst: 2 } } } };
  const changed = await apply(['--config', file('changed.yaml', { tenancy: { ...tenancy, admin_url: adminUrl } })], {});
  assert.match(changed.stdout, /^change {2}rate limit newco\n {8}requests_per_minute: 1 -> 100$/m);
  const environment = { PGHOST: process.env.PGHOST, PGPORT: process.env.PGPORT, PGUSER: process.env.PGUSER, PGDATABASE: world.database };
  assert.match((await apply(['--config', file('same.yaml', { tenancy })], environment)).stdout, /\nnothing to change\n$/);
});

claim('quotas of files and one-time tokens are written; a fallback model without a price is named', async () => {
  const issuers = [{ issuer: world.issuer.url, audience: 'agents', tenant_claim: 'org_id', one_time_jti: true }];
  const tenancy = { issuers, file_quota: { max_bytes: 1000 }, overrides: { newco: { file_quota: { max_files: 2 } } } };
  const model = { endpoint: 'http://127.0.0.1:1/v1', name: 'parrot', fallbacks: [{ name: 'parrot' }, { name: 'raven' }] };
  const { status, stdout } = await apply(['--dry-run', '--config', file('quotas.yaml', { tenancy, model })]);
  assert.equal(status, 0);
  assert.match(stdout, /^add {5}file quota \*\n {8}max_bytes: 1000$/m);
  assert.match(stdout, /^add {5}file quota newco\n {8}max_files: 2$/m);
  assert.match(stdout, /^change {2}issuer .*\n {8}one_time_jti: false -> true$/m);
  assert.deepEqual(stdout.match(/^no price for [^:]*/gm), ['no price for raven']);
});

claim('the role that serves requests is refused, also when somebody lets it', async () => {
  const before = await inDatabase();
  const more = file('more.yaml', { tenancy: { rate_limit: { requests_per_minute: 1000000 } } });
  for (const grant of ['REVOKE ALL ON FUNCTION tenancy.apply_config FROM', 'GRANT EXECUTE ON FUNCTION tenancy.apply_config TO']) {
    await world.rows(`${grant} ${world.role}`);
    const { status, stdout, stderr } = await apply(['--database-url', world.databaseUrl(), '--config', more], {});
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /SQLSTATE 42501.*\nConnect as an administrator: .*\nnothing was written\n$/s);
  }
  await world.rows(`REVOKE ALL ON FUNCTION tenancy.apply_config FROM ${world.role}`);
  assert.equal(await inDatabase(), before);
});

claim('a file with mistakes changes nothing, and all mistakes are shown', async () => {
  const before = await inDatabase();
  const wrong = world.secretFile('wrong.yaml', 'model: {provider: echo}\nserver:\n  prot: 1\n  tenancy:\n    rate_limt: {}\n');
  const parse = await apply(['--config', wrong]);
  assert.equal(parse.status, 1);
  assert.match(parse.stderr, /wrong\.yaml:3: server\.prot: unknown key\. Did you mean "port"\?/);
  assert.match(parse.stderr, /wrong\.yaml:5: server\.tenancy\.rate_limt: unknown key\. Did you mean "rate_limit"\?/);
  const tenancy = { rate_limit: { requests_per_minute: 9 }, overrides: { nobody: { budget: { limit_usd: 1 } } } };
  const refused = await apply(['--config', file('refused.yaml', { tenancy })]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /tenant "nobody" is not registered .*\nSee tenancy\.tenants.*\nnothing was written\n$/);
  for (const words of [[], ['--config'], ['--config', good, 'more'], ['--frobnicate', '--config', good]])
    assert.equal((await apply(words)).status, 2, words.join(' '));
  assert.match((await apply(['--config', good], {})).stderr, /no database to write to/);
  assert.equal(await inDatabase(), before);
});

/** A model that says its name, and ends when it is let. */
async function upstream(name, gate) {
  const keys = [];
  const port = await freePort();
  const piece = (delta, more = {}) => `data: ${JSON.stringify({ choices: [{ index: 0, delta, ...more }], ...more })}\n\n`;
  const server = http.createServer(async (request, response) => {
    keys.push(request.headers.authorization);
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(piece({ content: `${name} begins, ` }));
    await gate;
    response.write(piece({ content: `${name} ends` }));
    response.end(piece({}, { finish_reason: 'stop', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }) + 'data: [DONE]\n\n');
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  world.stoppers.push(() => server.close());
  return { keys, url: `http://127.0.0.1:${port}/v1` };
}

/** Changes a running server's file, tells it, and waits for what it logs. */
async function reload(server, text, event) {
  const already = server.log().length;
  writeFileSync(server.file, text, { mode: 0o600 });
  giveToServer(server.file);
  server.child.kill('SIGHUP');
  await until(event, () => server.log().slice(already).includes(`"event":"${event}"`));
  return server.log().slice(already);
}

claim('SIGHUP gives new requests the new model; a running stream ends as it began', async () => {
  let open;
  const old = await upstream('old', new Promise((resolve) => (open = resolve)));
  const fresh = await upstream('fresh', Promise.resolve());
  const key = world.secretFile('model.key', 'old-key');
  const server = await world.tenancyd({ model: { name: 'parrot', endpoint: old.url, api_key_file: key } });
  const options = async (more) => ({ token: await world.token('acme'), body: chatBody('hi', more) });
  const stream = await openStream(server.url, '/v1/chat/completions', await options({ stream: true }));
  assert.equal(stream.status, 200);

  world.secretFile('model.key', 'fresh-key');
  const config = structuredClone(server.config);
  config.model.endpoint = fresh.url;
  config.agent.name = 'renamed';
  config.server.port += 1;
  const log = await reload(server, JSON.stringify(config), 'reloaded');
  assert.match(log, /"event":"needs_restart","key":"server\.port"/);
  const answer = await send(server.url, 'POST', '/v1/chat/completions', await options());
  assert.equal(answer.json.choices[0].message.content, 'fresh begins, fresh ends');
  assert.equal((await send(server.url, 'GET', '/v1/agent-info', await options())).json.agent.name, 'renamed');
  open();
  assert.equal(contentOf(await stream.all()), 'old begins, old ends');
  assert.deepEqual([old.keys, fresh.keys], [['Bearer old-key'], ['Bearer fresh-key']]);
  assert.ok(!server.log().includes('fresh-key'));

  // A file with mistakes, or none at all: the last good one goes on.
  const refused = await reload(server, 'model: {provider: ehco}\nserver: {prot: 1}\n', 'reload_refused');
  assert.match(refused, /"event":"config_error".*provider.*Did you mean/);
  assert.match(refused, /"event":"config_error".*server\.prot/);
  assert.equal((await send(server.url, 'POST', '/v1/chat/completions', await options())).status, 200);
  assert.equal(await server.stop(), 0);
});

claim('SIGHUP changes the log level, the bound of turns and the metrics token', async () => {
  const metrics = { enabled: true, port: await freePort(), token_file: world.secretFile('metrics.token', 'one') };
  const server = await world.tenancyd({ server: { metrics, limits: { max_turns: 4 } }, model: { provider: 'echo', name: 'parrot' } });
  const scrape = async (token) => (await send(`http://127.0.0.1:${metrics.port}`, 'GET', '/metrics', { token })).status;
  assert.deepEqual([await scrape('one'), await scrape('two')], [200, 401]);
  world.secretFile('metrics.token', 'two');
  const config = structuredClone(server.config);
  Object.assign(config, { logging: { level: 'info' }, model: { ...config.model, echo_delay_ms: 60000 } });
  config.server.limits.max_turns = 1;
  await reload(server, JSON.stringify(config), 'reloaded');
  assert.deepEqual([await scrape('one'), await scrape('two')], [401, 200]);
  const request = async () => ({ token: await world.token('acme'), body: chatBody('hi', { stream: true }) });
  const held = openStream(server.url, '/v1/chat/completions', await request());
  held.catch(() => {}); // it is cut at the end
  await until('one turn runs', async () => /^tenancyd_turns_running 1$/m.test((await send(`http://127.0.0.1:${metrics.port}`, 'GET', '/metrics', { token: 'two' })).text));
  assert.equal((await send(server.url, 'POST', '/v1/chat/completions', await request())).status, 503);
  config.logging.level = 'error';
  config.server.limits.shutdown_timeout_seconds = 0;
  const already = server.log().length;
  writeFileSync(server.file, JSON.stringify(config), { mode: 0o600 });
  server.child.kill('SIGHUP');
  await until('it writes no access log', async () => {
    const before = server.log().length;
    await send(server.url, 'GET', '/healthz');
    return server.log().length === before;
  });
  assert.ok(!server.log().slice(already).includes('reload_refused'));
  assert.equal(await server.stop(), 0);
});
