// A real PgBouncer between the clients of a test file and its database.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { Program, freePort, giveToServer } from './process.mjs';

const BOUNCER = '/usr/sbin/pgbouncer';

export class Bouncer {
  /** Starts one for `world`; `settings` are lines of its [pgbouncer] section, added to transaction mode. */
  static async start(world, settings) {
    const bouncer = new Bouncer();
    bouncer.world = world;
    bouncer.port = await freePort();
    const users = world.secretFile(`users-${bouncer.port}.txt`, `"${world.role}" "${world.password}"\n`);
    const file = path.join(world.directory, `pgbouncer-${bouncer.port}.ini`);
    writeFileSync(
      file,
      `[databases]
${world.database} = host=${process.env.PGHOST} port=${process.env.PGPORT}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${bouncer.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
max_client_conn = 100
${settings.join('\n')}
`,
    );
    giveToServer(world.directory, file);
    bouncer.program = new Program([BOUNCER, file], `${file}.log`);
    world.stoppers.push(() => bouncer.stop());
    await bouncer.program.ready(() =>
      bouncer.connect().then(
        (client) => client.end().then(() => true),
        () => false,
      ),
    );
    return bouncer;
  }

  /** A client of the application role. */
  async connect() {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: this.world.role,
      password: this.world.password,
      database: this.world.database,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  get url() {
    const { role, password, database } = this.world;
    return `postgresql://${role}:${password}@127.0.0.1:${this.port}/${database}`;
  }

  stop() {
    return this.program.stop('SIGINT');
  }
}

/** Runs the statements of `work` in one transaction of `client`, committed or rolled back. */
export async function transaction(client, work) {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
