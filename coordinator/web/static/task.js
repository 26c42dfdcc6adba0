// One task: charts from its rounds, kept up by the feed.
import { ask, byId, h } from "./dom.js";
import { follow, refresh } from "./live.js";
import { account, actionButton, onAccount, send } from "./wallet.js";

const { task, news } = document.body.dataset;
const PAGE = 500;
const MAX_POINTS = 20000;
const rounds = new Map();
const charts = [];

async function load(after) {
  let next = String(after);
  while (next !== null && rounds.size < MAX_POINTS) {
    const page = await ask(`/tasks/${task}/rounds?limit=${PAGE}&after=${next}`);
    for (const item of page.items) rounds.set(item.round, item);
    next = page.next;
  }
}

function columns() {
  const sorted = [...rounds.values()].sort((a, b) => a.round - b.round);
  const numbers = sorted.map((item) => item.round);
  return {
    loss: [numbers, sorted.map((item) => item.loss), sorted.map((item) => item.test_loss)],
    accuracy: [numbers, sorted.map((item) => (item.accuracy === null ? null : item.accuracy * 100))],
  };
}

function options(place, series, unit) {
  const ink = getComputedStyle(document.body).color;
  const axis = { stroke: ink, grid: { stroke: "rgba(128,128,128,0.2)", width: 1 }, ticks: { show: false } };
  return {
    width: Math.max(260, place.clientWidth - 16),
    height: 200,
    scales: { x: { time: false }, y: unit === "%" ? { range: (_, low, high) => [Math.max(0, Math.floor((low ?? 0) - 2)), Math.min(100, Math.ceil((high ?? 100) + 2))] } : {} },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : "")) },
      { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (unit === "%" ? `${tick} %` : String(tick))) },
    ],
    series: [{ label: "Round" }, ...series],
    cursor: { points: { size: 7 } },
  };
}

/** Colours by theme: uPlot paints on a canvas, which knows no style sheet. */
function paint(uPlot) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [first, second] = dark ? ["#63cfb0", "#f2c572"] : ["#15604e", "#b06a00"];
  for (const { chart } of charts.splice(0)) chart.destroy();
  const data = columns();
  const show = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
  const lines = {
    loss: [
      { label: "training loss", stroke: first, width: 2, value: (_, v) => show(v) },
      { label: "test loss", stroke: second, width: 2, dash: [5, 4], spanGaps: true, value: (_, v) => show(v) },
    ],
    accuracy: [{ label: "test accuracy", stroke: first, width: 2, spanGaps: true, value: (_, v) => (v === null || v === undefined ? "–" : `${v.toFixed(1)} %`) }],
  };
  for (const name of ["loss", "accuracy"]) {
    const place = byId(name);
    place.replaceChildren();
    const chart = new uPlot(options(place, lines[name], name === "accuracy" ? "%" : ""), data[name], place);
    charts.push({ name, chart });
  }
}

function redraw() {
  const data = columns();
  for (const { name, chart } of charts) chart.setData(data[name]);
}

let reading = null;
function read() {
  // A round may change after it was drawn: it is evaluated, certified, or rolled back.
  reading ??= new Promise((resolve) => setTimeout(resolve, 300))
    .then(() => load(Math.max(0, Math.max(0, ...rounds.keys()) - 16)))
    .then(redraw, () => {})
    .finally(() => (reading = null));
}

follow(task, news, (entry) => {
  if (entry.kind === "round.rolled_back") rounds.clear();
  if (entry.kind.startsWith("round.") || entry.kind === "certificate.accepted") read();
});

/** What the wallet's account may do with this task. */
function offer(account) {
  const { status, poster, starts, deadline } = byId("status").dataset;
  const now = Date.now() / 1000;
  const own = account !== null && account.toLowerCase() === poster.toLowerCase();
  const ended = ["completed", "overturned", "expired"].includes(status) || (now > Number(deadline) && ["waiting", "running", "unusable"].includes(status));
  const end = (name, label) => actionButton(label, () => send({ contract: "market", function: name, arguments: [task], label }).then(refresh), { class: name });
  const buttons = [];
  if (own && status === "waiting" && now < Number(starts)) buttons.push(end("cancel", "Cancel the task"));
  if (account !== null && ended) buttons.push(end("close", "Close the task"));
  byId("actions").replaceChildren(...buttons);
}

onAccount(offer);
document.addEventListener("refreshed", () => offer(account()));

try {
  const { default: uPlot } = await import("uplot");
  await load(0);
  paint(uPlot);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(uPlot));
  addEventListener("resize", () => {
    for (const { name, chart } of charts) chart.setSize({ width: Math.max(260, byId(name).clientWidth - 16), height: 200 });
  });
  document.body.dataset.charts = "drawn";
} catch (error) {
  for (const name of ["loss", "accuracy"]) byId(name).replaceChildren(h("p", { class: "none" }, `The chart cannot be drawn: ${error.message}`));
}
