// The operator page of one tenant: asks the API with a pasted token and shows the answers. The token lives
// in this module only. Whatever the API says is set as text, never as markup.
import { bars, burnDown, meter, usd } from './chart.js';

const EVERY_MS = 30_000;
const LONGEST_WAIT_MS = 300_000;
const PATIENCE_MS = 15_000;
const BUCKET = { hour: 'minute', day: 'hour', month: 'day', total: 'day' };

let token = '';
let timer;
let failures = 0;
let session = 0; // answers to an earlier token are dropped

const at = (id) => document.getElementById(id);

function element(name, { className = '', ...attributes } = {}, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children); // strings become text
  return made;
}

const count = (number) => Number(number ?? 0).toLocaleString('en-US');
const time = (text) => new Date(text).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' });

/** Why there is nothing new to show, in words. `isFinal`: asking again with this token is of no use. */
class Trouble extends Error {
  constructor(message, { isFinal = false, waitMs = 0 } = {}) {
    super(message);
    Object.assign(this, { isFinal, waitMs });
  }
}

function troubleOf(status, body, headers) {
  const said = typeof body?.error?.message === 'string' ? ` The server says: ${body.error.message}` : '';
  const waitMs = 1000 * (Number(headers.get('retry-after')) || 0);
  if (status === 401)
    return new Trouble('The server does not accept this token: it is expired, revoked, or not meant for this service. Paste another one.', { isFinal: true });
  if (status === 403) return new Trouble(`This token may not read here.${said}`, { isFinal: true });
  if (status === 429) return new Trouble("The tenant's rate limit is used up; this page waits.", { waitMs });
  if (status === 503) return new Trouble('The server or its database is not available at the moment.', { waitMs });
  return new Trouble(`The server answered with status ${status}.${said}`, { waitMs });
}

/** GET of a path of the API: {body, headers}, or a Trouble is thrown. */
async function ask(path) {
  let response, body;
  try {
    response = await fetch(path, {
      headers: { Authorization: `Bearer ${token}` },
      cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS),
    });
    body = await response.json();
  } catch {
    if (!response) throw new Trouble('The server cannot be reached.');
    if (response.ok) throw new Trouble('The answer of the server was cut off or is not JSON.');
  }
  if (!response.ok) throw troubleOf(response.status, body, response.headers);
  return { body, headers: response.headers };
}

function table(columns, rows, nothing) {
  if (rows.length === 0) return element('p', { className: 'quiet' }, nothing);
  const cell = (name, column, ...content) => element(name, { className: column.number ? 'number' : column.short ? 'short' : '' }, ...content);
  const head = columns.map((column) => {
    const made = cell('th', column, column.title);
    made.setAttribute('scope', 'col');
    return made;
  });
  const lines = rows.map((row) => element('tr', {}, ...columns.map((column) => cell('td', column, column.of(row) ?? ''))));
  return element('div', { className: 'scroll', tabindex: '0' },
    element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...lines)));
}

const hasMoney = (budget) => budget.limit_usd !== undefined;
const nameOf = (budget) => {
  const whose = budget.scope === 'tenant' ? 'Tenant' : `Subject ${budget.identifier}`;
  const mode = budget.mode === 'observe' ? ', only observed' : '';
  return `${whose}, ${budget.window === 'total' ? 'all time' : `this ${budget.window}`}${mode}`;
};

function showBudgets(budgets) {
  const one = (budget) => {
    const parts = [];
    const add = (text, amounts) => {
      const label = `${nameOf(budget)}: ${text}`;
      parts.push(element('p', {}, label), meter({ ...amounts, warnRatio: budget.warn_ratio, label }));
    };
    const ends = budget.resets_at ? `; resets ${time(budget.resets_at)}` : '';
    if (hasMoney(budget)) {
      const { spent_usd: spent, held_usd: held, limit_usd: limit } = budget;
      add(`${usd(spent)} of ${usd(limit)} spent, ${usd(held)} held by running turns${ends}`, { spent, held, limit });
    }
    if (budget.limit_tokens !== undefined) {
      const { spent_tokens: spent, held_tokens: held, limit_tokens: limit } = budget;
      add(`${count(spent)} of ${count(limit)} tokens used, ${count(held)} held${ends}`, { spent, held, limit });
    }
    return element('div', { className: 'budget' }, ...parts);
  };
  at('budgets').replaceChildren(...(budgets.length ? budgets.map(one)
    : [element('p', { className: 'quiet' }, 'This tenant has no budget: nothing limits what it spends.')]));
}

/** The budget to plot: the chosen one of those of the tenant that limit money. */
function choose(budgets) {
  const candidates = budgets.filter((budget) => budget.scope === 'tenant' && hasMoney(budget));
  const select = at('budget');
  const wanted = select.value;
  select.replaceChildren(...candidates.map((budget, i) => element('option', { value: String(i) }, nameOf(budget))));
  if (candidates[wanted]) select.value = wanted;
  at('choose').hidden = candidates.length < 2;
  return candidates[select.value];
}

/** Which time the plot and the sums are about. */
function span(budget) {
  const now = Date.now();
  if (!budget) return { width: 'day', from: now - 30 * 86_400_000, to: now, now, title: 'Last 30 days' };
  const from = Date.parse(budget.starts_at ?? '1970-01-01T00:00:00Z');
  const to = budget.resets_at ? Date.parse(budget.resets_at) : now;
  const title = budget.window === 'total' ? 'All time' : `This ${budget.window}`;
  return { width: BUCKET[budget.window], from, to, now, title };
}

function showPlot(budget, buckets, { width, from, to, now }) {
  const first = buckets.length ? Date.parse(buckets[0].start) : now - 86_400_000;
  const begin = budget?.resets_at ? from : Math.max(from, Math.min(first, now - 3_600_000));
  const breadth = at('plot').clientWidth;
  const drawing = budget
    ? burnDown({ breadth, limit: budget.limit_usd, spent: budget.spent_usd, buckets, width, from: begin, to, now, hasEnd: Boolean(budget.resets_at) })
    : bars({ breadth, buckets, width, from: begin, to });
  const caption = !budget ? `Spend per ${width}`
    : `What is left of the budget: ${nameOf(budget).toLowerCase()}${budget.resets_at ? '. Dashed: an even pace' : ''}`;
  at('plot').replaceChildren(drawing, element('figcaption', {}, caption));
  at('plot-figures').replaceChildren(table([
    { short: true, title: `From (per ${width}, UTC)`, of: (bucket) => bucket.start.slice(0, 16).replace('T', ' ') },
    { title: 'Requests', number: true, of: (bucket) => count(bucket.requests) },
    { title: 'Input tokens', number: true, of: (bucket) => count(bucket.input_tokens) },
    { title: 'Output tokens', number: true, of: (bucket) => count(bucket.output_tokens) },
    { title: 'Spend', number: true, of: (bucket) => usd(bucket.cost_usd) },
  ], [...buckets].reverse(), 'Nothing was used in this time.'));
}

function rateTile(headers) {
  for (const [unit, words] of [['requests', 'requests'], ['tokens', 'tokens']]) {
    const limit = headers.get(`x-ratelimit-limit-${unit}`);
    if (limit !== null)
      return [`${count(headers.get(`x-ratelimit-remaining-${unit}`))} left`,
        `of ${count(limit)} ${words} a minute; full again in ${headers.get(`x-ratelimit-reset-${unit}`)}`];
  }
  return ['No limit', 'on requests a minute'];
}

function showTiles(budget, models, { title }, headers) {
  const sum = (field) => models.reduce((total, model) => total + Number(model[field]), 0);
  const left = budget && Math.max(0, budget.limit_usd - budget.spent_usd - budget.held_usd);
  const tiles = [
    ['Spend', usd(sum('cost_usd')), title],
    ['Left to spend', budget ? usd(left) : 'No limit', budget ? `of ${usd(budget.limit_usd)}` : 'no budget of money'],
    ['Requests', count(sum('requests')), `${count(sum('input_tokens') + sum('output_tokens'))} tokens`],
    ['Rate', ...rateTile(headers)],
  ];
  at('tiles').replaceChildren(...tiles.map(([name, figure, more]) =>
    element('div', {}, element('dt', {}, name), element('dd', { className: 'figure' }, figure),
      element('dd', { className: 'quiet' }, more))));
}

function showTables(models, traces, refusals) {
  const state = (text) => element('span', { className: ['ok', 'error', 'aborted', 'deny'].includes(text) ? text : '' }, text);
  at('models').replaceChildren(table([
    { title: 'Model', of: (row) => row.model ?? '(unknown)' },
    { title: 'Requests', number: true, of: (row) => count(row.requests) },
    { title: 'Input tokens', number: true, of: (row) => count(row.input_tokens) },
    { title: 'Cached', number: true, of: (row) => count(row.cached_tokens) },
    { title: 'Output tokens', number: true, of: (row) => count(row.output_tokens) },
    { title: 'Spend', number: true, of: (row) => usd(row.cost_usd) },
  ], models, 'Nothing was used in this time.'));
  at('turns').replaceChildren(table([
    { title: 'Started', short: true, of: (row) => time(row.started_at) },
    { title: 'Session', of: (row) => row.session_id },
    { title: 'Model', of: (row) => row.model },
    { title: 'Status', short: true, of: (row) => state(row.status ?? 'running') },
    { title: 'Took', number: true, of: (row) => (row.duration_ms === null ? '' : `${count(Math.round(row.duration_ms))} ms`) },
    { title: 'Tokens in', number: true, of: (row) => count(row.prompt_tokens) },
    { title: 'Tokens out', number: true, of: (row) => count(row.completion_tokens) },
  ], traces, 'There was no turn yet.'));
  at('refusals').replaceChildren(table([
    { title: 'When', short: true, of: (row) => time(row.occurred_at) },
    { title: 'Action', short: true, of: (row) => row.action },
    { title: 'Status', number: true, of: (row) => state(String(row.status ?? row.outcome)) },
    { title: 'Reason', short: true, of: (row) => row.reason },
    { title: 'Subject', of: (row) => row.actor },
    { title: 'Of', of: (row) => [row.resource_type, row.resource_id ?? row.session_id].filter(Boolean).join(' ') },
    { title: 'Request id', of: (row) => row.request_id },
  ], refusals, 'Nothing was refused.'));
}

async function load() {
  const mine = session;
  const { body: budget } = await ask('/v1/budget');
  if (mine !== session) return;
  const chosen = choose(budget.budgets);
  const window = span(chosen);
  const since = encodeURIComponent(new Date(window.from).toISOString());
  const [usage, traces, refusals] = await Promise.all([
    ask(`/v1/usage?bucket=${window.width}&since=${since}`), ask('/v1/traces?limit=20'), ask('/v1/audit?limit=20&outcome=deny')]);
  if (mine !== session) return;
  at('tenant').textContent = budget.tenant_id;
  document.title = `${budget.tenant_id} - tenant overview`;
  at('overview').hidden = false;
  showBudgets(budget.budgets);
  showTiles(chosen, usage.body.models, window, refusals.headers);
  showPlot(chosen, usage.body.buckets, window);
  showTables(usage.body.models, traces.body, refusals.body);
  at('updated').textContent = `Updated ${new Date().toLocaleTimeString()}`;
}

function say(text) {
  at('message').textContent = text;
  at('message').hidden = text === '';
}

function forget(text = '') {
  session += 1;
  token = '';
  clearTimeout(timer);
  for (const id of ['tenant', 'updated']) at(id).textContent = '';
  for (const id of ['tiles', 'budgets', 'plot', 'plot-figures', 'models', 'turns', 'refusals', 'budget']) at(id).replaceChildren();
  document.title = 'Tenant overview';
  at('overview').hidden = at('controls').hidden = true;
  at('sign-in').hidden = false;
  say(text);
  at('token').focus();
}

/** Asks now, and again later: the longer, the more often it failed. Nothing is asked while nobody looks. */
async function refresh() {
  clearTimeout(timer);
  const mine = session;
  let wait = EVERY_MS;
  try {
    await load();
    failures = 0;
    if (mine === session) say('');
  } catch (trouble) {
    if (mine !== session) return;
    if (!(trouble instanceof Trouble)) throw trouble;
    if (trouble.isFinal) return forget(trouble.message);
    failures += 1;
    wait = Math.min(LONGEST_WAIT_MS, Math.max(trouble.waitMs, 5000 * 2 ** (failures - 1)));
    say(`${trouble.message} Trying again in ${Math.round(wait / 1000)} seconds.`);
  }
  if (mine === session) timer = setTimeout(() => document.hidden || refresh(), wait);
}

at('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const pasted = at('token').value.trim().replace(/^Bearer\s+/i, '');
  at('token').value = '';
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(pasted)) return say('This is no token: one has three parts with a dot between them.');
  session += 1;
  failures = 0;
  token = pasted;
  at('sign-in').hidden = true;
  at('controls').hidden = false;
  say('');
  refresh();
});
at('refresh').addEventListener('click', refresh);
at('forget').addEventListener('click', () => forget());
at('budget').addEventListener('change', refresh);
document.addEventListener('visibilitychange', () => token && !document.hidden && refresh());
window.addEventListener('pagehide', () => forget()); // or going back would bring it all back
