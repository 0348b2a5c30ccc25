// A model's server written byte by byte, so that it can misbehave in any way. It reads requests off raw
// connections and plays, for each model name, the next of the given answers; without any it behaves.
import net from 'node:net';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

export const chunked = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

/** Frames of an event stream, each a JSON text as it is to arrive. */
export const frames = (...texts) => texts.map((text) => chunked(`data: ${text}\n\n`)).join('');

export const content = (text) => `{"choices":[{"index":0,"delta":{"content":${JSON.stringify(text)}}}]}`;

export const END =
  '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5}}';

/** A whole well-behaved answer of these frames. */
export const stream = (...texts) => HEAD + frames(...texts, END, '[DONE]') + '0\r\n\r\n';

/** The same without an end: what follows is up to the caller. */
export const begun = (...texts) => HEAD + frames(...texts);

export const status = (line, headers = '') =>
  `HTTP/1.1 ${line}\r\n${headers}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;

export class RawModel {
  static async start() {
    const model = new RawModel();
    model.requests = []; // { head, body: JSON, connection: number of it }
    model.connections = [];
    model.plans = {};
    model.server = net.createServer((socket) => model.serve(socket));
    await new Promise((resolve) => model.server.listen(0, '127.0.0.1', resolve));
    model.url = `http://127.0.0.1:${model.server.address().port}/v1`;
    return model;
  }

  /** The next answers of a model: texts, or functions of the socket. Forgets earlier requests. */
  plan(plans) {
    this.plans = plans;
    this.requests = [];
  }

  /** Models in the order in which they were asked. */
  get asked() {
    return this.requests.map(({ body }) => body.model);
  }

  serve(socket) {
    const connection = this.connections.push(socket) - 1;
    let seen = '';
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text) => {
      seen += text;
      const end = seen.indexOf('\r\n\r\n');
      const length = end < 0 ? 0 : Number(/content-length: (\d+)/i.exec(seen)[1]);
      if (end < 0 || Buffer.byteLength(seen.slice(end + 4)) < length) return;
      const [head, body] = [seen.slice(0, end), JSON.parse(seen.slice(end + 4))];
      seen = '';
      this.requests.push({ head, body, connection });
      const next = this.plans[body.model]?.shift() ?? stream(content(`from ${body.model}`));
      if (typeof next === 'function') next(socket);
      else socket.write(next);
    });
  }

  close() {
    for (const socket of this.connections) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }
}
