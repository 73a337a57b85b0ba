// The list of conversations: a row moves to the top when something happens in it.

import { ask, elements } from "./ask.js";
import { showTimes } from "./times.js";
import { inTurns } from "./turns.js";

const MOST_ROWS = 40; // that change at once; beyond, the list is read anew
const AGAIN_MS = 2000;
const MOST = 100; // unread messages are counted no further
const MOST_LETTERS = 140;

function oneLine(message) {
  const text = message.body.slice(0, 4 * MOST_LETTERS).split(/\s+/).join(" ").trim();
  if (text) return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
  return message.media_urls ? "Picture or other media" : "No text";
}

export class TalkList {
  constructor(section, open) {
    this.section = section;
    this.part = section.querySelector("[data-part]");
    this.open = open; // the address of the conversation that is open, or null
    this.waiting = new Map();
    this.plan = inTurns(() => this.flush());
    this.timer = 0;
    this.read = 0;
    document.addEventListener("phonegate:event", ({ detail }) => this.take(detail));
    document.addEventListener("phonegate:read", ({ detail }) => this.wasRead(detail));
    document.addEventListener("phonegate:seen", ({ detail }) => this.wasRead(detail));
    for (const name of ["gap", "back"]) document.addEventListener(`phonegate:${name}`, () => this.readSoon());
    section.addEventListener("click", (event) => {
      const more = event.target.closest("#more");
      if (!more || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.loadMore(more);
    });
    this.mark();
  }

  get rows() {
    return this.part.querySelector("#rows");
  }

  get isSearch() {
    return this.rows?.dataset.filter === "search" || new URLSearchParams(location.search).has("q");
  }

  links() {
    return [...this.part.querySelectorAll(".talk > a")];
  }

  row(address) {
    return this.rows && [...this.rows.children].find((one) => one.dataset.address === address);
  }

  /** Shows which conversation is open. */
  mark() {
    const address = this.open();
    for (const row of this.rows?.children ?? []) {
      const link = row.firstElementChild;
      if (row.dataset.address === address) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // --- What happens

  take(event) {
    const message = event.data.message;
    if (!message || this.isSearch) return;
    // The last thing that happened to each conversation, and what came in.
    const found = this.waiting.get(message.address) ?? { received: new Set() };
    if (!found.message || message.id >= found.message.id) found.message = message;
    if (message.direction === "in") found.received.add(message.id);
    this.waiting.set(message.address, found);
    this.plan();
  }

  flush() {
    const some = [...this.waiting].sort(([, a], [, b]) => a.message.id - b.message.id);
    this.waiting.clear();
    if (some.length > MOST_ROWS || this.rows === null || this.rows.dataset.filter === "unread") {
      this.readSoon();
      return;
    }
    for (const [address, { message, received }] of some) {
      const row = this.row(address);
      if (!row) {
        this.readSoon();
        continue;
      }
      this.change(row, message, received);
    }
  }

  change(row, message, received) {
    const last = Number(row.dataset.last);
    if (message.id < last) return;
    const focused = row.contains(document.activeElement);
    const isNew = message.id > last;
    const fresh = [...received].filter((id) => id > last).length;
    row.dataset.last = message.id;
    row.querySelector(".last-text").textContent = oneLine(message);
    const time = row.querySelector("time");
    time.dateTime = message.created_at;
    showTimes(row);
    const line = row.querySelector(".last");
    line.querySelector(".state")?.remove();
    if (message.direction === "out") {
      const state = document.createElement("span");
      state.className = "state";
      const words = document.createElement("span");
      words.className = "told";
      const known = document.getElementById("state-icons").content.querySelector(`[data-status="${message.status}"]`);
      words.textContent = `${known.dataset.word}:`;
      const icon = known.querySelector("svg").cloneNode(true);
      if (["failed", "expired"].includes(message.status)) state.classList.add("bad");
      state.append(icon, words);
      line.prepend(state);
    }
    if (fresh) this.count(row, Number(row.dataset.unread || row.querySelector(".count span").textContent.replace("+", "") || 0) + fresh);
    if (isNew && row !== this.rows.firstElementChild) {
      this.rows.prepend(row);
      if (focused) row.firstElementChild.focus({ preventScroll: true });
    }
  }

  count(row, unread) {
    const badge = row.querySelector(".count");
    row.dataset.unread = unread;
    row.classList.toggle("unread", unread > 0);
    badge.hidden = !unread;
    badge.firstElementChild.textContent = unread >= MOST ? `${MOST - 1}+` : String(unread || "");
  }

  wasRead({ address, upto }) {
    if (address === null) {
      this.readSoon();
      return;
    }
    const row = this.row(address);
    if (!row) return;
    if (upto >= Number(row.dataset.last)) this.count(row, 0);
    else this.readSoon();
  }

  // --- What is read anew

  /** Reads the list anew, some time soon, and at most every two seconds. */
  readSoon() {
    if (this.timer || this.isSearch) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.readAnew();
    }, Math.max(60, this.read + AGAIN_MS - Date.now()));
  }

  async readAnew() {
    this.read = Date.now();
    const unread = this.rows?.dataset.filter === "unread" || new URLSearchParams(location.search).has("unread");
    let part;
    try {
      part = elements(await ask(`/conversations?part=list${unread ? "&unread=1" : ""}`));
    } catch {
      return; // said elsewhere
    }
    showTimes(part);
    const fresh = part.querySelector("#rows");
    const focused = document.activeElement?.closest?.("#rows .talk")?.dataset.address;
    if (!fresh || !this.rows) {
      if (this.part.contains(document.activeElement) && document.activeElement.matches("input")) return;
      this.part.replaceChildren(part);
    } else {
      const known = new Set([...fresh.children].map((row) => row.dataset.address));
      // What was loaded below the first page stays.
      const rest = unread ? [] : [...this.rows.children].slice(fresh.children.length).filter((row) => !known.has(row.dataset.address));
      this.part.querySelector(".empty")?.remove();
      this.rows.replaceChildren(...fresh.children, ...rest);
      const empty = part.querySelector(".empty");
      if (empty) this.rows.after(empty);
    }
    this.mark();
    if (focused !== undefined) this.row(focused)?.firstElementChild.focus({ preventScroll: true });
  }

  async loadMore(link) {
    link.setAttribute("aria-busy", "true");
    let part;
    try {
      const url = new URL(link.href);
      url.searchParams.set("part", "list");
      part = elements(await ask(url.pathname + url.search));
    } catch {
      return;
    } finally {
      link.removeAttribute("aria-busy");
    }
    showTimes(part);
    const first = part.querySelector(".talk > a");
    for (const name of ["#rows", ".hits"]) {
      const rows = part.querySelector(name);
      const mine = this.part.querySelector(name);
      if (!rows || !mine) continue;
      const known = new Set([...mine.children].map((row) => row.dataset.address).filter(Boolean));
      mine.append(...[...rows.children].filter((row) => !known.has(row.dataset.address)));
    }
    const next = part.querySelector("#more");
    if (next) link.href = next.href;
    else link.closest(".more-line").remove();
    this.mark();
    first?.focus({ preventScroll: true });
  }
}
