// The page of one process: its state, curves, events and output, live.

import { askBeforeSending, bytes, drawLines, extendTimeline, find, inTimeline, lines, listen, moveTimeline, percent, remember, setNow, setText } from "./dom.js";
import { liveEvents } from "./events.js";
import { liveLogs } from "./log.js";

const body = document.body;
const name = body.dataset.process;
const used = { cpu: [], memory: [] };
const words = { cpu: percent, memory: bytes };

askBeforeSending();
liveLogs();
liveEvents(find("#events"), body.dataset.events, false);

function draw(key) {
  const values = used[key];
  const top = Math.max(...values.filter((value) => value !== null), 0);
  const floor = { cpu: 5, memory: 1 }[key];
  drawLines(find(`#${key}-chart`), lines(values, 900, 120, Math.max(top * 1.15, floor)));
  setText(find(`#${key}-now`), words[key](values.at(-1)) || "–");
  setText(find(`#${key}-top`), words[key](top));
}

function change(view) {
  const before = find("#buttons").dataset.state;
  find("#buttons").dataset.state = view.state;
  const state = find("#state .state");
  state.className = `state st-${view.state}`;
  setText(state.lastChild, view.state);
  setText(find("#description"), view.description);
  document.title = `${view.state} ${name} · ${body.dataset.identifier}`;
  setText(find("#restarts-now"), String(view.restarts));
  for (const [entered, at] of view.moves) extendTimeline(find(".timeline"), entered, inTimeline(at));
  if (before !== view.state) {
    const why = find(".why");
    if (why) why.hidden = !view.troubled;
  }
}

listen(body.dataset.stream, {
  changes: (views) => views.filter((view) => view.name === name).forEach(change),
  usage: (sample) => {
    setNow(sample.now);
    remember(used, sample.values[name] ?? [null, null]);
    draw("cpu");
    draw("memory");
  },
});

fetch(`${document.documentElement.dataset.base}/history.json?process=${encodeURIComponent(name)}`).then(async (answer) => {
  if (!answer.ok) return;
  [used.cpu, used.memory] = (await answer.json())[name] ?? [[], []];
  draw("cpu");
  draw("memory");
});

setInterval(() => {
  if (!document.hidden) moveTimeline(find(".timeline"));
}, 1000);
