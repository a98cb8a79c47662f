// Charts, live status, copy buttons, relative times and drafts. Every page works without this file,
// except for charts and live refresh (CON-2).
"use strict";

const clock = (date) => date.toISOString().slice(11, 19);

// --- words for time, as countermand/messages/facts.py says them ---------------------------------------------

function inWords(seconds) {
  seconds = Math.round(seconds);
  for (const [size, name] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= 2 * size || seconds === size) {
      const count = Math.round(seconds / size);
      return `${count} ${name}${count === 1 ? "" : "s"}`;
    }
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
}

// The server's clock, so that a laptop that is wrong by hours still says how long there is to decide.
const shift = (Date.parse(document.body?.dataset.now) || Date.now()) - Date.now();
const now = () => Date.now() + shift;

function renewTimes() {
  const face = document.querySelector(".utc");
  if (face) face.textContent = `${clock(new Date(now()))} UTC`;
  for (const span of document.querySelectorAll(".rel[data-at]")) {
    const seconds = (Date.parse(span.dataset.at) - now()) / 1000;
    const text = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? `in ${inWords(seconds)}` : `${inWords(-seconds)} ago`;
    if (span.textContent !== text) span.textContent = text;
  }
}

// --- copy buttons, drafts, focus ----------------------------------------------------------------------------

function prepare(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
  for (const done of root.querySelectorAll("[data-sent]")) {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(done.dataset.sent)) sessionStorage.removeItem(key);
  }
  for (const area of root.querySelectorAll("textarea[data-draft]")) {
    if (!area.value) area.value = sessionStorage.getItem(area.dataset.draft) || "";
  }
  root.querySelector("[data-focus]")?.focus();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const label = button.textContent;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("input", (event) => {
  const key = event.target.dataset?.draft;
  if (key) sessionStorage.setItem(key, event.target.value);
});

// --- live regions -------------------------------------------------------------------------------------------

const live = {
  last: now(),
  lost: false,
  heard() { this.last = now(); this.lost = false; this.show(); },
  lose() { if (!this.lost) { this.lost = true; this.show(); } },
  show() {
    const element = document.getElementById("live");
    if (!element) return;
    const text = this.lost ? `Live updates lost, last ${clock(new Date(this.last))}Z. Reload to be sure.` : "Live";
    const word = element.querySelector(".live-word");
    element.dataset.state = this.lost ? "lost" : "on";
    if (word.textContent !== text) word.textContent = text;
  },
};

function writing(region) {
  const areas = [...region.querySelectorAll("textarea")];
  return areas.some((area) => area.value.trim() || area === document.activeElement);
}

// A region with data-state holds a form: it is replaced only when its state changed and nobody is writing in it.
function keepForm(detail) {
  const { target, fragment } = detail;
  if (target.dataset.state === undefined) return;
  if (fragment.querySelector("[data-state]")?.dataset.state === target.dataset.state) {
    detail.shouldSwap = false;
  } else if (writing(target)) {
    detail.shouldSwap = false;
    for (const notice of target.querySelectorAll("[data-changed]")) notice.hidden = false;
    for (const button of target.querySelectorAll("[data-approve]")) button.disabled = true;
  }
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  keepForm(detail);
  for (const open of detail.target.querySelectorAll("details[open][id]")) {
    const fresh = detail.fragment.querySelector(`#${CSS.escape(open.id)}`);
    if (fresh) fresh.open = true;
  }
});
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => prepare(detail.target.isConnected ? detail.target : document));
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const signedOut = new URL(detail.xhr.responseURL || location.href).pathname === "/sign-in";
  if (!detail.successful || signedOut) live.lose(); else renewTimes();
});

// A browser has six connections for all tabs of this console: one that nobody looks at gives its own back. Looked at
// again, it hears what it missed, because the address of the stream says from where.
let stream = null;
const sleep = () => { if (document.hidden) stream?.close(); };
document.addEventListener("visibilitychange", () => {
  if (document.hidden) setTimeout(sleep, 1000);
  else if (stream?.readyState === EventSource.CLOSED) stream.onerror(new Event("error")); // the library connects again
});
document.addEventListener("htmx:sseOpen", ({ detail }) => {
  stream = detail.source;
  setTimeout(sleep, 1000);
  live.heard();
  for (const name of ["ping", "changed", "judged"]) detail.source.addEventListener(name, () => live.heard());
});
document.addEventListener("htmx:sseError", () => {
  const lostAt = live.last;
  setTimeout(() => { if (live.last === lostAt) live.lose(); }, 2500);
});

// --- charts -------------------------------------------------------------------------------------------------

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const utcDate = (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC");
const two = (number) => String(number).padStart(2, "0");

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800];

function times(_, splits, _axis, _space, step) {
  return splits.map((t) => {
    const at = utcDate(t);
    return `${two(at.getHours())}:${two(at.getMinutes())}${step < 60 ? `:${two(at.getSeconds())}` : ""}`;
  });
}

function odds(log10) {
  if (log10 < 0) return "below 1";
  const value = 10 ** log10;
  return value >= 10 ? Math.floor(value).toLocaleString("en") : String(Math.floor(value * 10) / 10);
}

function hatch(context, ink) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 10;
  const pen = tile.getContext("2d");
  pen.strokeStyle = ink;
  pen.lineWidth = 1.5;
  pen.globalAlpha = 0.55;
  for (const x of [-10, 0, 10]) { pen.moveTo(x, 10); pen.lineTo(x + 10, 0); }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

// Unknown time is a hatched band over the whole height: neither zero nor a gap that looks calm.
function drawUnknown(plot, bands) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const band of bands) {
    const from = plot.valToPos(band.from, "x", true);
    const width = Math.max(plot.valToPos(band.to, "x", true) - from, 2);
    ctx.fillStyle = css("--unknown-wash");
    ctx.fillRect(from, bbox.top, width, bbox.height);
    ctx.fillStyle = hatch(ctx, css("--unknown"));
    ctx.fillRect(from, bbox.top, width, bbox.height);
  }
  ctx.restore();
}

function text(plot, words, x, y, ink, align) {
  const { ctx } = plot;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px ${css("--sans")}`;
  ctx.textAlign = align;
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeStyle = css("--surface");
  ctx.strokeText(words, x, y);
  ctx.fillStyle = ink;
  ctx.fillText(words, x, y);
  ctx.restore();
}

function rule(plot, from, to, ink, dash) {
  const { ctx } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
  ctx.lineWidth = devicePixelRatio * (dash.length ? 1 : 2);
  ctx.strokeStyle = ink;
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
  ctx.restore();
}

// What happened, as thin vertical lines; words only where they do not cover each other.
function drawMarks(plot, marks) {
  const { bbox } = plot;
  let free = bbox.left;
  for (const mark of marks) {
    const x = plot.valToPos(mark.t, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    rule(plot, [x, bbox.top], [x, bbox.top + bbox.height], css("--line-strong"), [2, 3]);
    const width = mark.text.length * 6.2 * devicePixelRatio;
    const right = x + width > bbox.left + bbox.width;
    const start = right ? x - width : x;
    if (start < free) continue;
    text(plot, mark.text, x + (right ? -4 : 4) * devicePixelRatio, bbox.top + 11 * devicePixelRatio, css("--soft"), right ? "right" : "left");
    free = start + width + 8 * devicePixelRatio;
  }
}

function drawLevels(plot, limit) {
  const { bbox } = plot;
  const right = bbox.left + bbox.width;
  const levels = [[1, "10", css("--line-strong"), [3, 3]], [2, "100", css("--line-strong"), [3, 3]], [limit, `trigger at ${odds(limit)}`, css("--bad"), []]];
  for (const [level, words, ink, dash] of levels) {
    const y = plot.valToPos(level, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    rule(plot, [bbox.left, y], [right, y], ink, dash);
    if (!dash.length) text(plot, words, bbox.left + 6 * devicePixelRatio, y - 6 * devicePixelRatio, ink, "left");
  }
}

function frame(place, say) {
  const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: `11px ${css("--sans")}` };
  const readout = place.parentElement.querySelector(".readout") || place.insertAdjacentElement("afterend", Object.assign(document.createElement("p"), { className: "readout", ariaHidden: "true" }));
  return {
    width: place.clientWidth,
    height: 200,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    tzDate: utcDate,
    cursor: { y: false, drag: { x: false, y: false } },
    axes: [{ ...axis, values: times, space: 60, size: 26, incrs: STEPS }, { ...axis, size: 48 }],
    scales: { x: { time: true } },
    hooks: { setCursor: [(plot) => {
      const i = plot.cursor.idx;
      readout.textContent = i == null ? "" : `${clock(new Date(plot.data[0][i] * 1000))} UTC: ${say(plot.data, i)}`;
    }] },
  };
}

function signalChart(place, all) {
  const signal = all.signals[place.dataset.name];
  const said = (value) => (value == null ? "unknown" : `${value.toFixed(signal.digits)}${signal.unit}`);
  const options = frame(place, (data, i) => `candidate ${said(data[1][i])} (line ${said(data[3][i])}), baseline ${said(data[2][i])} (line ${said(data[4][i])})`);
  const dots = (ink) => ({ stroke: ink, paths: () => null, points: { show: true, size: 4, width: 0, fill: ink } });
  const spare = (low, high) => (high - low || Math.abs(high) || 1) * 0.12;
  options.scales.y = { range: (_, low, high) => [signal.from_zero ? 0 : low - spare(low, high), high + spare(signal.from_zero ? 0 : low, high)] };
  options.axes[1].values = (_, splits) => splits.map((value) => `${+value.toPrecision(6)}${signal.unit === " %" ? " %" : ""}`);
  options.series = [
    {},
    dots(`${css("--candidate")}66`),
    dots(`${css("--baseline")}66`),
    { stroke: css("--candidate"), width: 2.5, points: { show: false } },
    { stroke: css("--baseline"), width: 2.5, dash: [6, 4], points: { show: false } },
  ];
  options.hooks.drawClear = [(plot) => drawUnknown(plot, signal.unknown)];
  options.hooks.draw = [(plot) => drawMarks(plot, all.marks)];
  return new uPlot(options, [signal.t, signal.candidate, signal.baseline, signal.candidate_mean, signal.baseline_mean], place);
}

function evidenceChart(place, all) {
  const line = all.evidence[place.dataset.name];
  if (!line) return null;
  const top = Math.max(line.limit_log10, ...line.odds_log10) + 0.5;
  const options = frame(place, (data, i) => `${odds(data[1][i])} to 1`);
  options.scales.y = { range: () => [-1, top] };
  options.axes[1].splits = () => [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((value) => value <= top);
  options.axes[1].values = (_, splits) => splits.map((value) => (value < 0 ? "" : value > 4 ? `10^${value}` : (10 ** value).toLocaleString("en")));
  options.series = [{}, { stroke: css("--candidate"), width: 2.5, fill: `${css("--candidate")}1c`, fillTo: -1, points: { show: false } }];
  options.hooks.draw = [(plot) => { drawLevels(plot, line.limit_log10); drawMarks(plot, all.marks); }];
  return new uPlot(options, [line.t, line.odds_log10.map((value) => Math.max(value, -1))], place);
}

async function drawCharts() {
  const places = [...document.querySelectorAll(".plot[data-src]")];
  if (!places.length || !window.uPlot) return;
  const answer = await fetch(places[0].dataset.src, { headers: { accept: "application/json" } });
  if (!answer.ok || answer.redirected) { live.lose(); return; }
  const all = await answer.json();
  for (const place of places) {
    place.plot?.destroy();
    place.plot = place.dataset.chart === "signal" ? signalChart(place, all) : evidenceChart(place, all);
  }
}

let drawn = 0;
function drawSoon() {
  clearTimeout(drawn);
  drawn = setTimeout(() => drawCharts().catch(() => live.lose()), 150);
}

document.addEventListener("DOMContentLoaded", () => {
  prepare(document);
  renewTimes();
  setInterval(renewTimes, 1000);
  // A ping comes every 15 s; after 40 s of silence a connection that looks open is not.
  setInterval(() => { if (!document.hidden && document.getElementById("live") && now() - live.last > 40000) live.lose(); }, 5000);
  if (!document.querySelector(".plot")) return;
  drawSoon();
  addEventListener("resize", drawSoon);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSoon);
  for (const name of ["sse:judged", "sse:changed"]) document.addEventListener(name, drawSoon);
});
