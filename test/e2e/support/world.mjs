// What a test file lives in: a database of its own in the cluster that run.sh started, an application
// role, an issuer, the tenants acme and globex, and as many tenancyd as it asks for.
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import pg from 'pg';
import { AUDIENCE, Issuer, TENANT_CLAIM } from './issuer.mjs';
import { Program, freePort, giveToServer } from './process.mjs';
import { send } from './wire.mjs';

const ROOT = path.resolve(new URL('../../..', import.meta.url).pathname);

// A file that hangs is a failure, not a wait without end.
setTimeout(() => process.exit(1), 180_000).unref();

/** A test named by the claim it checks. */
export const claim = (name, check) => test(name, { timeout: 90_000 }, check);

export const chatBody = (text, more = {}) => ({ messages: [{ role: 'user', content: text }], ...more });

export class World {
  /**
   * Register tests only after everything that a file awaits at its top: the runner takes a pause for the
   * end. `name` is part of the names of the database and the role: letters and digits.
   */
  static async create(name) {
    const world = new World();
    world.database = `e2e_${name}`;
    world.role = `e2e_${name}_app`;
    world.password = randomBytes(12).toString('hex');
    world.directory = mkdtempSync(path.join(process.env.E2E_DIR, `${name}-`));
    world.stoppers = [];
    await world.createDatabase();
    world.issuer = await Issuer.create(`https://${name}.issuer.example`);
    await world.trust(world.issuer, { tenants: ['acme', 'globex'] });
    after(() => world.close());
    return world;
  }

  async createDatabase() {
    const cluster = new pg.Client({ database: 'postgres' });
    await cluster.connect();
    await cluster.query(`CREATE DATABASE ${this.database}`);
    await cluster.query(`CREATE ROLE ${this.role} LOGIN PASSWORD '${this.password}'`);
    await cluster.end();
    this.admin = new pg.Pool({ database: this.database, max: 2 });
    this.admin.on('error', () => {}); // idle connections end when a test restarts the server
    this.stoppers.push(() => this.admin.end());
    await this.admin.query('CREATE EXTENSION pg_tenancy');
    await this.admin.query('SELECT tenancy.grant_app($1)', [this.role]);
  }

  /** The rows of a statement run as the superuser, who sees all tenants. */
  async rows(sql, ...parameters) {
    return (await this.admin.query(sql, parameters)).rows;
  }

  /** The only value of a statement run as the superuser. */
  async value(sql, ...parameters) {
    return Object.values((await this.rows(sql, ...parameters))[0])[0];
  }

  /** Registers an issuer, its keys, and tenants named like their claim value. */
  async trust(issuer, { tenants, audience = AUDIENCE, claim: tenantClaim = TENANT_CLAIM, typ = 'any' }) {
    await this.rows(
      'SELECT tenancy.add_issuer($1, $2, $3, typ => $4)',
      issuer.url,
      [audience],
      tenantClaim,
      typ,
    );
    await this.rows('SELECT * FROM tenancy.load_jwks($1, $2::text)', issuer.url, JSON.stringify(issuer.jwks));
    for (const tenant of tenants)
      await this.rows('SELECT tenancy.add_tenant($1, $2, $1)', tenant, issuer.url);
  }

  token(tenant, subject, more) {
    return this.issuer.token(tenant, subject, more);
  }

  /** Where the application role reaches its database: through the socket, or another host and port. */
  databaseUrl(host = process.env.PGHOST, port = process.env.PGPORT) {
    return `postgresql://${this.role}:${this.password}@/${this.database}?host=${encodeURIComponent(host)}&port=${port}`;
  }

  /**
   * Starts a tenancyd; `model` and `server` are the blocks of its configuration, and `databaseUrl`
   * another way to the database. Returns the Program with `url`. `ca`: the file of the certificate to
   * trust when it speaks TLS.
   */
  async tenancyd({ model = { provider: 'echo' }, server = {}, storage = {}, logging = {}, ca } = {}) {
    const port = await freePort();
    const binary = this.binary();
    const file = path.join(this.directory, `tenancyd-${port}.yaml`);
    const config = {
      agent: { name: 'e2e-agent', description: 'an agent under test' },
      model,
      logging,
      server: {
        host: '127.0.0.1',
        port,
        ...server,
        storage: { database_url: this.databaseUrl(), ...storage },
      },
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 }); // JSON is YAML
    giveToServer(this.directory, file, binary);
    const program = new Program([binary, 'serve', '--config', file], `${file}.log`);
    this.stoppers.push(() => program.stop());
    program.url = `${ca ? 'https' : 'http'}://127.0.0.1:${port}`;
    Object.assign(program, { file, config });
    const isReady = () =>
      send(program.url, 'GET', '/readyz', { ca }).then(
        (answer) => answer.status === 200,
        () => false,
      );
    return program.ready(isReady);
  }

  /**
   * Starts `tenancyd sync-keys` with these blocks of its configuration; with '--once' waits for its end.
   * Returns the Program.
   */
  async keyLoader(server, ...options) {
    const binary = this.binary();
    const file = path.join(this.directory, `keys-${this.stoppers.length}.yaml`);
    const config = {
      model: { provider: 'echo' },
      server: { ...server, storage: { database_url: this.databaseUrl() } },
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    giveToServer(this.directory, file, binary);
    const program = new Program([binary, 'sync-keys', '--config', file, ...options], `${file}.log`);
    this.stoppers.push(() => program.stop());
    if (options.includes('--once')) await program.ended;
    program.metricsPort = server.key_sync.metrics?.port;
    program.file = file;
    return program;
  }

  /** The server's program, where its user can read it. */
  binary() {
    const binary = path.join(this.directory, 'tenancyd');
    if (!existsSync(binary)) copyFileSync(path.join(ROOT, 'build/tenancyd'), binary);
    return binary;
  }

  /** Writes a file that only the servers' user can read; returns its path. */
  secretFile(name, text) {
    const file = path.join(this.directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    giveToServer(file);
    return file;
  }

  async close() {
    for (const stop of this.stoppers.reverse()) await stop();
  }
}
