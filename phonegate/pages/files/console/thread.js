// The conversation that is open: new bubbles appear, states change in place, and the reader stays where they are.

import { ask, elements } from "./ask.js";
import { showTimes } from "./times.js";
import { inTurns } from "./turns.js";
import { countSoon, setUnread } from "./unread.js";

const MOST_BUBBLES = 400; // in the page at once
const MOST_WAITING = 100; // of a flood; those before them are loaded when they are scrolled to
const NEAR = 80; // pixels from the end that count as its end
const AGAIN_MS = 2000;
const FAILED_MS = 4000;
const READ_MS = 400;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });

function dayOf(moment) {
  const pad = (number) => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
}

export class Thread {
  constructor(article) {
    this.article = article;
    this.address = article.dataset.address;
    this.path = article.dataset.path;
    this.title = article.dataset.title;
    this.since = Number(article.dataset.since);
    this.scroll = article.querySelector("#scroll");
    this.list = article.querySelector("#bubbles");
    this.news = article.querySelector("#news");
    this.jump = article.querySelector("#jump");
    this.reply = null;
    this.waiting = new Map();
    this.skippedTo = 0; // the newest message that is neither shown nor waiting
    this.readers = new Set(); // of each answer that is awaited: the messages that changed meanwhile
    this.offerOlderSoon = false;
    this.unseen = 0;
    this.readTo = Number(article.dataset.unread) ? 0 : Number(article.dataset.upto);
    this.plan = inTurns(() => this.flush());
    this.timers = new Map();
    this.refreshed = 0;
    this.gone = new AbortController();
    this.arrange();
    this.listen();
    this.begin();
  }

  get isNewest() {
    return this.article.dataset.newest === "yes";
  }

  get isAtEnd() {
    return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < NEAR;
  }

  /** Ends it: another conversation is opened in its place. */
  close() {
    this.gone.abort();
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.reply?.close();
  }

  begin() {
    const marked = this.article.dataset.at && document.getElementById(`m${this.article.dataset.at}`);
    if (marked) {
      marked.classList.add("sought");
      marked.scrollIntoView({ block: "center" });
    } else this.toEnd();
    this.readSoon();
    this.refreshWaiting();
  }

  listen() {
    const { signal } = this.gone;
    const on = (target, name, act) => target.addEventListener(name, act, { signal });
    on(document, "phonegate:event", ({ detail }) => this.take(detail));
    on(document, "phonegate:read", ({ detail }) => this.wasRead(detail));
    for (const name of ["gap", "back"]) on(document, `phonegate:${name}`, () => this.later("refresh", 50, () => this.refresh()));
    on(document, "visibilitychange", () => this.readSoon());
    on(this.scroll, "scroll", () => {
      if (!this.isAtEnd) return;
      this.see();
      this.readSoon();
    });
    on(this.jump, "click", () => {
      if (!this.isNewest) location.assign(this.path);
      this.toEnd();
      this.see();
      this.scroll.focus({ preventScroll: true });
    });
    on(this.article, "click", (event) => {
      const older = event.target.closest("#older");
      if (!older || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.loadOlder(older);
    });
    on(this.article, "submit", (event) => {
      if (event.target.id !== "read" || !event.submitter?.hasAttribute("data-read")) return;
      event.preventDefault();
      this.read();
    });
  }

  /** Does something after a while, once, however often it is asked for. */
  later(name, ms, act) {
    if (this.timers.has(name)) return;
    this.timers.set(name, setTimeout(() => {
      this.timers.delete(name);
      act();
    }, ms));
  }

  // --- What happens

  take(event) {
    if (event.id <= this.since) return;
    if (event.type.startsWith("phone.")) {
      this.refreshWaiting();
      return;
    }
    const message = event.data.message;
    if (!message || message.address !== this.address || !event.html) return;
    if (this.reply?.holds(message, event.html)) return;
    this.put(message, event.html);
  }

  /** Shows a message soon, in place of its bubble if there is one. */
  put(message, html) {
    const isShown = document.getElementById(`m${message.id}`) !== null;
    if (!isShown && this.isOlder(message.id)) return;
    for (const changed of this.readers) changed.add(message.id);
    this.waiting.delete(message.id);
    this.waiting.set(message.id, { message, html });
    if (this.waiting.size > MOST_WAITING) {
      const [oldest] = this.waiting.keys();
      this.waiting.delete(oldest);
      if (document.getElementById(`m${oldest}`) === null) this.skippedTo = Math.max(this.skippedTo, oldest);
      else this.later("refresh", AGAIN_MS, () => this.refresh());
    }
    this.plan();
  }

  /** Tells whether a message comes before all that is shown. */
  isOlder(id) {
    const first = this.list.querySelector(".bubble[data-id]");
    return first !== null && id < Number(first.dataset.id) && this.article.querySelector("#older") !== null;
  }

  /** Asks for a part of the page. What comes by the stream meanwhile is newer: its ids are in `changed`. */
  async reading(act) {
    const changed = new Set();
    this.readers.add(changed);
    try {
      return { answer: await act(), changed };
    } finally {
      this.readers.delete(changed);
    }
  }

  flush() {
    if (this.gone.signal.aborted) return;
    const wasAtEnd = this.isAtEnd;
    let some = [...this.waiting.values()].sort((a, b) => a.message.id - b.message.id);
    this.waiting.clear();
    let added = 0;
    let mine = false;
    let words = "";
    if (this.skippedTo) some = this.leaveOut(some, wasAtEnd);
    for (const { message, html } of some) {
      const how = this.place(message.id, html);
      if (how === "added") {
        added += 1;
        mine ||= message.direction === "out";
      }
      if (how !== "unknown" || message.direction === "in") words = this.inWords(message, how);
    }
    if (this.offerOlderSoon) this.offerOlder();
    this.offerOlderSoon = false;
    this.trim(wasAtEnd || mine);
    this.arrange();
    if (wasAtEnd || (mine && this.isNewest)) this.toEnd();
    else if (added) this.see(this.unseen + added);
    if (words) this.news.textContent = words;
    if (some.some(({ message }) => message.direction === "in")) this.readSoon();
    this.refreshWaiting();
  }

  /** Leaves no hole where more has come than is shown: what stands before it goes, or what comes after it. */
  leaveOut(some, wasAtEnd) {
    const upto = this.skippedTo;
    this.skippedTo = 0;
    if (!wasAtEnd || !this.isNewest) {
      this.article.dataset.newest = "";
      return some;
    }
    for (const one of this.list.querySelectorAll(".bubble[data-id]")) one.remove();
    this.offerOlderSoon = true;
    return some.filter(({ message }) => message.id > upto);
  }

  inWords(message, how) {
    const text = message.body.slice(0, 200) || "a picture or other media";
    if (message.direction === "in") return how === "changed" ? "" : `${this.title}: ${text}`;
    const state = document.querySelector(`#m${message.id} .state`)?.textContent.trim() || message.status;
    return `Your message “${message.body.slice(0, 40)}”: ${state}`;
  }

  /** Puts a bubble where its id belongs: `changed`, `added`, or `unknown` where it is not shown. */
  place(id, html) {
    const bubble = elements(html).firstElementChild;
    showTimes(bubble);
    const there = document.getElementById(`m${id}`);
    if (there) {
      if (there.classList.contains("sought")) bubble.classList.add("sought");
      const focused = there.contains(document.activeElement);
      there.replaceWith(bubble);
      if (focused) this.scroll.focus({ preventScroll: true });
      return "changed";
    }
    if (this.isOlder(id)) return "unknown";
    const next = this.after(id);
    if (!next && !this.isNewest) {
      this.see(this.unseen + 1);
      return "unknown";
    }
    if (next) next.before(bubble);
    else this.endOfKnown().before(bubble);
    return "added";
  }

  /** Returns the first shown bubble whose id is higher. */
  after(id) {
    let found = null;
    for (let one = this.list.lastElementChild; one; one = one.previousElementSibling) {
      if (!one.dataset.id) continue;
      if (Number(one.dataset.id) < id) break;
      found = one;
    }
    return found;
  }

  /** Returns what new bubbles are put before: what is being sent, which has no id yet, stands last. */
  endOfKnown() {
    let mark = this.list.querySelector(".bubble.pending");
    if (!mark) {
      mark = document.createComment("");
      this.list.append(mark);
    }
    return mark;
  }

  /** Takes bubbles away beyond those that a page may hold. */
  trim(fromStart) {
    const shown = [...this.list.querySelectorAll(".bubble[data-id]")];
    const beyond = shown.length - MOST_BUBBLES;
    if (beyond <= 0) return;
    if (fromStart) {
      for (const one of shown.slice(0, beyond)) one.remove();
      this.offerOlder();
    } else {
      for (const one of shown.slice(-beyond)) one.remove();
      this.article.dataset.newest = "";
    }
  }

  offerOlder() {
    const first = this.list.querySelector(".bubble[data-id]");
    if (!first) return;
    let link = this.article.querySelector("#older");
    if (!link) {
      const line = document.createElement("p");
      line.className = "more-line";
      link = document.createElement("a");
      link.id = "older";
      link.className = "button quiet small";
      link.textContent = "Load older messages";
      line.append(link);
      this.scroll.prepend(line);
    }
    link.href = `${this.path}?before=${first.dataset.id}`;
  }

  /** Shows days and times in the reader's zone, and by what a message came only where that changes. */
  arrange() {
    for (const one of [...this.list.childNodes]) {
      if (one.nodeType !== Node.ELEMENT_NODE && !one.textContent.trim()) one.remove();
    }
    for (const one of this.list.querySelectorAll("time[data-clock]:not([data-done])")) {
      one.textContent = clock.format(new Date(one.dateTime));
      one.dataset.done = "";
    }
    let before = "";
    let via = "";
    let heading = null;
    for (const one of [...this.list.children]) {
      if (one.classList.contains("day")) {
        heading?.remove(); // a day without bubbles
        heading = one;
        continue;
      }
      const at = one.dataset.at ? new Date(one.dataset.at) : new Date();
      const today = dayOf(at);
      if (today === before) {
        heading?.remove();
      } else {
        heading ||= this.heading();
        if (heading.dataset.day !== today || heading.nextElementSibling !== one || !heading.dataset.local) {
          const time = heading.firstElementChild;
          heading.dataset.day = today;
          heading.dataset.local = "yes";
          time.dateTime = today;
          time.textContent = day.format(at);
          one.before(heading);
        }
      }
      heading = null;
      before = today;
      one.classList.toggle("same-via", one.dataset.via === via);
      via = one.dataset.via ?? via;
    }
    heading?.remove();
    this.article.querySelector(".scroll > .empty")?.toggleAttribute("hidden", this.list.children.length > 0);
  }

  heading() {
    const heading = document.createElement("li");
    heading.className = "day";
    heading.append(document.createElement("time"));
    return heading;
  }

  // --- Where the reader is

  toEnd() {
    this.scroll.scrollTop = this.scroll.scrollHeight;
  }

  /** Notes how many new messages the reader has not scrolled to. */
  see(unseen = 0) {
    this.unseen = unseen;
    this.jump.hidden = !unseen;
    this.jump.lastElementChild.textContent = `${unseen} new`;
  }

  readSoon() {
    if (document.visibilityState === "visible" && this.isNewest && this.isAtEnd) this.later("read", READ_MS, () => this.read());
  }

  async read() {
    const received = [...this.list.querySelectorAll(".bubble.theirs[data-id]")];
    const upto = Number(received.at(-1)?.dataset.id ?? 0);
    this.article.querySelector("[data-read]")?.remove();
    if (upto <= this.readTo) return;
    this.readTo = upto;
    try {
      setUnread((await ask(`${this.path}/read`, { method: "POST", form: { upto } })).unread);
      document.dispatchEvent(new CustomEvent("phonegate:seen", { detail: { address: this.address, upto } }));
    } catch (error) {
      this.readTo = 0;
      if (error.status !== 401 && !this.gone.signal.aborted) this.later("read", FAILED_MS, () => this.read());
    }
  }

  wasRead({ address, upto }) {
    if (address !== null && address !== this.address) return;
    if (address === this.address) this.readTo = upto;
    countSoon();
  }

  // --- What is read anew

  async loadOlder(link) {
    const before = new URL(link.href).searchParams.get("before");
    link.setAttribute("aria-busy", "true");
    let list;
    try {
      list = elements(await ask(`${this.path}?part=bubbles&before=${before}`)).querySelector(".bubbles");
    } catch (error) {
      this.news.textContent = error.message;
      return;
    } finally {
      link.removeAttribute("aria-busy");
    }
    const height = this.scroll.scrollHeight;
    const top = this.scroll.scrollTop;
    showTimes(list);
    const count = list.children.length;
    this.list.prepend(...list.children);
    if (list.dataset.older) this.offerOlder();
    else link.closest(".more-line").remove();
    this.trim(false);
    this.arrange();
    this.scroll.scrollTop = top + this.scroll.scrollHeight - height;
    this.news.textContent = `${count} older messages`;
    this.scroll.focus({ preventScroll: true });
  }

  /** Shows again what is shown, as it is now, with what came after it. */
  async refresh(from = null) {
    const shown = this.list.querySelector(".bubble[data-id]");
    let since = from ?? (shown ? Number(shown.dataset.id) - 1 : 0);
    this.refreshed = Date.now();
    for (let round = 0; round < 3; round += 1) {
      let list;
      let changed;
      try {
        ({ list, changed } = await this.bubblesAfter(since));
      } catch (error) {
        // Said elsewhere. The stream may still be there, so that nothing else would have it read again.
        if (error.status !== 401 && !this.gone.signal.aborted) this.later("refresh", FAILED_MS, () => this.refresh());
        return;
      }
      if (this.gone.signal.aborted) return;
      const wasAtEnd = this.isAtEnd;
      let added = 0;
      for (const bubble of [...list.children]) {
        const id = Number(bubble.dataset.id);
        const own = bubble.classList.contains("own");
        since = id;
        if (changed.has(id)) continue;
        if (own && this.reply?.holds({ id, direction: "out", body: bubble.querySelector(".text")?.textContent ?? "" }, bubble.outerHTML)) continue;
        if (this.place(id, bubble.outerHTML) === "added") added += 1;
      }
      this.trim(wasAtEnd);
      this.arrange();
      if (wasAtEnd) this.toEnd();
      else if (added) this.see(this.unseen + added);
      if (!list.dataset.newer || !this.isNewest) break;
      if (round === 2) location.reload(); // there is more than a page is to hold
    }
    this.readSoon();
  }

  async bubblesAfter(since) {
    const { answer, changed } = await this.reading(() => ask(`${this.path}?part=bubbles&since=${since}`));
    return { list: elements(answer).querySelector(".bubbles"), changed };
  }

  /** Asks what messages wait for, which no event says. */
  refreshWaiting() {
    const first = this.list.querySelector(".bubble[data-waits]");
    if (!first) return;
    this.later("waiting", Math.max(700, this.refreshed + AGAIN_MS - Date.now()), () => {
      const waits = this.list.querySelector(".bubble[data-waits]");
      if (waits) this.refreshOnce(Number(waits.dataset.id) - 1);
    });
  }

  async refreshOnce(since) {
    this.refreshed = Date.now();
    try {
      const { list, changed } = await this.bubblesAfter(since);
      if (this.gone.signal.aborted) return;
      for (const bubble of [...list.children]) {
        if (changed.has(Number(bubble.dataset.id))) continue;
        if (document.getElementById(bubble.id)?.hasAttribute("data-waits")) this.place(Number(bubble.dataset.id), bubble.outerHTML);
      }
      this.arrange();
    } catch {
      // said elsewhere
    }
  }

  /** Does what a button of a bubble says. */
  async act(button) {
    button.disabled = true;
    try {
      const { answer: { id, html }, changed } = await this.reading(() => ask(new URL(button.formAction).pathname, { method: "POST", form: {} }));
      if (html && !changed.has(id)) {
        this.place(id, html);
        this.arrange();
        if (id > Number(button.closest(".bubble")?.dataset.id ?? 0)) this.toEnd();
      }
    } catch (error) {
      this.news.textContent = error.message;
      let problem = button.parentElement.querySelector(".problem");
      if (!problem) {
        problem = document.createElement("span");
        problem.className = "problem";
        button.after(" ", problem);
      }
      problem.textContent = error.message;
      button.disabled = false;
    }
  }
}
