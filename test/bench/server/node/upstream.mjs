// A model server that gives the same answer after DELAY_MS, streamed or whole; a stream pauses PAUSE_MS after
// each piece. Environment: PORT, DELAY_MS, PAUSE_MS.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const DELAY_MS = Number(process.env.DELAY_MS ?? 0);
const PAUSE_MS = Number(process.env.PAUSE_MS ?? 0);
const PIECES = 10;
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
  if (PAUSE_MS === 0) response.cork(); // one packet
  for (let i = 0; i < PIECES && !response.destroyed; i++) {
    response.write(frame({ content: 'word ' }));
    if (PAUSE_MS > 0) await sleep(PAUSE_MS);
  }
  response.end(`${frame({}, 'stop')}data: ${JSON.stringify({ ...head, choices: [], usage })}\n\ndata: [DONE]\n\n`);
}

http.createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (DELAY_MS > 0) await sleep(DELAY_MS);
  if (body.includes('"stream":true')) return stream(response);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(whole) });
  response.end(whole);
}).listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 1024 });
