// The list of conversations: a row moves to the top when something happens in it.

import { ask, elements } from "./ask.js";
import { showTimes } from "./times.js";
import { inTurns } from "./turns.js";

const MOST_ROWS = 40; // that change at once; beyond, the list is read anew
const AGAIN_MS = 2000;
const FAILED_MS = 4000;
const MOST = 100; // unread messages are counted no further
const MOST_LETTERS = 140;

function oneLine(message) {
  const text = message.body.slice(0, 4 * MOST_LETTERS).split(/\s+/).join(" ").trim();
  if (text) return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
  return message.media_urls ? "Picture or other media" : "No text";
}

function newestOf(rows) {
  return Math.max(0, ...[...(rows?.children ?? [])].map((row) => Number(row.dataset.last)));
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
    this.happened = 0;
    this.wanted = this.rows?.children.length ?? 0; // rows that the reader has asked for
    this.top = newestOf(this.rows); // of all that had happened when the list was read last
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
    this.happened += 1;
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
    const all = this.part.querySelector(".filters button");
    if (all) all.value = Math.max(all.value, message.id);
    else if (fresh) this.readSoon();
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
  readSoon(least = 60) {
    if (this.timer || this.isSearch) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.readAnew();
    }, Math.max(least, this.read + AGAIN_MS - Date.now()));
  }

  async readAnew() {
    this.read = Date.now();
    const happened = this.happened;
    const unread = this.rows?.dataset.filter === "unread" || new URLSearchParams(location.search).has("unread");
    let part;
    try {
      part = elements(await ask(`/conversations?part=list${unread ? "&unread=1" : ""}`));
    } catch (error) {
      // Said elsewhere. The stream may still be there, so that nothing else would have it read again.
      if (error.status !== 401) this.readSoon(FAILED_MS);
      return;
    }
    showTimes(part);
    const fresh = part.querySelector("#rows");
    const focused = document.activeElement?.closest?.("#rows .talk")?.dataset.address;
    if (!fresh || !this.rows) {
      if (this.part.contains(document.activeElement) && document.activeElement.matches("input")) return;
      this.part.replaceChildren(part);
    } else {
      this.placeAnew(part, fresh);
      for (const name of [".filters", ".empty"]) {
        const mine = this.part.querySelector(name);
        const theirs = part.querySelector(name);
        if (mine && theirs && !mine.contains(document.activeElement)) mine.replaceWith(theirs);
        else if (name === ".empty") {
          mine?.remove();
          if (theirs) this.rows.after(theirs);
        }
      }
    }
    this.top = newestOf(this.rows);
    this.mark();
    if (focused !== undefined) this.row(focused)?.firstElementChild.focus({ preventScroll: true });
    // What happened meanwhile may be newer than what was read.
    if (this.happened !== happened) this.readSoon();
  }

  /** Places the first page, and below it what was loaded before, if nothing is missing between them. */
  placeAnew(part, fresh) {
    const known = new Set([...fresh.children].map((row) => row.dataset.address));
    const end = Number(fresh.lastElementChild?.dataset.last ?? 0);
    const isUnread = fresh.dataset.filter === "unread";
    const line = part.querySelector("#more")?.closest(".more-line");
    const isWhole = !this.part.querySelector("#more");
    // What is older than that page, and was there when the list was read last, has not moved since.
    const older = line && end <= this.top
      ? [...this.rows.children].filter((row) => Number(row.dataset.last) < end && !known.has(row.dataset.address) && !(isUnread && !row.classList.contains("unread")))
      : [];
    const rest = older.slice(0, Math.max(0, this.wanted - fresh.children.length));
    this.rows.replaceChildren(...fresh.children, ...rest);
    if (!rest.length) this.wanted = this.rows.children.length;
    const shown = this.part.querySelector(".more-line");
    if (!line || (isWhole && older.length && rest.length === older.length)) {
      shown?.remove();
      return;
    }
    // The link stays the same where there is one: it may be about to be pressed.
    if (!shown) this.part.append(line);
    const link = this.part.querySelector("#more");
    const url = new URL(line.firstElementChild.getAttribute("href"), location.href);
    url.searchParams.set("before", this.rows.lastElementChild.dataset.last);
    link.href = url;
  }

  async loadMore(link) {
    link.setAttribute("aria-busy", "true");
    const asked = link.search;
    const url = new URL(link.href);
    url.searchParams.set("part", "list");
    let part;
    try {
      part = elements(await ask(url.pathname + url.search));
    } catch {
      return;
    } finally {
      link.removeAttribute("aria-busy");
    }
    // The list may have been read anew meanwhile, and end elsewhere now.
    link = this.part.querySelector("#more");
    if (link === null) return;
    if (link.search !== asked) {
      await this.loadMore(link);
      return;
    }
    showTimes(part);
    const first = part.querySelector(".talk > a");
    for (const name of ["#rows", ".hits"]) {
      const rows = part.querySelector(name);
      const mine = this.part.querySelector(name);
      if (!rows || !mine) continue;
      const known = new Set([...mine.children].map((row) => row.dataset.address).filter(Boolean));
      if (name === "#rows") this.wanted = mine.children.length + rows.children.length;
      mine.append(...[...rows.children].filter((row) => !known.has(row.dataset.address)));
    }
    const next = part.querySelector("#more");
    if (next) link.href = next.href;
    else link.closest(".more-line").remove();
    this.mark();
    first?.focus({ preventScroll: true });
  }
}
