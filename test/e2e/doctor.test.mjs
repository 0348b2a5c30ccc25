// tenancyd doctor: exit status, text and JSON, and what it must not print. The rules themselves are tested
// in test/sql/check_isolation.sql.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { World, claim } from './support/world.mjs';

const ROOT = path.resolve(new URL('../..', import.meta.url).pathname);
const PASSWORD = 'hunter2-hunter2';

const world = await World.create('doctor');
const monitor = 'e2e_doctor_monitor';
await world.rows(`CREATE ROLE ${monitor} LOGIN PASSWORD '${PASSWORD}'`);
await world.rows(`GRANT USAGE ON SCHEMA tenancy TO ${monitor}`);
await world.rows(`GRANT EXECUTE ON FUNCTION tenancy.check_isolation() TO ${monitor}`);

const url = (role, database = world.database) =>
  `postgresql://${role}:${PASSWORD}@/${database}?host=${encodeURIComponent(process.env.PGHOST)}&port=${process.env.PGPORT}`;
const superuser = url(process.env.PGUSER);

/** Runs the command; resolves with its status and everything it printed. */
function doctor(words, environment = {}) {
  const options = { env: { PATH: process.env.PATH, ...environment }, cwd: '/', maxBuffer: 1 << 24 };
  return new Promise((resolve) => {
    execFile(path.join(ROOT, 'build/tenancyd'), ['doctor', ...words], options, (error, stdout, stderr) => {
      assert.ok(!(stdout + stderr).includes(PASSWORD), 'a password was printed');
      resolve({ status: error ? error.code : 0, stdout, stderr });
    });
  });
}
const fixAll = async () => {
  for (const { fix } of await world.rows("SELECT fix FROM tenancy.check_isolation() WHERE fix !~ '^--'"))
    await world.rows(fix);
};

claim('findings give status 1, as text with a count and as JSON', async () => {
  const text = await doctor(['--database-url', superuser]);
  assert.equal(text.status, 1, text.stderr);
  assert.match(text.stdout, /^high {2}activity_visible {2}PUBLIC\n {4}.+\n {4}fix: REVOKE EXECUTE /m);
  assert.match(text.stdout, /\ndoctor: \d+ findings, \d+ high, .*\n$/);
  const json = await doctor(['--json'], { TENANCYD_DATABASE_URL: superuser });
  assert.equal(json.status, 1, json.stderr);
  const { findings } = JSON.parse(json.stdout);
  assert.deepEqual(Object.keys(findings[0]), ['rule', 'severity', 'object', 'why', 'fix']);
  assert.ok(findings.every(({ severity }) => severity !== 'info'), 'info is below the level unless asked for');
});

claim('when every fix was applied the status is 0', async () => {
  await fixAll();
  const clean = await doctor(['--database-url', superuser]);
  assert.deepEqual([clean.status, clean.stdout], [0, 'doctor: 0 findings\n'], clean.stderr);
  const all = await doctor(['--min-severity', 'info', '--database-url', superuser]);
  assert.equal(all.status, 1);
  assert.match(all.stdout, /^info {2}local_trust/m);
});

claim('a hole that somebody makes is found, by a monitoring role, too; the level decides the status', async () => {
  await world.rows('CREATE TABLE public.orders (tenant_id text, "od\u001bd" int)');
  await world.rows('CREATE INDEX "a\u001b[2J" ON public.orders ("od\u001bd")');
  await world.rows(`GRANT SELECT ON public.orders TO ${world.role}`);
  const found = await doctor(['--min-severity', 'critical', '--database-url', url(monitor)]);
  assert.equal(found.status, 1, found.stderr);
  assert.match(found.stdout, /^critical {2}table_without_rls {2}public\.orders$/m);
  assert.ok(!(await doctor(['--database-url', superuser])).stdout.includes('\u001b'), 'a control character got through');
  await world.rows('ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
  assert.equal((await doctor(['--min-severity', 'critical', '--database-url', superuser])).status, 0);
  assert.equal((await doctor(['--min-severity', 'medium', '--database-url', superuser])).status, 1);
  await world.rows('DROP TABLE public.orders');
});

claim('what cannot be asked gives status 2, says why, and shows no secret', async () => {
  const config = world.secretFile('app.yaml', JSON.stringify({ server: { storage: { database_url: world.databaseUrl() } }, model: { provider: 'echo' } }));
  const cases = [
    [['--database-url', world.databaseUrl()], /may not run tenancy\.check_isolation/],
    [[config], /may not run tenancy\.check_isolation/],
    [['--database-url', url(process.env.PGUSER, 'postgres')], /no tenancy\.check_isolation/],
    [['--database-url', url(process.env.PGUSER, 'nowhere')], /cannot connect/],
    [['--database-url', `host=/tmp ${PASSWORD}`], /cannot connect/],
    [['--database-url', `postgresql://x:${PASSWORD}@[`], /cannot connect/],
    [['--database-url'], /usage:/],
    [['--min-severity', 'worst'], /unknown severity/],
    [['--frobnicate'], /usage:/],
    [[], /no database to ask/],
    [[path.join(world.directory, 'none.yaml')], /configuration cannot be used/],
  ];
  for (const [words, reason] of cases) {
    const { status, stdout, stderr } = await doctor(words);
    assert.deepEqual([status, stdout], [2, ''], words.join(' '));
    assert.match(stderr, reason, words.join(' '));
  }
});
