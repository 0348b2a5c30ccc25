// A streaming standby of the cluster that run.sh started, in a directory that the servers' user can enter.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import assert from 'node:assert/strict';
import { asServer, freePort, giveToServer } from './process.mjs';

/** Runs a program as the servers' user to its end, without blocking this process. */
export async function runAsServer(...command) {
  const [file, ...args] = asServer(command);
  const child = spawn(file, args, { cwd: '/', stdio: 'ignore' });
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0, command.join(' '));
}

export class Standby {
  /** Copies the cluster and starts; `admin` is a pool of its superuser, `bindir` PostgreSQL's programs. */
  static async start(directory, admin, bindir) {
    const standby = new Standby();
    standby.data = path.join(directory, 'standby');
    standby.host = path.join(directory, 'standby-socket');
    standby.port = await freePort();
    standby.control = (...action) =>
      runAsServer(path.join(bindir, 'pg_ctl'), '-D', standby.data, '-l', `${standby.data}.log`, '-w', ...action);
    for (const made of [standby.data, standby.host]) {
      mkdirSync(made, { mode: 0o700 });
      giveToServer(made);
    }
    appendFileSync(path.join(process.env.CLUSTER_DATA, 'pg_hba.conf'), 'local replication all trust\n');
    await admin.query('SELECT pg_reload_conf()');
    const source = `host=${process.env.PGHOST} port=${process.env.PGPORT} user=${process.env.PGUSER}`;
    await runAsServer(path.join(bindir, 'pg_basebackup'), '-D', standby.data, '-X', 'stream', '-R', '-c', 'fast', '--no-sync', '-d', source);
    appendFileSync(
      path.join(standby.data, 'pg_tenancy.conf'),
      `port = ${standby.port}\nunix_socket_directories = '${standby.host}'\n`,
    );
    await standby.control('start');
    return standby;
  }

  promote() {
    return this.control('promote');
  }

  stop() {
    return this.control('stop', '-m', 'immediate');
  }
}
