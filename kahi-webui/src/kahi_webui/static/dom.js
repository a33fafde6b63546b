// What all pages share: finding and making elements, asking before something hurts, words for numbers.
// Text from outside only ever becomes the text of a node, never markup.

export const base = document.documentElement.dataset.base;

const clock = document.documentElement.dataset;
let skew = Number(clock.now) - Date.now() / 1000;

/** Seconds since the epoch by the daemon's clock, which is not always that of the browser. */
export const now = () => Date.now() / 1000 + skew;

/** The daemon said what time it is. */
export const setNow = (seconds) => {
  skew = seconds - Date.now() / 1000;
};

/** Where a moment is in a timeline. */
export const inTimeline = (seconds) => seconds - Number(clock.epoch);

export const find = (selector, root = document) => root.querySelector(selector);
export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with attributes and children; strings become text nodes. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
export function svg(name, attributes = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Set a node's text, touching the page only when it differs. */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** Ask in a dialog; resolves to whether the answer was yes. */
export function confirmed(text, yes = "Go on") {
  const dialog = find("#confirm");
  setText(find("#confirm-text"), text);
  setText(find("#confirm-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Forms that say `data-confirm` ask before they are sent. */
export function askBeforeSending() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (!question || form.dataset.sure) return;
    event.preventDefault();
    const button = event.submitter;
    if (!(await confirmed(question, button?.textContent.trim()))) return;
    form.dataset.sure = "yes";
    form.append(element("input", { type: "hidden", name: "sure", value: "yes" }));
    form.requestSubmit(button ?? undefined);
  });
}

/** Send an action without leaving the page; resolves to an error text, "" when all went well. */
export async function act(action, targets) {
  const body = new URLSearchParams({ action, sure: "yes" });
  for (const target of targets) body.append("target", target);
  const answer = await fetch(`${base}/actions`, { method: "POST", body, headers: { Accept: "application/json" } });
  const told = await answer.json().catch(() => ({ error: answer.statusText }));
  return told.error ?? "";
}

/** A message at the top of the page. */
export function notify(text, kind = "error") {
  const main = find("#main");
  find(".notice", main)?.remove();
  main.prepend(element("p", { class: `notice notice-${kind}`, role: "status" }, text));
}

/** 1:02:03, or 4 d 1:02:03. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const days = Math.floor(whole / 86400);
  const clock = `${Math.floor((whole % 86400) / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return days ? `${days} d ${clock}` : clock;
}

/** 12.3 MiB. */
export function bytes(count) {
  if (count === null || count === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) {
    count /= 1024;
    at += 1;
  }
  return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
}

/** 4.2 %. */
export const percent = (value) => (value === null || value === undefined ? "" : `${value < 10 ? value.toFixed(1) : Math.round(value)} %`);

/** Add a sample to the window of those that are shown. */
export function remember(used, [cpu, memory]) {
  used.cpu.push(cpu);
  used.memory.push(memory);
  if (used.cpu.length > 90) {
    used.cpu.shift();
    used.memory.shift();
  }
}

/** The points of lines through `values`, broken where one is missing; `top` is the value at the upper edge. */
export function lines(values, width, height, top) {
  const found = [];
  let line = [];
  const step = width / 89;
  const first = 90 - values.length;
  values.forEach((value, index) => {
    if (value === null) {
      if (line.length) found.push(line.join(" "));
      line = [];
      return;
    }
    line.push(`${((first + index) * step).toFixed(1)},${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`);
  });
  if (line.length) found.push(line.join(" "));
  return found;
}

/** Draw lines into an svg, in place of those that are there. */
export function drawLines(picture, points, name = "line") {
  findAll("polyline", picture).forEach((old) => old.remove());
  for (const line of points) picture.append(svg("polyline", { class: name, points: line }));
}

/** A process entered a state: the last stretch ends there, and another begins. */
export function extendTimeline(picture, state, begin) {
  const last = picture.lastElementChild;
  if (last) last.setAttribute("width", Math.max(3, begin - Number(last.getAttribute("x"))).toFixed(1));
  picture.append(svg("rect", { class: `st-${state}`, x: begin.toFixed(1), y: 0, width: 3, height: 10 }));
  while (picture.childElementCount > 240) picture.firstElementChild.remove();
}

/** Move a timeline on, so that its right edge is now. */
export function moveTimeline(picture) {
  const at = inTimeline(now());
  const last = picture.lastElementChild;
  if (last) last.setAttribute("width", Math.max(3, at - Number(last.getAttribute("x"))).toFixed(1));
  picture.setAttribute("viewBox", `${(at - 900).toFixed(1)} 0 900 10`);
}

/** Listen to server-sent events, and show at the top whether they come. */
export function listen(url, handlers) {
  const lamp = find("#live");
  const source = new EventSource(url);
  const show = (is, text) => {
    if (!lamp) return;
    lamp.hidden = false;
    lamp.dataset.is = is;
    setText(lamp, text);
  };
  source.onopen = () => show("on", "live");
  source.onerror = () => show("off", source.readyState === EventSource.CLOSED ? "not connected" : "reconnecting…");
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handler(event.data ? JSON.parse(event.data) : null, event));
  }
  return source;
}
