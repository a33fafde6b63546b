// The events page: new events at the top, as they come.

import { base, element, find, findAll, listen, setText } from "./dom.js";

const MAX_ROWS = 500;
const OWN = new Set(["serial", "time", "type", "name", "group", "from_state"]);

/** What an event says besides what has a column. */
export function details(event) {
  return Object.entries(event)
    .filter(([key, value]) => !OWN.has(key) && value !== "" && value !== null && value !== 0 && value !== true && String(value).length < 400)
    .map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");
}

/** Listen, and put each event on top of the table. */
export function liveEvents(table, url, wide) {
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hour12: false });
  const source = new EventSource(url);
  const put = (message) => {
    const event = JSON.parse(message.data);
    const when = new Date(typeof event.time === "number" ? event.time * 1000 : event.time);
    const cells = [
      element("td", { class: "num" }, element("time", { datetime: when.toISOString() }, clock.format(when))),
      element("td", {}, event.type ?? message.type),
    ];
    if (wide) {
      const name = event.name ? [element("a", { href: `${base}/process/${encodeURIComponent(event.name)}` }, event.name)] : [];
      cells.unshift(element("td", { class: "num" }, String(event.serial ?? message.lastEventId)));
      cells.push(element("td", {}, ...name));
    }
    cells.push(element("td", {}, details(event)));
    table.prepend(element("tr", {}, ...cells));
    while (table.rows.length > MAX_ROWS) table.lastElementChild.remove();
    const empty = find(".empty");
    if (empty && wide) empty.hidden = true;
  };
  // An EventSource has to know the names of the events that it listens to.
  for (const type of document.body.dataset.types.split(" ")) source.addEventListener(type, put);
  source.onmessage = put;
  return source;
}

const table = find("#events[data-wide]");
if (table) {
  const lamp = find("#live");
  const source = liveEvents(table, document.body.dataset.events, true);
  lamp.hidden = false;
  source.onopen = () => {
    lamp.dataset.is = "on";
    setText(lamp, "live");
  };
  source.onerror = () => {
    lamp.dataset.is = "off";
    setText(lamp, "reconnecting…");
  };
}
