// streams.mjs URL PID TOKEN COUNT: opens COUNT streamed turns and prints by how much the resident memory of
// process PID grew for each, in KiB.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [url, pid, token, count] = process.argv.slice(2);
const resident = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
const body = JSON.stringify({ model: 'm', stream: true, max_tokens: 100, messages: [{ role: 'user', content: 'hello' }] });

const before = resident();
const statuses = await Promise.all(Array.from({ length: Number(count) }, () => new Promise((resolve, reject) => {
  const request = http.request(`${url}/v1/chat/completions`, { method: 'POST', headers, agent: false }, (response) => {
    response.once('data', () => resolve(response.statusCode));
    response.on('error', () => {});
  });
  request.on('error', reject);
  request.end(body);
})));
if (statuses.some((status) => status !== 200)) throw new Error(`not all streams opened: ${statuses}`);
await sleep(500);
console.log(((resident() - before) / Number(count)).toFixed(0));
process.exit(0);
