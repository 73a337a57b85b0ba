// How many messages wait for approval, in the menu of every page; a new one is announced.

import { ask } from "./ask.js";
import { say } from "./console.js";
import "./live.js";

const AGAIN_MS = 2000;
const SPREAD_MS = 900; // a hundred consoles hear of a message in one instant
const HELD = "message.held";
const badge = document.querySelector('[data-count="/approvals"]');
let waiting = null;
let ids = [];
let timer = 0;
let asked = 0;

function show(found) {
  const { waiting: now, most } = found;
  const isNews = waiting === null || found.ids.join() !== ids.join();
  badge.textContent = now < most ? String(now) : `${most - 1}+`;
  badge.hidden = !now;
  if (waiting !== null && now > waiting) say(now === 1 ? "A message waits for approval." : `${badge.textContent} messages wait for approval.`);
  waiting = now;
  ids = found.ids;
  if (isNews) document.dispatchEvent(new CustomEvent("phonegate:approvals", { detail: ids }));
}

function soon() {
  if (timer) return;
  timer = setTimeout(async () => {
    timer = 0;
    asked = Date.now();
    try {
      show(await ask("/approvals/count"));
    } catch {
      // Said elsewhere: the connection is lost, or the session has ended.
    }
  }, Math.max(100, asked + AGAIN_MS - Date.now()) + SPREAD_MS * Math.random());
}

if (badge) {
  document.addEventListener("phonegate:event", ({ detail }) => {
    if (detail.type === HELD || ids.includes(detail.data?.message?.id)) soon();
  });
  for (const name of ["gap", "back"]) document.addEventListener(`phonegate:${name}`, soon);
  soon();
}
