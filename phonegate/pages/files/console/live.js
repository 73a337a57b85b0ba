// What happens, as it happens: events of the org, and what was read in other consoles, on `document`:
// `phonegate:event` {id, type, created_at, data, html?}, `phonegate:read` {address, upto}, `phonegate:gap`
// (some events are missing: read anew what is shown), `phonegate:lost` and `phonegate:back`.

import { ask } from "./ask.js";
import { LiveSource } from "./live_source.js";

const { live, org, session, root } = document.body.dataset;
const WORKER_MS = 3000; // a worker says within milliseconds that it is there

const made = document.querySelector("[data-since]")?.dataset.since;
const since = made === undefined ? null : Number(made);
let lost = false;
let leaving = false;
let stop = () => {};

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`phonegate:${name}`, { detail }));
}

function take(message) {
  switch (message.type) {
    case "events":
      for (const event of message.events) {
        if (event.type === "read") tell("read", event.data);
        else tell("event", event);
      }
      break;
    case "closed":
      if (leaving) break;
      // Why, an EventSource does not say. Where the session has ended, this answer says so.
      ask("/unread").catch((error) => {
        if (error.status === 401) stop();
      });
      break;
    case "lost":
      if (!lost) tell("lost");
      lost = true;
      break;
    case "back":
      if (lost) tell("back");
      lost = false;
      break;
    case "gap":
      tell("gap");
      break;
  }
}

function followAlone() {
  const source = new LiveSource(new URL(live, location.href).href, take);
  stop = () => source.stop();
  source.open(since);
}

function followByWorker() {
  const address = new URL("./live_worker.js", import.meta.url);
  // Another session, or another gateway on this host, has a worker of its own.
  const worker = new SharedWorker(address, { type: "module", name: `${root} ${org} ${session}` });
  let here = false;
  let alone = false;
  const fall = () => {
    if (here || alone) return;
    alone = true;
    worker.port.close();
    followAlone();
  };
  worker.onerror = fall;
  setTimeout(fall, WORKER_MS);
  worker.port.onmessage = ({ data }) => {
    if (data.type === "here") {
      if (alone || here) return;
      here = true;
      stop = () => worker.port.postMessage({ type: "stop" });
      worker.port.postMessage({ type: "hello", url: new URL(live, location.href).href, since });
      return;
    }
    take(data);
  };
  addEventListener("pagehide", () => worker.port.postMessage({ type: "bye" }));
  // A page that comes back from the browser's memory has missed what happened meanwhile.
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    worker.port.postMessage({ type: "hello", url: new URL(live, location.href).href, since: null });
    tell("gap");
  });
}

// Signing out ends the stream: nothing is lost then, and nothing is to be asked any more.
document.addEventListener("submit", (event) => {
  leaving = leaving || event.target.matches("[data-sign-out]");
});

if (live) {
  try {
    if ("SharedWorker" in window) followByWorker();
    else followAlone();
  } catch {
    followAlone();
  }
}
