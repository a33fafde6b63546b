// The overview: rows that follow the daemon, a filter, a selection, and small curves.

import {
  act, askBeforeSending, base, bytes, confirmed, drawLines, duration, element, extendTimeline, find, findAll,
  inTimeline, lines, listen, moveTimeline, notify, now, percent, remember, setNow, setText, svg,
} from "./dom.js";

const body = document.body;
document.documentElement.classList.add("scripted");
askBeforeSending();

const rows = new Map();
const usage = new Map(); // name -> {cpu: [...], memory: [...]}
const seen = new Set(); // names of the rows that are in view

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const name = entry.target.dataset.name;
    if (entry.isIntersecting) {
      seen.add(name);
      refresh(name);
    } else {
      seen.delete(name);
    }
  }
}, { rootMargin: "200px" });

function learnRow(row) {
  rows.set(row.dataset.name, row);
  watcher.observe(row);
}

// One row

function change(view) {
  const row = rows.get(view.name);
  if (!row) {
    structureChanged();
    return;
  }
  const before = row.dataset.state;
  row.dataset.state = view.state;
  row.dataset.since = view.since ?? "";
  row.classList.toggle("troubled", view.troubled);
  row.toggleAttribute("data-critical", view.critical);
  const state = find(".state", row);
  state.className = `state st-${view.state}`;
  setText(state.lastChild, view.state);
  const health = find(".health", row);
  health.className = `health h-${view.health}`;
  setText(health, view.health === "none" ? "" : view.health);
  setText(find(".c-pid", row), view.pid ? String(view.pid) : "");
  setText(find(".c-restarts", row), view.restarts ? String(view.restarts) : "");
  setText(find(".c-description", row), view.remark);
  findAll("td.c-more", row).forEach((cell, index) => setText(cell, view.columns[index] ?? ""));
  for (const [state, at] of view.moves ?? []) extendTimeline(find(".timeline", row), state, inTimeline(at));
  if (before !== view.state) {
    countStates();
    filterRow(row);
  }
  refresh(view.name);
}

/** What goes on with time, for a row that somebody sees. */
function refresh(name) {
  const row = rows.get(name);
  if (!row || !seen.has(name) || document.hidden) return;
  const since = Number(row.dataset.since);
  setText(find(".c-uptime", row), since ? duration(now() - since) : "");
  moveTimeline(find(".timeline", row));
}

/** The small picture in a cell, made when it is needed. */
function spark(cell) {
  let picture = find(".spark", cell);
  if (!picture) {
    picture = svg("svg", { class: "spark", viewBox: "0 0 90 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    cell.append(picture);
  }
  return picture;
}

function drawUsage(name) {
  const row = rows.get(name);
  const used = usage.get(name);
  if (!row || !used || !seen.has(name)) return;
  setText(find(".c-cpu .value", row), percent(used.cpu.at(-1)));
  setText(find(".c-memory .value", row), bytes(used.memory.at(-1)));
  const highest = (values) => Math.max(...values.filter((value) => value !== null), 0);
  drawLines(spark(find(".c-cpu", row)), lines(used.cpu, 90, 20, Math.max(highest(used.cpu), 5)));
  drawLines(spark(find(".c-memory", row)), lines(used.memory, 90, 20, Math.max(highest(used.memory), 1) * 1.15));
}

// All of them

async function structureChanged() {
  if (structureChanged.running) return;
  structureChanged.running = true;
  try {
    // Several changes in a row bring one look.
    await new Promise((resolve) => setTimeout(resolve, 200));
    await buildAnew();
  } finally {
    // Also when the daemon was not there: it says once more what changed when it is back.
    structureChanged.running = false;
  }
}

async function buildAnew() {
  const answer = await fetch(`${base}/overview.json`);
  if (!answer.ok) return;
  const overview = await answer.json();
  const table = find("table.processes");
  const parts = new Map(findAll("tbody", table).map((part) => [part.dataset.group, part]));
  const known = new Set();
  let built = 0;
  for (const group of overview.groups) {
    const part = parts.get(group.name) ?? element("tbody", { "data-group": group.name });
    table.append(part);
    const members = [];
    for (const view of group.processes) {
      known.add(view.name);
      let row = rows.get(view.name);
      if (!row) {
        row = newRow(view);
        part.append(row);
        learnRow(row);
        filterRow(row);
        built += 1;
        if (built % ROWS_PER_FRAME === 0) await frame();
      }
      members.push(row);
    }
    const heading = group.is_shown ? [groupRow(group)] : [];
    part.replaceChildren(...heading, ...members);
    group.processes.forEach(change);
    parts.delete(group.name);
  }
  for (const part of parts.values()) part.remove();
  for (const [name, row] of rows) {
    if (known.has(name)) continue;
    watcher.unobserve(row);
    rows.delete(name);
    seen.delete(name);
  }
  countStates();
  filterAll();
}

const ROWS_PER_FRAME = 50;
const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

function newRow(view) {
  const row = find("#row").content.firstElementChild.cloneNode(true);
  row.id = `p-${view.name}`;
  row.dataset.name = view.name;
  const link = find(".name a", row);
  link.href = `${base}/process/${encodeURIComponent(view.name)}`;
  setText(link, view.name);
  const box = find("input", row);
  box.value = view.name;
  box.setAttribute("aria-label", `Select ${view.name}`);
  for (const button of findAll("button", row)) {
    button.value = view.name;
    button.setAttribute("aria-label", `${button.textContent} ${view.name}`);
  }
  const picture = find(".timeline", row);
  picture.replaceChildren(
    ...view.spans.map(([state, begin, end]) =>
      svg("rect", { class: `st-${state}`, x: inTimeline(begin).toFixed(1), y: 0, width: Math.max(3, end - begin).toFixed(1), height: 10 }),
    ),
  );
  row.dataset.state = view.state;
  return row;
}

function groupRow(group) {
  const row = find("#group").content.firstElementChild.cloneNode(true);
  setText(find(".group-name", row), group.name);
  setText(find(".muted", row), String(group.count));
  for (const form of findAll("form", row)) {
    find("[name=target]", form).value = `${group.name}:*`;
    const button = find("button", form);
    button.setAttribute("aria-label", `${button.textContent} ${group.name}:*`);
    if (form.dataset.confirm) form.dataset.confirm = `${button.textContent} all ${group.count} processes of ${group.name}?`;
  }
  return row;
}

const COLOURS = { FATAL: "#d64545", BACKOFF: "#d08a1d", other: "#2f7d5b" };

function countStates() {
  if (countStates.due) return;
  countStates.due = true;
  requestAnimationFrame(() => {
    countStates.due = false;
    const counts = {};
    for (const row of rows.values()) counts[row.dataset.state] = (counts[row.dataset.state] ?? 0) + 1;
    for (const chip of findAll(".count")) {
      const count = counts[chip.dataset.state] ?? 0;
      chip.parentElement.hidden = !count && !chip.hasAttribute("aria-current");
      setText(find("b", chip), String(count));
    }
    const bad = ["FATAL", "BACKOFF"].filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`);
    document.title = `${[...bad, `${counts.RUNNING ?? 0} RUNNING`].join(" · ")} · ${body.dataset.identifier}`;
    const worst = counts.FATAL ? "FATAL" : counts.BACKOFF ? "BACKOFF" : "other";
    if (countStates.worst !== worst) {
      countStates.worst = worst;
      drawIcon(COLOURS[worst], counts.FATAL || counts.BACKOFF || 0);
    }
  });
}

function drawIcon(colour, count) {
  const mark = count ? `<text x='12' y='17' font-size='13' font-weight='700' text-anchor='middle' fill='white' font-family='sans-serif'>${count > 99 ? "99" : count}</text>` : "<path d='M12 7v10M7.5 9.5v5M16.5 9.5v5' stroke='white' stroke-width='2' stroke-linecap='round'/>";
  const picture = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'><path d='M12 1 2.5 6.5v11L12 23l9.5-5.5v-11z' fill='${colour}'/>${mark}</svg>`;
  find("link[rel=icon]").href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
}

// Filter

const filter = find("#filter");
const only = find("#only");

function filterRow(row) {
  const wanted = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const group = row.parentElement.dataset.group;
  const text = `${row.dataset.name} ${group} ${row.dataset.state} ${find(".c-description", row).textContent}`.toLowerCase();
  const hidden = !(wanted.every((word) => text.includes(word)) && (!only.value || row.dataset.state === only.value));
  if (row.hidden !== hidden) row.hidden = hidden;
}

function filterAll() {
  for (const row of rows.values()) filterRow(row);
  for (const part of findAll("table.processes > tbody")) {
    const heading = find(".group", part);
    if (heading) heading.hidden = !findAll("tr[data-name]", part).some((row) => !row.hidden);
  }
  find("#empty").hidden = [...rows.values()].some((row) => !row.hidden);
  if (rows.size) setText(find("#empty"), "Nothing matches.");
  const query = new URLSearchParams();
  if (filter.value) query.set("q", filter.value);
  if (only.value) query.set("state", only.value);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  countPicked();
}

filter.addEventListener("input", filterAll);
filter.form.addEventListener("submit", (event) => event.preventDefault());
for (const chip of findAll(".count")) {
  chip.addEventListener("click", (event) => {
    event.preventDefault();
    const state = chip.dataset.state;
    only.value = only.value === state ? "" : state;
    findAll(".count").forEach((each) => {
      if (each.dataset.state === only.value) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    });
    filterAll();
  });
}

// Selection and actions

const bulk = find("#bulk");
const pickAll = find("#pick-all");
const boxes = () => findAll("tr[data-name] input[type=checkbox]");
const picked = () => boxes().filter((box) => box.checked && !box.closest("tr").hidden).map((box) => box.value);

function countPicked() {
  const count = picked().length;
  bulk.classList.toggle("some", count > 0);
  setText(find("#picked"), count ? `${count} selected` : "");
}

pickAll.disabled = false;
pickAll.addEventListener("change", () => {
  for (const box of boxes()) if (!box.closest("tr").hidden) box.checked = pickAll.checked;
  countPicked();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("tr[data-name] input[type=checkbox]")) countPicked();
});

/** What to ask before an action on one process, "" for nothing. */
function questionOf(action, name) {
  if (action === "start" || !rows.get(name)?.hasAttribute("data-critical")) return "";
  return action === "stop" ? `Stop ${name}? It is critical: its end ends the daemon.` : `Restart ${name}? It is critical.`;
}

async function perform(action, targets, question) {
  const word = action.charAt(0).toUpperCase() + action.slice(1);
  if (question && !(await confirmed(question, word))) return;
  const error = await act(action, targets);
  if (error) notify(error);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.getAttribute("action")?.endsWith("/actions")) return;
  event.preventDefault();
  if (form === bulk) {
    const names = picked();
    const action = event.submitter.value;
    const hurts = action !== "start" && names.length > 1;
    perform(action, names, hurts ? `${event.submitter.textContent} ${names.length} processes: ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}?` : questionOf(action, names[0]));
    return;
  }
  const target = event.submitter?.name === "target" ? event.submitter.value : find("[name=target]", form).value;
  const action = find("[name=action]", form).value;
  perform(action, [target], questionOf(action, target));
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    filter.focus();
    filter.select();
  } else if (event.key === "Escape" && event.target === filter) {
    filter.value = "";
    filterAll();
  } else if ((event.key === "j" || event.key === "k") && !typing) {
    const shown = [...rows.values()].filter((row) => !row.hidden).map((row) => find(".name a", row));
    const at = shown.indexOf(document.activeElement);
    shown.at(event.key === "j" ? Math.min(at + 1, shown.length - 1) : Math.max(at - 1, 0))?.focus();
  }
});

// Live

findAll("tr[data-name]").forEach(learnRow);
countStates();
// A page that is filtered, or long, came without some rows.
if (body.dataset.part) structureChanged();

listen(body.dataset.stream, {
  changes: (views) => views.forEach(change),
  usage: (sample) => {
    setNow(sample.now);
    for (const name of rows.keys()) {
      const used = usage.get(name) ?? { cpu: [], memory: [] };
      remember(used, sample.values[name] ?? [null, null]);
      usage.set(name, used);
      drawUsage(name);
    }
  },
  structure: structureChanged,
});

fetch(body.dataset.history).then(async (answer) => {
  if (!answer.ok) return;
  const history = await answer.json();
  for (const [name, [cpu, memory]] of Object.entries(history)) {
    usage.set(name, { cpu, memory });
    drawUsage(name);
  }
});

setInterval(() => seen.forEach(refresh), 1000);
document.addEventListener("visibilitychange", () => seen.forEach((name) => {
  refresh(name);
  drawUsage(name);
}));
