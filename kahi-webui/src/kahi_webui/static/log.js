// The log viewer: follows one stream or both, in bounded memory, however fast it grows. What comes is cut into lines at once,
// drawn once a frame, and the oldest lines go when there are too many.

import { element, find, findAll, setText } from "./dom.js";
import { pieces, plain } from "./ansi.js";

const MAX_LINES = 5000;
const MAX_WAITING = 5000; // lines not drawn yet; a flood beyond that is skipped, and said
const PER_FRAME = 500;
const FIRST_BYTES = 32 * 1024;
const OLDER_BYTES = 64 * 1024;
const LONGEST_LINE = 16 * 1024;

class Stream {
  constructor(name) {
    this.name = name;
    this.rest = "";
    this.look = plain();
    this.source = null;
    this.begin = null; // offset of the first byte that is shown, where it is known
    this.last = null;
  }
}

export class LogViewer {
  constructor(root) {
    this.root = root;
    this.output = find(".live-log", root);
    this.status = find(".status", root);
    this.needle = find(".needle", root);
    this.streams = [];
    this.waiting = [];
    this.skipped = 0;
    this.paused = false;
    this.drawing = false;
    this.#tools();
    this.open(root.dataset.stream);
  }

  /** Show another stream: stdout, stderr or both. */
  open(name) {
    this.close();
    this.output.replaceChildren();
    this.waiting = [];
    this.skipped = 0;
    this.name = name;
    findAll("[data-choose]", this.root).forEach((tab) => {
      if (tab.dataset.choose === name) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    });
    find("a[download]", this.root).href = `${this.root.dataset.page}/${name === "both" ? "stdout" : name}/download`;
    this.older.hidden = name === "both";
    this.streams = (name === "both" ? ["stdout", "stderr"] : [name]).map((each) => this.#follow(new Stream(each)));
    this.#tell();
  }

  close() {
    this.streams.forEach((stream) => stream.source.close());
    this.streams = [];
  }

  #follow(stream) {
    stream.source = new EventSource(`${this.root.dataset.api}/${stream.name}/stream?tail=${FIRST_BYTES}`);
    stream.source.onmessage = (event) => this.#take(stream, event.data, event.lastEventId);
    stream.source.addEventListener("dropped", (event) => this.#dropped(stream, event.data));
    stream.source.addEventListener("reset", () => this.#mark("— the daemon was started anew —"));
    stream.source.onerror = () => setText(this.status, "reconnecting…");
    stream.source.onopen = () => this.#tell();
    return stream;
  }

  #take(stream, data, id) {
    if (stream.begin === null && id) stream.begin = Math.max(0, Number(id) - new TextEncoder().encode(data).length);
    if (id) stream.last = Number(id);
    const lines = (stream.rest + data).split("\n");
    stream.rest = lines.pop();
    if (stream.rest.length > LONGEST_LINE) {
      lines.push(stream.rest);
      stream.rest = "";
    }
    for (const line of lines) this.#queue([line, stream]);
    this.#schedule();
  }

  #queue(entry) {
    this.waiting.push(entry);
    if (this.waiting.length > MAX_WAITING) {
      const excess = this.waiting.length - MAX_WAITING / 2;
      this.waiting.splice(0, excess);
      this.skipped += excess;
    }
  }

  #dropped(stream, data) {
    let count = "";
    try {
      count = JSON.parse(data).bytes;
    } catch {
      // Said without a number.
    }
    this.#mark(`— ${count} bytes of ${stream.name} are gone —`);
  }

  #mark(text) {
    this.#queue([text, null]);
    this.#schedule();
  }

  #schedule() {
    if (this.drawing || this.paused || document.hidden) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.#draw();
    });
  }

  #draw() {
    const atEnd = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight < 40;
    const piece = document.createDocumentFragment();
    if (this.skipped) {
      piece.append(element("span", { class: "l skipped" }, `— ${this.skipped} lines came faster than they could be shown —`));
      this.skipped = 0;
    }
    for (const [line, stream] of this.waiting.splice(0, PER_FRAME)) piece.append(this.#line(line, stream));
    this.output.append(piece);
    for (let excess = this.output.childElementCount - MAX_LINES; excess > 0; excess -= 1) {
      this.output.firstElementChild.remove();
      this.trimmed = true;
    }
    if (atEnd) this.output.scrollTop = this.output.scrollHeight;
    if (this.waiting.length) this.#schedule();
  }

  #line(text, stream) {
    const line = element("span", { class: "l" });
    if (stream === null) line.classList.add("skipped");
    else if (stream.name === "stderr" && this.name === "both") line.classList.add("err");
    line.text = text;
    const shown = text.endsWith("\r") ? text.slice(0, -1) : text;
    // A carriage return begins the line anew, as a progress bar does.
    const last = shown.slice(shown.lastIndexOf("\r") + 1);
    for (const [part, look] of pieces(last, stream === null ? plain() : stream.look)) {
      if (look) line.append(element("span", { class: look }, part));
      else line.append(part);
    }
    this.#judge(line);
    return line;
  }

  // Searching in what is loaded.

  #judge(line) {
    const wanted = this.needle.value.toLowerCase();
    line.classList.toggle("matches", Boolean(wanted) && line.textContent.toLowerCase().includes(wanted));
  }

  #search() {
    const lines = findAll(".l", this.output);
    lines.forEach((line) => this.#judge(line));
    const wanted = this.needle.value.toLowerCase();
    this.#highlight(wanted);
    const count = lines.filter((line) => line.classList.contains("matches")).length;
    this.output.classList.toggle("filtering", Boolean(wanted) && find(".filter-lines", this.root).checked);
    if (wanted) setText(this.status, `${count} of ${lines.length} lines`);
    else this.#tell();
  }

  #highlight(wanted) {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("needle");
    if (!wanted) return;
    const ranges = [];
    for (const line of findAll(".matches", this.output)) {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.textContent.toLowerCase();
        for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("needle", new Highlight(...ranges));
  }

  // Older parts, by offset.

  async #loadOlder() {
    const [stream] = this.streams;
    if (stream.begin === null || stream.begin <= 0) {
      setText(this.status, "this is the beginning");
      return;
    }
    const from = Math.max(0, stream.begin - OLDER_BYTES);
    const answer = await fetch(`${this.root.dataset.api}/${stream.name}?offset=${from}&length=${stream.begin - from}`);
    if (!answer.ok) {
      setText(this.status, `older part: ${answer.statusText}`);
      return;
    }
    const missed = Number(answer.headers.get("X-Log-Missed") ?? 0);
    const text = await answer.text();
    const lines = text.split("\n");
    const cut = lines.pop();
    const first = find(".l", this.output);
    // The first line that is shown may have been cut in the middle.
    if (cut && first) {
      lines.push(cut + first.text);
      first.remove();
    }
    const look = plain();
    const piece = document.createDocumentFragment();
    if (missed) piece.append(element("span", { class: "l skipped" }, `— ${missed} bytes before this are gone —`));
    for (const line of lines) piece.append(this.#line(line, { name: stream.name, look }));
    const height = this.output.scrollHeight;
    this.output.prepend(piece);
    this.output.scrollTop += this.output.scrollHeight - height;
    stream.begin = missed ? 0 : from;
  }

  #tell() {
    setText(this.status, this.paused ? "paused" : "live");
  }

  #tools() {
    findAll("[hidden]", find(".tools", this.root)).forEach((tool) => (tool.hidden = false));
    this.older = find(".older", this.root);
    findAll("[data-choose]", this.root).forEach((tab) =>
      tab.addEventListener("click", (event) => {
        event.preventDefault();
        this.open(tab.dataset.choose);
      }),
    );
    const pause = find(".pause", this.root);
    pause.addEventListener("click", () => {
      this.paused = !this.paused;
      pause.setAttribute("aria-pressed", String(this.paused));
      setText(pause, this.paused ? "Resume" : "Pause");
      this.#tell();
      this.#schedule();
    });
    this.older.addEventListener("click", () => this.#loadOlder());
    find(".wrap", this.root).addEventListener("change", (event) => this.output.classList.toggle("nowrap", !event.target.checked));
    find(".filter-lines", this.root).addEventListener("change", () => this.#search());
    this.needle.addEventListener("input", () => this.#search());
    document.addEventListener("visibilitychange", () => this.#schedule());
  }
}

/** Make every viewer on the page live. */
export const liveLogs = () => findAll(".viewer").map((root) => new LogViewer(root));
