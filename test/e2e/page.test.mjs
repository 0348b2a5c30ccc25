// The operator page in a real Chromium: what it shows is what the API says of one tenant, as text and
// nothing else, and it talks to nobody but the server it came from.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { chromium } from 'playwright-core';
import { until, send } from './support/wire.mjs';
import { World, chatBody, claim } from './support/world.mjs';

const HOSTILE = '<img src=x onerror="window.hostile=1">';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const world = await World.create('page');
await world.rows("SELECT tenancy.set_price($1, 1000, 2000)", HOSTILE);
await world.rows("SELECT tenancy.set_budget('acme', 'month', limit_usd => 50)");
await world.rows("SELECT tenancy.set_rate_limit('acme', requests_per_minute => 6000, burst => 500)");
const server = await world.tenancyd({ model: { provider: 'echo', name: HOSTILE } });
const acme = await world.token('acme', HOSTILE);
const globex = await world.token('globex', 'globex-bob');

const call = (token, method, path, body) => send(server.url, method, path, { token, body });
const chat = (token, text, session_id) =>
  call(token, 'POST', '/v1/chat/completions', chatBody(text, { session_id, max_tokens: 1000 }));
for (const text of ['one', 'two '.repeat(200), 'three']) await chat(acme, text, 'acme-session');
await call(acme, 'POST', '/v1/traces', { trace_id: 'trace_00000000000000aa', model: HOSTILE,
  spans: [{ span_id: 'span_1', name: HOSTILE, start_time: 1 }] });
await call(acme, 'GET', `/v1/usage?bucket=${encodeURIComponent(HOSTILE)}`); // refused
await world.rows("SELECT tenancy.set_budget('globex', 'month', limit_usd => 0)");
await chat(globex, 'refused', 'globex-session');

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
after(() => browser.close());

/** A new visit: a page, and whatever its console, its policy and its requests give rise to. */
async function visit({ viewport = { width: 1180, height: 900 }, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const seen = { complaints: [], urls: [], context };
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && seen.complaints.push(message.text()));
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  page.on('request', (request) => seen.urls.push(request.url()));
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective}`)));
  await page.goto(server.url);
  return { page, seen };
}

async function signIn(page, token) {
  await page.getByLabel('Token of the tenant').fill(token);
  await page.keyboard.press('Enter');
}

/** A signed-in visit with its first figures on show. */
async function shown(token, options) {
  const visited = await visit(options);
  await signIn(visited.page, token);
  await visited.page.locator('#overview').waitFor();
  return visited;
}

claim('the page needs no token, and its policy allows its own files and nothing else', async () => {
  const html = await send(server.url, 'GET', '/');
  assert.equal(html.status, 200);
  assert.doesNotMatch(html.text, /<script(?![^>]*\bsrc=")|<style|\sstyle=|\son\w+=|https?:/);
  for (const path of ['/', '/page/style.css', '/page/page.js', '/page/chart.js']) {
    const { status, headers } = await send(server.url, 'GET', path);
    assert.equal(status, 200, path);
    assert.equal(headers['content-security-policy'], "default-src 'none'; script-src 'self'; style-src 'self'; "
      + "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cache-control'], 'no-cache');
  }
  assert.equal((await send(server.url, 'GET', '/page/other.js')).status, 404);
});

claim("it shows the API's own figures of the tenant, and nothing of another one", async () => {
  const { page, seen } = await shown(acme);
  const usage = (await call(acme, 'GET', '/v1/usage')).json.models[0];
  const budget = (await call(acme, 'GET', '/v1/budget')).json.budgets[0];
  assert.ok(usage.cost_usd > 0 && usage.cost_usd === budget.spent_usd);
  const text = await page.locator('body').innerText();
  const tile = async (name) => page.locator('#tiles > div', { has: page.getByText(name, { exact: true }) }).locator('.figure').innerText();
  const dollars = (shownText) => Number(shownText.replaceAll(/[$,]/g, ''));
  assert.ok(Math.abs(dollars(await tile('Spend')) - usage.cost_usd) < usage.cost_usd / 100, await tile('Spend'));
  assert.equal(await tile('Requests'), String(usage.requests));
  assert.ok(Math.abs(dollars(await tile('Left to spend')) - (50 - budget.spent_usd)) < 0.01);
  assert.match(await tile('Rate'), /^\d{2,3} left$/);
  const row = await page.locator('#models tbody tr').innerText();
  for (const figure of [usage.input_tokens, usage.output_tokens]) assert.ok(row.includes(figure.toLocaleString('en-US')), row);
  assert.equal(await page.locator('#turns tbody tr').count(), 4);
  assert.equal(await page.locator('#plot polyline.left').count(), 1);
  assert.match(await page.locator('#plot svg').getAttribute('aria-label'), /left$/);
  assert.match(text, /usage\.read/);
  assert.match(text, /acme-session/);
  assert.doesNotMatch(text, /globex/);
  assert.deepEqual(seen.complaints, []);
  await seen.context.close();
});

claim('names that would be markup are text', async () => {
  const { page, seen } = await shown(acme);
  for (const part of ['#models', '#turns', '#refusals']) assert.ok((await page.locator(part).innerText()).includes(HOSTILE), part);
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.evaluate(() => window.hostile), undefined);
  assert.deepEqual(seen.complaints, []);
  await seen.context.close();
});

claim('it asks this server alone, and keeps the token in its memory alone', async () => {
  const { page, seen } = await shown(acme);
  assert.ok(seen.urls.length >= 8, `${seen.urls}`);
  assert.deepEqual(seen.urls.filter((url) => new URL(url).origin !== server.url && !url.startsWith('data:')), []);
  const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie,
    document.documentElement.outerHTML, document.querySelector('#token').value]));
  assert.ok(!kept.includes(acme.split('.')[2]) && !seen.urls.some((url) => url.includes(acme)));
  await page.getByRole('button', { name: 'Forget token' }).click();
  assert.doesNotMatch(await page.locator('main').evaluate((main) => main.outerHTML), /acme/);
  await page.reload();
  assert.ok(await page.locator('#sign-in').isVisible() && !(await page.locator('#overview').isVisible()));
  await seen.context.close();
});

claim('refusals and a lost server are told in words, and a lost server is asked again', async () => {
  const { page, seen } = await visit();
  const message = page.getByRole('alert');
  await signIn(page, 'nonsense');
  assert.match(await message.innerText(), /no token/);
  await signIn(page, await world.token('acme', 'late', { exp: 1 }));
  await until('the bad token is named', async () => /does not accept this token/.test(await message.innerText()));
  assert.ok(await page.locator('#sign-in').isVisible());
  await world.rows("SELECT tenancy.suspend_tenant('globex')");
  await signIn(page, globex);
  await until('the suspension is named', async () => /may not read here.*suspended/.test(await message.innerText()));
  await page.route('**/v1/**', (route) => route.abort());
  await signIn(page, acme);
  await until('the loss is named', async () => /cannot be reached. Trying again in 5 s/.test(await message.innerText()));
  await page.unroute('**/v1/**');
  await page.locator('#overview').waitFor({ timeout: 8000 });
  assert.ok(!(await message.isVisible()));
  await seen.context.close();
});

claim('it fits a telephone, in the dark', async () => {
  const { page, seen } = await shown(acme, { viewport: { width: 360, height: 800 }, colorScheme: 'dark' });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(ground, 'rgb(18, 22, 28)');
  await seen.context.close();
});
