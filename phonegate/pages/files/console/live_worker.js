// One stream for all pages of the console in this browser: a host may have six connections over HTTP/1.1.

import { LiveSource } from "./live_source.js";

const ports = new Set();
let source = null;

function post(message) {
  for (const port of ports) port.postMessage(message);
}

self.onconnect = (event) => {
  const [port] = event.ports;
  port.onmessage = ({ data }) => {
    if (data.type === "ended") {
      source?.end();
      return;
    }
    if (data.type === "bye") {
      ports.delete(port);
      return;
    }
    if (source === null) {
      source = new LiveSource(data.url, post);
      ports.add(port);
      source.open(data.since);
      return;
    }
    source.flush();
    ports.add(port);
    const missed = data.since === null ? null : source.since(data.since);
    if (missed) port.postMessage(missed);
    if (source.lost) port.postMessage({ type: "lost" });
    if (source.stopped) port.postMessage({ type: "ended" });
  };
  port.postMessage({ type: "here" });
};
