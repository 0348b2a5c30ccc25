// Plots as SVG elements: the burn-down of a budget, bars of spend, a meter. No text ever becomes markup.

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 260;
const EDGE = { left: 64, right: 12, top: 12, bottom: 26 };
const BUCKET_MS = { minute: 60e3, hour: 3600e3, day: 86400e3 };

function svg(name, attributes = {}, text = '') {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

/** An amount of USD, with digits enough to tell small ones apart. */
export function usd(amount) {
  const digits = Math.abs(amount) >= 1 || amount === 0 ? 2 : Math.min(12, 3 - Math.floor(Math.log10(Math.abs(amount))));
  return new Intl.NumberFormat('en-US', {
    style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: Math.max(2, digits),
  }).format(amount);
}

/** A bar of `limit` filled with what is spent, and beside it what running turns hold. */
export function meter({ spent, held = 0, limit, warnRatio = 0.8, label }) {
  const share = (amount) => (limit > 0 ? Math.min(100, (100 * amount) / limit) : 100);
  const state = spent >= limit ? ' bad' : spent >= warnRatio * limit ? ' warn' : '';
  const bar = svg('svg', { class: `meter${state}`, viewBox: '0 0 100 1', preserveAspectRatio: 'none', role: 'img', 'aria-label': label });
  bar.append(
    svg('rect', { class: 'held', width: share(spent + held), height: 1 }),
    svg('rect', { class: 'spent', width: share(spent), height: 1 }),
  );
  return bar;
}

// Times as they fit between two ends: the hour within two days, else the date.
function tick(time, span) {
  const form = span <= 2 * BUCKET_MS.day ? { hour: '2-digit', minute: '2-digit' } : { month: 'short', day: 'numeric' };
  return new Date(time).toLocaleString([], form);
}

// An empty plot with its axes, and the two scales.
function frame({ breadth, from, to, top, label }) {
  const root = svg('svg', { viewBox: `0 0 ${breadth} ${HEIGHT}`, role: 'img', 'aria-label': label });
  const x = (time) => EDGE.left + ((breadth - EDGE.left - EDGE.right) * (time - from)) / (to - from);
  const y = (amount) => EDGE.top + (HEIGHT - EDGE.top - EDGE.bottom) * (1 - amount / top);
  for (let i = 0; i <= 4; i++) {
    const level = y((top * i) / 4);
    root.append(
      svg('line', { class: 'grid', x1: EDGE.left, x2: breadth - EDGE.right, y1: level, y2: level }),
      svg('text', { x: EDGE.left - 8, y: level + 4, 'text-anchor': 'end' }, usd((top * i) / 4)),
    );
    const time = from + ((to - from) * i) / 4;
    if (breadth < 500 && i % 2) continue; // no room for its text
    const anchor = i === 0 ? 'start' : i === 4 ? 'end' : 'middle';
    root.append(svg('text', { x: x(time), y: HEIGHT - 6, 'text-anchor': anchor }, tick(time, to - from)));
  }
  return { root, x, y };
}

/**
 * What was left of a budget over its window, `breadth` pixels wide. `spent` is the sum at `now`; the way there is told by the
 * buckets, from the last one backwards, so that the line ends at the budget's own figure.
 */
export function burnDown({ breadth, limit, spent, buckets, width, from, to, now, hasEnd }) {
  const clamped = (amount) => Math.min(limit, Math.max(0, amount));
  let left = limit - spent;
  const points = [[Math.min(now, to), clamped(left)]];
  for (const { start, cost_usd: cost } of [...buckets].reverse()) {
    const begin = Math.max(from, Date.parse(start));
    const end = Math.max(begin, Math.min(now, Date.parse(start) + BUCKET_MS[width]));
    points.unshift([begin, clamped(left + cost)], [end, clamped(left)]);
    left += cost;
  }
  points.unshift([from, clamped(left)]);
  const label = `${usd(Math.max(0, limit - spent))} of ${usd(limit)} left`;
  const { root, x, y } = frame({ breadth, from, to, top: limit, label });
  const line = points.map(([time, amount]) => `${x(time)},${y(amount)}`).join(' ');
  root.append(svg('polygon', { class: 'area', points: `${x(from)},${y(0)} ${line} ${x(Math.min(now, to))},${y(0)}` }));
  if (hasEnd) root.append(svg('line', { class: 'pace', x1: x(from), y1: y(limit), x2: x(to), y2: y(0) }));
  root.append(
    svg('polyline', { class: 'left', points: line }),
    svg('line', { class: 'now', x1: x(Math.min(now, to)), x2: x(Math.min(now, to)), y1: EDGE.top, y2: y(0) }),
  );
  return root;
}

/** Spend per bucket, where there is no budget of money to burn down. */
export function bars({ breadth, buckets, width, from, to }) {
  const top = Math.max(...buckets.map((bucket) => bucket.cost_usd), 0) || 1;
  const { root, x, y } = frame({ breadth, from, to, top, label: `Spend per ${width}, at most ${usd(top)}` });
  for (const { start, cost_usd: cost } of buckets) {
    const begin = Math.max(from, Date.parse(start));
    const wide = Math.max(2, (x(begin + BUCKET_MS[width]) - x(begin)) * 0.8);
    root.append(svg('rect', { class: 'bar', x: x(begin), y: y(cost), width: wide, height: y(0) - y(cost) }));
  }
  return root;
}
