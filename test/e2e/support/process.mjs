// Programs that a test file starts: on free loopback ports, as the servers' unprivileged user, logging
// to a file, stopped by their pid. Whatever is left when the file ends is killed.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { until } from './wire.mjs';

const PORT_FIRST = 20000; // below the kernel's ephemeral range, where outgoing connections get theirs
const PORT_COUNT = 10000;

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// run.sh goes through these when everything is over: an exception can end a process without "exit".
function remember(pid) {
  if (pid) writeFileSync(path.join(process.env.E2E_DIR, 'pids', String(pid)), '');
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export async function freePort() {
  for (;;) {
    const port = PORT_FIRST + Math.floor(Math.random() * PORT_COUNT);
    if (await canListen(port)) return port;
  }
}

/** Gives a file to the user that the servers run as; nothing to do unless we are root. */
export function giveToServer(...paths) {
  if (process.getuid() === 0) execFileSync('chown', [`${process.env.CLUSTER_OS_USER}:`, ...paths]);
}

/** The command that runs a program as that user. setpriv executes in place: the pid stays. */
export function asServer(command) {
  if (process.getuid() !== 0) return command;
  const user = process.env.CLUSTER_OS_USER;
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--', ...command];
}

export class Program {
  /** `isOurs`: runs as who runs the tests, because the servers' user need not see the npm packages. */
  constructor(command, logFile, { isOurs = false } = {}) {
    this.logFile = logFile;
    const log = openSync(logFile, 'a', 0o600);
    const [file, ...args] = isOurs ? command : asServer(command);
    this.child = spawn(file, args, { cwd: '/', stdio: ['ignore', log, log] });
    closeSync(log);
    running.add(this.child);
    remember(this.child.pid);
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(error.message));
      this.child.once('exit', (code, signal) => resolve(signal ?? code));
    }).then((how) => {
      running.delete(this.child);
      return (this.outcome = how);
    });
  }

  get pid() {
    return this.child.pid;
  }

  log() {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Waits until `check` gives something true; fails at once when the program ends before. */
  async ready(check) {
    await until(`${this.child.spawnfile} is ready`, async () => {
      if (this.outcome !== undefined)
        throw new Error(`it ended (${this.outcome}); its log:\n${this.log().slice(-2000)}`);
      return check();
    });
    return this;
  }

  /** Asks it to end and returns its exit status, or "SIGKILL" when it had to be killed. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    const how = await this.ended;
    clearTimeout(timer);
    return how;
  }
}
