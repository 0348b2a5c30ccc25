// A wire tap between two servers: forwards bytes unchanged, remembers what the near side sent, and can
// cut the wire. It understands nothing of what it carries.
import net from 'node:net';
import { freePort } from './process.mjs';

export class Tap {
  /** Forwards a free loopback port to `url`. */
  static async start(url) {
    const { hostname, port } = new URL(url);
    const self = new Tap();
    self.sent = '';
    self.sockets = new Set();
    self.server = net.createServer((near) => self.connect(near, net.connect(Number(port), hostname)));
    self.port = await freePort();
    self.url = `http://127.0.0.1:${self.port}`;
    await self.listen();
    return self;
  }

  listen() {
    return new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
  }

  connect(near, far) {
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
    }
    near.on('data', (bytes) => (this.sent += bytes.toString('latin1')));
    near.on('close', () => far.destroy());
    far.on('close', () => near.end());
    near.pipe(far);
    far.pipe(near);
  }

  /** The JSON body of the last request that went through. */
  lastBody() {
    const start = this.sent.lastIndexOf('\r\n\r\n') + 4;
    return JSON.parse(Buffer.from(this.sent.slice(start), 'latin1').toString('utf8'));
  }

  /** Resets every connection; new ones are still taken. */
  cut() {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Cuts, and takes no more connections until listen(). */
  close() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    return closed;
  }
}
