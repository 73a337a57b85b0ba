// The box to answer in: it grows, keeps a draft, says what a text takes and when it leaves, and sends it once.

import { ask, Refused } from "./ask.js";
import { draftOf, keepDraft, newKey } from "./drafts.js";
import { measure } from "./segments.js";

const KEEP_MS = 150;
const ESTIMATE_MS = 500;
const AGAIN_MS = 3000;
const KEPT_BY_GATEWAY = ["provider_failed", "outcome_unknown"]; // the message is in the conversation, with its fate

function inWords(seconds) {
  if (seconds < 90) return `in about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `in about ${Math.round(seconds / 60)} min`;
  return `in about ${Math.round(seconds / 3600)} h`;
}

export class Reply {
  constructor(form, thread) {
    this.form = form;
    this.thread = thread;
    this.text = form.querySelector("#text");
    this.problem = form.querySelector("#reply-problem");
    this.count = form.querySelector("#reply-count");
    this.eta = form.querySelector("#reply-eta");
    this.sender = form.elements.sender;
    this.later = form.elements.send_at;
    this.key = form.elements.key.value;
    this.tried = null; // the text that was sent by this key, where its answer was lost
    this.after = 0; // the last message that was there before it
    this.sending = new Map(); // by key: {text, bubble, held}
    this.timers = new Map();
    this.gone = new AbortController();
    form.noValidate = true;
    for (const hidden of form.querySelectorAll("[data-script]")) hidden.hidden = false;
    for (const zone of form.querySelectorAll("[data-zone]")) zone.textContent = "(your time)";
    this.restore();
    this.listen();
    this.show();
  }

  close() {
    this.keep();
    this.gone.abort();
    for (const timer of this.timers.values()) clearTimeout(timer);
  }

  listen() {
    const { signal } = this.gone;
    const on = (target, name, act) => target.addEventListener(name, act, { signal });
    on(this.text, "input", () => {
      this.soon("keep", KEEP_MS, () => this.keep());
      this.show();
    });
    on(this.sender, "change", () => {
      this.keep();
      this.show();
    });
    on(this.later, "change", () => {
      this.keep();
      this.show();
    });
    on(this.text, "keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      // On a phone the key is for a new line, and there is a button.
      if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    on(this.form, "submit", (event) => {
      event.preventDefault();
      this.send();
    });
    on(window, "pagehide", () => this.keep());
  }

  soon(name, ms, act) {
    clearTimeout(this.timers.get(name));
    this.timers.set(name, setTimeout(act, ms));
  }

  // --- The draft

  restore() {
    const draft = draftOf(this.thread.address);
    if (this.text.value || !draft) return;
    if (draft.tried && this.wasSent(draft)) {
      keepDraft(this.thread.address, null);
      return;
    }
    this.text.value = draft.text || "";
    this.key = draft.key || this.key;
    this.tried = draft.tried ?? null;
    this.after = draft.after ?? 0;
    const unanswered = (draft.unanswered ?? []).filter((one) => !this.wasSent(one));
    if (unanswered.length) {
      this.text.value = [...unanswered.map((one) => one.text), this.text.value].join("\n");
      this.key = newKey();
      this.tried = null;
    }
    if ([...this.sender.options].some((one) => one.value === draft.sender)) this.sender.value = draft.sender;
  }

  last() {
    return Math.max(0, ...[...this.thread.list.querySelectorAll(".bubble[data-id]")].map((one) => Number(one.dataset.id)));
  }

  /** Tells whether a draft, whose answer was lost, is among the messages that came after it. */
  wasSent({ text, after }) {
    return [...this.thread.list.querySelectorAll(".bubble.own[data-id]")].some(
      (one) => Number(one.dataset.id) > (after ?? Infinity) && one.querySelector(".text")?.textContent === text,
    );
  }

  keep() {
    // What is on its way is kept too, until its answer is here: it is sent again under the same key.
    const unanswered = [...this.sending.values()].map(({ text, after }) => ({ text, after }));
    const first = [...this.sending.entries()][0];
    if (!this.text.value && first) {
      const [key, { text, sender, after }] = first;
      keepDraft(this.thread.address, { text, key, tried: text, sender, after, unanswered: unanswered.slice(1) });
      return;
    }
    const draft = { text: this.text.value, key: this.key, tried: this.tried, after: this.after, sender: this.sender.value, unanswered };
    keepDraft(this.thread.address, draft.text ? draft : null);
  }

  // --- What it says

  show() {
    const text = this.text.value;
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight + 2, innerHeight * 0.4)}px`;
    const most = Number(this.text.dataset.most);
    const letters = [...text].length;
    if (!text) {
      this.count.textContent = "";
      this.eta.textContent = "";
      return;
    }
    const { segments, left, encoding } = measure(text);
    const size = segments === 1 ? "1 SMS" : `${segments} SMS`;
    this.count.textContent = letters > most
      ? `${letters} of at most ${most} characters`
      : `${size} · ${left} left${encoding === "UCS-2" ? " · with signs that need more room" : ""}`;
    this.count.classList.toggle("problem", letters > most);
    this.soon("estimate", ESTIMATE_MS, () => this.estimate(segments));
  }

  async estimate(segments) {
    if (this.later.value) {
      this.eta.textContent = "";
      return;
    }
    try {
      const query = new URLSearchParams({ sender: this.sender.value, segments });
      const { eta_s: seconds } = await ask(`/estimate?${query}`);
      if (!this.text.value) return;
      if (seconds === null) this.eta.textContent = "Waits until the phone is online";
      else this.eta.textContent = seconds ? `Leaves ${inWords(seconds)}` : "Leaves at once";
    } catch {
      this.eta.textContent = "";
    }
  }

  complain(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    this.text.toggleAttribute("aria-invalid", Boolean(text));
    if (text) this.text.setAttribute("aria-invalid", "true");
  }

  // --- Sending

  async send() {
    const text = this.text.value;
    if (!text.trim()) return;
    const key = this.tried === null || this.tried === text ? this.key : newKey();
    const sent = { text, sender: this.sender.value, send_at: this.later.value, after: this.last(), held: new Map(), bubble: this.pending(text) };
    this.sending.set(key, sent);
    this.complain("");
    this.text.value = "";
    this.later.value = "";
    this.key = newKey();
    this.tried = null;
    this.keep();
    this.show();
    this.text.focus();
    await this.attempt(key, sent);
  }

  async attempt(key, sent) {
    const { csrf } = this.form.elements;
    // That of the chosen day, which may have another one than today has.
    const offset = sent.send_at ? new Date(sent.send_at).getTimezoneOffset() : 0;
    try {
      const answer = await ask(`${this.thread.path}/send`, {
        method: "POST",
        form: { csrf: csrf.value, body: sent.text, sender: sent.sender, send_at: sent.send_at, offset, key },
      });
      this.done(key, sent, answer);
    } catch (error) {
      this.failed(key, sent, error);
    }
  }

  pending(text) {
    const bubble = this.form.parentElement.querySelector("#pending").content.firstElementChild.cloneNode(true);
    bubble.querySelector(".text").textContent = text;
    bubble.dataset.at = new Date().toISOString();
    if (this.thread.isNewest) {
      this.thread.list.append(bubble);
      this.thread.arrange();
      this.thread.toEnd();
    }
    return bubble;
  }

  /** Tells whether a message may be one that is being sent, whose answer is not here yet. */
  holds(message, html) {
    if (message.direction !== "out" || document.getElementById(`m${message.id}`)) return false;
    for (const sent of this.sending.values()) {
      if (sent.text === message.body || sent.text.trim() === message.body.trim()) {
        sent.held.set(message.id, { message, html });
        return true;
      }
    }
    if (this.tried !== null && this.tried === message.body && this.text.value === this.tried) {
      // Its answer was lost, and here it is: it was sent after all.
      this.text.value = "";
      this.tried = null;
      this.key = newKey();
      this.complain("");
      this.keep();
      this.show();
    }
    return false;
  }

  finish(key, sent) {
    this.sending.delete(key);
    sent.bubble.remove();
  }

  release(sent, except = null) {
    for (const [id, { message, html }] of sent.held) {
      if (id === except) continue;
      if (!this.holds(message, html)) this.thread.put(message, html);
    }
  }

  done(key, sent, { id, html, eta_s: seconds }) {
    this.finish(key, sent);
    const newer = sent.held.get(id);
    if (id && (newer || html) && (newer || !document.getElementById(`m${id}`))) {
      if (this.thread.isNewest) {
        this.thread.place(id, newer ? newer.html : html);
        this.thread.arrange();
        this.thread.toEnd();
      } else location.assign(this.thread.path);
    }
    this.release(sent, id);
    this.thread.refreshWaiting();
    this.eta.textContent = seconds ? `Leaves ${inWords(seconds)}` : "";
    this.keep();
  }

  failed(key, sent, error) {
    const isLost = !(error instanceof Refused) || (error.status >= 500 && !KEPT_BY_GATEWAY.includes(error.code));
    if (isLost && this.text.value && !this.gone.signal.aborted) {
      // The box has the next text already. Under its key this one is sent once, however often it is asked for.
      sent.bubble.querySelector(".state").lastChild.textContent = " The gateway does not answer. It is asked again.";
      this.soon(key, AGAIN_MS, () => this.attempt(key, sent));
      this.keep();
      return;
    }
    this.finish(key, sent);
    const kept = error instanceof Refused && KEPT_BY_GATEWAY.includes(error.code);
    if (kept) {
      this.complain(error.message);
    } else {
      const answered = error instanceof Refused;
      const words = answered
        ? [error.message, ...error.errors.map((one) => one.problem)].join(" ")
        : "The gateway did not answer. Your text is kept. To send it again sends it once.";
      if (this.text.value) this.text.value = `${sent.text}\n${this.text.value}`;
      else {
        this.text.value = sent.text;
        this.key = key;
        this.after = sent.after;
        this.tried = answered && error.status !== 401 && error.status < 500 ? null : sent.text;
      }
      this.later.value = sent.send_at;
      this.complain(words);
    }
    this.release(sent);
    this.keep();
    this.show();
    this.thread.arrange();
  }
}
