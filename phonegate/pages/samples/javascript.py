"""Samples in JavaScript, for Node."""

from typing import Final

_SEND: Final = """
const answer = await fetch("BASE/send/myorg", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.PHONEGATE_KEY}`,
    "Content-Type": "application/json",
    "Idempotency-Key": "dinner-2026-11-21",
  },
  body: JSON.stringify({ to: "+15553334444", body: "Dinner at eight?" }),
});
const sent = await answer.json();
if (!answer.ok) throw new Error(sent.detail);
for (const { id, status } of sent.results) console.log(id, status);
"""

_READ: Final = """
const headers = { "Authorization": `Bearer ${process.env.PHONEGATE_KEY}` };
let lastId = 0; // what you have read so far
const query = new URLSearchParams({ direction: "in", since_id: lastId });
const answer = await fetch(`BASE/messages/myorg?${query}`, { headers });
const page = await answer.json();
if (!answer.ok) throw new Error(page.detail);
for (const { id, address, body } of page.messages) {
  console.log(id, address, body);
  lastId = id;
}
"""

_FOLLOW: Final = """
import { setTimeout as sleep } from "node:timers/promises";

const headers = { "Authorization": `Bearer ${process.env.PHONEGATE_KEY}` };

async function events(query) {
  for (;;) {
    try {
      const signal = AbortSignal.timeout(60_000);
      const answer = await fetch(`BASE/events/myorg?${query}`, { headers, signal });
      if (answer.ok) return await answer.json();
      if (answer.status < 500 && answer.status !== 429) throw new Error(await answer.text());
    } catch (error) {
      // fetch says so where there is no connection, and a signal where there is no answer.
      if (!["TypeError", "TimeoutError"].includes(error.name)) throw error;
    }
    await sleep(5_000);
  }
}

let { last_id: lastId } = await events("limit=1");
for (;;) {
  const page = await events(`types=message.received&wait=25&since_id=${lastId}`);
  for (const { data } of page.events) console.log(data.message.address, data.message.body);
  lastId = page.last_id;
}
"""

_VERIFY: Final = """
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");

function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": all } = headers;
  if (!id || !time || !all || !(Math.abs(Date.now() / 1000 - time) < 300)) return false;
  const own = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
  return all.split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return given.length === own.length && timingSafeEqual(given, own);
  });
}

createServer(async (request, response) => {
  const pieces = [];
  try {
    for await (const piece of request) pieces.push(piece);
  } catch {
    return; // The caller has left.
  }
  const body = Buffer.concat(pieces);
  if (!isSigned(request.headers, body)) {
    response.writeHead(400).end();
    return;
  }
  const event = JSON.parse(body);
  console.log(event.type, event.id);
  response.writeHead(204).end();
}).listen(8000);
"""

SAMPLES: Final = {"send": _SEND, "read": _READ, "follow": _FOLLOW, "verify": _VERIFY}
