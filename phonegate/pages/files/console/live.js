// What happens, as it happens: events of the org, and what was read in other consoles, on `document`:
// `phonegate:event` {id, type, created_at, data, html?}, `phonegate:read` {address, upto}, `phonegate:gap`
// (some events are missing: read anew what is shown), `phonegate:lost` and `phonegate:back`.

import { LiveSource } from "./live_source.js";
import { closed, sessionEnded } from "./session.js";

const { live, org, session, root } = document.body.dataset;
const WORKER_MS = 3000; // a worker says within milliseconds that it is there

const made = document.querySelector("[data-since]")?.dataset.since;
const since = made === undefined ? null : Number(made);
let lost = false;

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
    case "ended":
      sessionEnded();
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
  if (closed.aborted) return;
  const source = new LiveSource(new URL(live, location.href).href, take);
  closed.addEventListener("abort", () => source.stop());
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
      if (alone || here || closed.aborted) return;
      here = true;
      document.addEventListener("phonegate:signed-out", () => worker.port.postMessage({ type: "ended" }));
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

if (live) {
  try {
    if ("SharedWorker" in window) followByWorker();
    else followAlone();
  } catch {
    followAlone();
  }
}
