// HTTP as bytes: requests with exactly the headers a test names, answers with exactly the headers that
// came, streams with the time at which each frame arrived. Knows nothing of tokens or databases.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const REQUEST_TIMEOUT_MS = 30_000;

/** Headers that differ between two answers to the same question. */
const VOLATILE = new Set(['date', 'x-request-id', 'keep-alive', 'connection']);

export class Answer {
  constructor(response, text) {
    this.status = response.statusCode;
    this.rawHeaders = response.rawHeaders;
    this.headers = response.headers;
    this.text = text;
  }

  /** The body as JSON; throws when it is none. */
  get json() {
    return JSON.parse(this.text);
  }

  /** Status, headers but the volatile ones, and body, as one text that can be compared. */
  fingerprint() {
    const lines = [];
    for (let i = 0; i < this.rawHeaders.length; i += 2)
      if (!VOLATILE.has(this.rawHeaders[i].toLowerCase()))
        lines.push(`${this.rawHeaders[i]}: ${this.rawHeaders[i + 1]}`);
    return [this.status, ...lines, '', this.text].join('\n');
  }
}

function headersOf({ token, headers = {}, body }) {
  const all = { ...headers };
  const names = Object.keys(all).map((name) => name.toLowerCase());
  if (token !== undefined) all.Authorization = `Bearer ${token}`;
  if (body !== undefined && !names.includes('content-type')) all['Content-Type'] = 'application/json';
  if (body !== undefined && !names.includes('transfer-encoding'))
    all['Content-Length'] = Buffer.byteLength(body);
  return all;
}

/** Starts a request; resolves with the response when its head has arrived. */
function open(url, method, options) {
  const body = typeof options.body === 'object' ? JSON.stringify(options.body) : options.body;
  const headers = headersOf({ ...options, body });
  return new Promise((resolve, reject) => {
    const tls = options.ca ? { ca: readFileSync(options.ca) } : {};
    const { request: start } = options.ca ? https : http;
    const request = start(url, { method, headers, agent: false, timeout: REQUEST_TIMEOUT_MS, ...tls });
    request.on('timeout', () => request.destroy(new Error(`no answer from ${method} ${url.pathname}`)));
    request.on('error', reject);
    request.on('response', (response) => resolve({ request, response }));
    request.end(body);
  });
}

/**
 * One request and its whole answer. `options`: token, headers (a value that is an array is sent as so
 * many header lines), body (an object is sent as JSON, a string as it is), ca (of a https server, a file).
 */
export async function send(base, method, path, options = {}) {
  const { response } = await open(new URL(base + path), method, options);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return new Answer(response, Buffer.concat(chunks).toString('utf8'));
}

/** A streamed answer that is still arriving. */
export class Stream {
  constructor({ request, response }) {
    this.request = request;
    this.response = response;
    this.status = response.statusCode;
    this.headers = response.headers;
    this.text = '';
  }

  /** Yields { data, at } for each frame: the text after "data: " and when it was complete, in ms. */
  async *frames() {
    let seen = 0;
    this.response.setEncoding('utf8');
    for await (const chunk of this.response) {
      this.text += chunk;
      for (let end; (end = this.text.indexOf('\n\n', seen)) >= 0; seen = end + 2)
        yield { data: this.text.slice(seen, end).replace(/^data: /, ''), at: performance.now() };
    }
  }

  /** All frames, JSON ones parsed. */
  async all() {
    const out = [];
    for await (const { data, at } of this.frames())
      out.push({ at, data, json: data === '[DONE]' ? undefined : JSON.parse(data) });
    return out;
  }

  /** Hangs up without reading on. */
  hangUp() {
    this.request.destroy();
  }
}

/** POST that is answered with server-sent events. */
export async function openStream(base, path, options) {
  return new Stream(await open(new URL(base + path), 'POST', options));
}

/** The text of a whole stream: its content deltas put together. */
export function contentOf(frames) {
  return frames.map(({ json }) => json?.choices?.[0]?.delta?.content ?? '').join('');
}

/** Polls until `check` gives something true, and returns that; fails with `what` after the time. */
export async function until(what, check, timeoutMs = 10_000) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`timed out waiting until ${what}`);
    await sleep(20);
  }
}
