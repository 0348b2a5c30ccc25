// Prints one line per claim, and appends the counts to the file that run.sh adds up.
import { appendFileSync } from 'node:fs';
import path from 'node:path';

const isFile = (data) => path.basename(data.name).endsWith('.test.mjs');

function describe({ details }) {
  const error = details.error?.cause ?? details.error;
  return String(error?.stack ?? error)
    .split('\n')
    .slice(0, 25)
    .map((line) => `        ${line}`)
    .join('\n');
}

export default async function* report(source) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of source) {
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const seconds = `(${(data.details.duration_ms / 1000).toFixed(2)} s)`;
    if (type === 'test:pass' && isFile(data)) continue;
    if (data.skip !== undefined) {
      skipped += 1;
      yield `skipped ${data.name}: ${data.skip}\n`;
    } else if (type === 'test:pass') {
      passed += 1;
      yield `ok      ${data.name} ${seconds}\n`;
    } else if (!(isFile(data) && data.details.error?.failureType === 'subtestsFailed')) {
      failed += 1;
      yield `FAILED  ${data.name} ${seconds}\n${describe(data)}\n`;
    }
  }
  appendFileSync(process.env.E2E_COUNTS, `${passed} ${failed} ${skipped}\n`);
}
