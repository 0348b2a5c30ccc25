// Spans sent on as OTLP over HTTP: what a receiver gets, and that a receiver that is slow, broken or away
// costs spans and never a request.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after } from 'node:test';
import { freePort } from './support/process.mjs';
import { World, chatBody, claim } from './support/world.mjs';
import { send, until } from './support/wire.mjs';

// Made by OpenTelemetry from its own .proto files.
const { opentelemetry } = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js');
const ExportRequest = opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const exports = [];
let answerStatus = 200;
const receiver = http.createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  exports.push({ url: request.url, headers: request.headers, body: JSON.parse(body), text: body });
  if (answerStatus !== 'never') response.writeHead(answerStatus, { 'Content-Type': 'application/json' }).end('{}');
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
after(() => receiver.closeAllConnections() ?? receiver.close());

const world = await World.create('otlp');
const metricsPort = await freePort();
const server = await world.tenancyd({
  model: { provider: 'echo', name: 'parrot' },
  server: {
    metrics: { enabled: true, port: metricsPort },
    traces: {
      exporter: 'otel',
      otel_endpoint: `http://127.0.0.1:${receiver.address().port}/`,
      service_name: 'agents',
      otel_token_file: world.secretFile('otel.token', 'receiver-token\n'),
      timeout_seconds: 1,
    },
  },
});
const acme = await world.token('acme', 'alice');
const chat = (text, headers) =>
  send(server.url, 'POST', '/v1/chat/completions', { token: acme, headers, body: chatBody(text) });
const spans = () => exports.flatMap(({ body }) => body.resourceSpans[0].scopeSpans[0].spans);
const counter = async (name) => {
  const { text } = await send(`http://127.0.0.1:${metricsPort}`, 'GET', '/metrics');
  return Number(new RegExp(`^tenancyd_spans_${name}_total (\\d+)$`, 'm').exec(text)[1]);
};

/** The body as protobuf and back. What the schema does not have, or has as something else, is lost or refused. */
function throughSchema(body) {
  const isId = (name) => /^(trace|span|parentSpan)Id$/.test(name);
  const change = (from, to) => (text) =>
    JSON.parse(text, (name, value) => (isId(name) ? Buffer.from(value, from).toString(to) : value));
  // Protobuf's JSON has bytes as base64; OTLP's has its ids in hexadecimal.
  const message = ExportRequest.fromObject(change('hex', 'base64')(JSON.stringify(body)));
  assert.equal(ExportRequest.verify(message), null);
  const decoded = ExportRequest.decode(ExportRequest.encode(message).finish());
  const plain = ExportRequest.toObject(decoded, { longs: String, bytes: String, json: true });
  return change('base64', 'hex')(JSON.stringify(plain));
}

/** The members that the protocol's JSON has; every 64-bit number is a text. */
function checkSpan(span) {
  const { traceId, spanId, parentSpanId = '0'.repeat(16), name, kind, startTimeUnixNano, endTimeUnixNano, attributes, status, ...rest } = span;
  assert.deepEqual(rest, {});
  assert.match(traceId, /^[0-9a-f]{32}$/);
  for (const id of [spanId, parentSpanId]) assert.match(id, /^[0-9a-f]{16}$/);
  assert.ok(typeof name === 'string' && [2, 3].includes(kind) && [undefined, 2].includes(status.code));
  for (const time of [startTimeUnixNano, endTimeUnixNano]) assert.match(time, /^\d{19}$/);
  assert.ok(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano));
  assert.ok(Math.abs(Number(BigInt(endTimeUnixNano) / 1_000_000n) - Date.now()) < 30_000);
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const [[type, text]] = Object.entries(value);
      assert.ok(typeof text === 'string' && ['stringValue', 'intValue'].includes(type));
      return [key, type === 'intValue' ? Number(text) : text];
    }),
  );
}

claim('a turn is two spans of the trace that the client began, with its tenant and without its words', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const answer = await chat('unspeakable words', { traceparent, 'X-Request-ID': 'request-5' });
  await until('both have come', () => spans().length >= 2);
  const call = spans().find(({ kind }) => kind === 3);
  const request = spans().find(({ kind }) => kind === 2);
  const common = {
    'tenancy.tenant_id': 'acme',
    'tenancy.subject': 'alice',
    'tenancy.request_id': 'request-5',
    'tenancy.trace_id': answer.headers['x-trace-id'],
  };
  assert.deepEqual(checkSpan(request), {
    'http.request.method': 'POST',
    'http.route': '/v1/chat/completions',
    'http.response.status_code': 200,
    ...common,
  });
  assert.deepEqual(checkSpan(call), {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'parrot',
    'gen_ai.response.model': 'parrot',
    'gen_ai.usage.input_tokens': 5,
    'gen_ai.usage.output_tokens': 5,
    'tenancy.turn_status': 'ok',
    ...common,
  });
  assert.deepEqual([request.name, call.name], ['POST /v1/chat/completions', 'chat parrot']);
  assert.deepEqual([request.traceId, request.parentSpanId], traceparent.split('-').slice(1, 3));
  assert.deepEqual([call.traceId, call.parentSpanId], [request.traceId, request.spanId]);
  for (const { url, headers, body, text } of exports) {
    assert.equal(url, '/v1/traces');
    assert.match(headers['content-type'], /^application\/json/);
    assert.equal(headers.authorization, 'Bearer receiver-token');
    assert.deepEqual(Object.keys(body), ['resourceSpans']);
    assert.deepEqual(throughSchema(body), body);
    assert.deepEqual(body.resourceSpans[0].resource.attributes[0], {
      key: 'service.name',
      value: { stringValue: 'agents' },
    });
    assert.doesNotMatch(text, /unspeakable/);
    for (const part of acme.split('.')) assert.ok(!text.includes(part));
  }
  assert.equal(await counter('sent'), 2);
});

claim('a request without a verified tenant is no span', async () => {
  const before = spans().length;
  await send(server.url, 'GET', '/healthz');
  assert.equal((await send(server.url, 'GET', '/v1/traces', { token: `${acme.slice(0, -8)}AAAAAAAA` })).status, 401);
  await send(server.url, 'GET', '/v1/traces', { token: acme });
  await until('the last has come', () => spans().length > before);
  assert.equal(spans().length, before + 1);
  assert.equal(spans().at(-1).name, 'GET /v1/traces');
});

claim('what the receiver refuses or does not answer is dropped and counted, and no request waits', async () => {
  let dropped = await counter('dropped');
  for (const status of [503, 'never']) {
    answerStatus = status;
    const start = performance.now();
    for (let i = 0; i < 5; i++) assert.equal((await chat('hi')).status, 200);
    assert.ok(performance.now() - start < 800);
    await until('they are dropped', async () => (await counter('dropped')) >= dropped + 10);
    dropped += 10;
  }
  answerStatus = 200;
  await chat('hi');
  await until('the next ones come through', async () => (await counter('sent')) >= 5);
});

claim('the queue is bounded while the receiver hangs', async () => {
  answerStatus = 'never';
  const one = async () => {
    for (let i = 0; i < 160; i++) await send(server.url, 'GET', '/v1/traces', { token: acme });
  };
  await Promise.all(Array.from({ length: 20 }, one));
  const dropped = await counter('dropped'); // more than what the receiver did not take
  const log = readFileSync(`${server.file}.log`, 'utf8').matchAll(/"event":"spans_dropped".*"spans":(\d+)/g);
  assert.ok(dropped > [...log].reduce((sum, [, spans]) => sum + Number(spans), 0));
  answerStatus = 200;
});

claim('what is queued when the server stops is sent', async () => {
  const lastSize = () => exports.at(-1).body.resourceSpans[0].scopeSpans[0].spans.length;
  await until('the queue has emptied', async () => (await chat('hi')).status === 200 && lastSize() < 512);
  const before = exports.length;
  const answer = await chat('the last one');
  await server.stop();
  const ids = exports.slice(before).flatMap(({ text }) => text);
  assert.ok(ids.some((text) => text.includes(answer.headers['x-trace-id'])));
});
