// One stream of events from the gateway, opened again whenever it is lost. A page or a worker has it.

const KEPT = 200; // events for a page that comes later, such as one that is opened from another
const AGAIN_MS = [2000, 5000]; // from and to, so that those who were lost together don't come back together
const LOST_MS = 6000; // a browser comes back after one to four seconds
const ANSWER_MS = 10_000; // a gateway that is there has answered by then
const BUNDLE_MS = 50; // events that come together are passed on together

export class LiveSource {
  /**
   * @param {string} url Of the stream.
   * @param {(message: object) => void} post Takes {type: "events", events}, {type: "gap"}, {type: "lost"},
   *   {type: "back"} and {type: "ended"}: the session has ended, and nothing comes any more.
   */
  constructor(url, post) {
    this.url = url;
    this.post = post;
    this.kept = [];
    this.position = null; // up to this event, all came
    this.floor = Infinity; // after this one, all that came are kept
    this.lost = false;
    this.losing = 0;
    this.opened = false;
    this.stopped = false;
    this.waiting = [];
    this.timer = 0;
  }

  /** Closes it, and opens it no more. */
  stop() {
    this.stopped = true;
    this.source?.close();
    clearTimeout(this.losing);
  }

  /** Notes that its session has ended. */
  end() {
    if (this.stopped) return;
    this.stop();
    this.flush();
    this.post({ type: "ended" });
  }

  /** Tells whether it was refused since its session has ended, which an EventSource does not say. */
  async wasSessionEnded() {
    const asking = new AbortController();
    const patience = setTimeout(() => asking.abort(), ANSWER_MS);
    try {
      return (await fetch(this.url, { signal: asking.signal, credentials: "same-origin" })).status === 401;
    } catch {
      return false;
    } finally {
      clearTimeout(patience);
      asking.abort();
    }
  }

  open(since) {
    if (this.stopped) return;
    if (since !== null && this.position === null) {
      this.position = since;
      this.floor = since;
    }
    const url = new URL(this.url);
    if (this.position !== null) url.searchParams.set("since_id", this.position);
    const source = new EventSource(url.href);
    this.source = source;
    source.onopen = () => {
      clearTimeout(this.losing);
      this.losing = 0;
      if (this.lost) this.post({ type: "back" });
      // Read marks are no events, and those that were missed do not come again.
      else if (this.opened) this.post({ type: "events", events: [{ type: "read", data: { address: null, upto: 0 } }] });
      this.lost = false;
      this.opened = true;
    };
    source.addEventListener("ended", () => this.end());
    source.onerror = async () => {
      // It ends whenever a session of the org does, and is back within seconds: that is no news.
      if (!this.losing && !this.lost) {
        this.losing = setTimeout(() => {
          this.losing = 0;
          this.lost = true;
          this.post({ type: "lost" });
        }, LOST_MS);
      }
      // An answer that is no stream, or a gateway that is away: the browser itself may have given up.
      if (source.readyState !== EventSource.CLOSED) return;
      if (await this.wasSessionEnded()) {
        this.end();
        return;
      }
      const [from, to] = AGAIN_MS;
      setTimeout(() => this.open(null), from + Math.random() * (to - from));
    };
    source.onmessage = (message) => this.take(message);
    source.addEventListener("gap", (message) => {
      this.flush();
      this.kept = [];
      this.position = Number(message.lastEventId);
      this.floor = this.position;
      this.post({ type: "gap" });
    });
  }

  take(message) {
    const event = JSON.parse(message.data);
    if (event.id) {
      this.position = event.id;
      this.kept.push(event);
      if (this.kept.length > KEPT) this.floor = this.kept.shift().id;
    }
    this.waiting.push(event);
    if (!this.timer) {
      if (this.waiting.length === 1) this.flush();
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.flush();
      }, BUNDLE_MS);
    }
  }

  flush() {
    if (!this.waiting.length) return;
    const events = this.waiting;
    this.waiting = [];
    this.post({ type: "events", events });
  }

  /** What a page gets that was made after an event, and comes now. */
  since(id) {
    if (id >= this.floor) {
      const events = this.kept.filter((event) => event.id > id);
      return events.length ? { type: "events", events } : null;
    }
    return { type: "gap" };
  }
}
