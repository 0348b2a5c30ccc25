// A model server that answers at once, or after DELAY_MS, with the same answer. A streamed one waits DELAY_MS
// between its pieces. Environment: PORT, DELAY_MS.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const DELAY_MS = Number(process.env.DELAY_MS ?? 0);
const PIECES = 30;
const head = { id: 'x', object: 'chat.completion', created: 1, model: 'm' };
const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };
const whole = JSON.stringify({
  ...head, usage,
  choices: [{ index: 0, message: { role: 'assistant', content: 'an answer of ten tokens, or of about that many' }, finish_reason: 'stop' }],
});
const frame = (delta, finish_reason = null) =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;

async function stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let i = 0; i < PIECES && !response.destroyed; i++) {
    response.write(frame({ content: 'word ' }));
    await sleep(DELAY_MS);
  }
  response.end(`${frame({}, 'stop')}data: ${JSON.stringify({ ...head, choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

http.createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (body.includes('"stream":true')) return stream(response);
  if (DELAY_MS > 0) await sleep(DELAY_MS);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(whole) });
  response.end(whole);
}).listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 1024 });
