// A real Valkey (or Redis, which speaks the same protocol) for one test file: on a free loopback port,
// with a password, keeping nothing on disk.
import { execFile } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Program, freePort, giveToServer } from './process.mjs';

const run = promisify(execFile);
// The tools are enough, and install no service: their check-rdb is the server when it is called so.
const TOOLS = ['valkey', 'redis'].find((name) => existsSync(`/usr/bin/${name}-check-rdb`));

export class Valkey {
  static async create(world) {
    if (!TOOLS) throw new Error('there are neither valkey-tools nor redis-tools: run scripts/deps.sh check');
    const valkey = new Valkey();
    valkey.world = world;
    valkey.password = 'p@ss:w/rd%';
    valkey.port = await freePort();
    valkey.binary = path.join(world.directory, `${TOOLS}-server`);
    symlinkSync(`/usr/bin/${TOOLS}-check-rdb`, valkey.binary);
    // Its own title would hide the directory, by which run.sh knows what is ours.
    valkey.file = world.secretFile(
      'valkey.conf',
      `bind 127.0.0.1\nport ${valkey.port}\nrequirepass ${valkey.password}\nsave ""\nappendonly no\n` +
        `dir ${world.directory}\nset-proc-title no\n`,
    );
    giveToServer(world.directory);
    valkey.url = `redis://:${encodeURIComponent(valkey.password)}@127.0.0.1:${valkey.port}/3`;
    world.stoppers.push(() => valkey.program.stop('SIGKILL'));
    await valkey.start();
    return valkey;
  }

  async start() {
    this.program = new Program([this.binary, this.file], path.join(this.world.directory, 'valkey.log'));
    await this.program.ready(() => this.ask('PING').then((answer) => answer === 'PONG', () => false));
  }

  /** The answer to one command, as its command-line client prints it. */
  async ask(...command) {
    const args = ['-p', String(this.port), '-n', '3', '--no-auth-warning', ...command];
    const { stdout } = await run(`${TOOLS}-cli`, args, { env: { REDISCLI_AUTH: this.password } });
    return stdout.trim();
  }

  /** Names of all keys, sorted. */
  async keys() {
    return (await this.ask('KEYS', '*')).split('\n').filter(Boolean).sort();
  }

  /** Units that are taken of a flow just now, or shortly before: it falls with time. */
  async taken(tenant, unit) {
    return Number((await this.ask('GET', `tenancy:{${tenant}}:${unit}`)).split(' ')[0]) / 60000;
  }
}
