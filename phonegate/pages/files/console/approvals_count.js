// How many messages wait for approval, in the menu of every page; a new one is announced.

import { ask } from "./ask.js";
import { say } from "./console.js";
import "./live.js";

const AGAIN_MS = 2000;
const HELD = "message.held";
const DECIDED = ["message.queued", "message.sending", "message.sent", "message.cancelled", "message.expired"];
const badge = document.querySelector('[data-count="/approvals"]');
let waiting = null;
let timer = 0;
let asked = 0;

function show({ waiting: now, most }) {
  badge.textContent = now < most ? String(now) : `${most - 1}+`;
  badge.hidden = !now;
  if (waiting !== null && now > waiting) say(now === 1 ? "A message waits for approval." : `${badge.textContent} messages wait for approval.`);
  waiting = now;
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
  }, Math.max(100, asked + AGAIN_MS - Date.now()));
}

if (badge) {
  document.addEventListener("phonegate:event", ({ detail }) => {
    if (detail.type === HELD || (waiting && DECIDED.includes(detail.type))) soon();
  });
  for (const name of ["gap", "back"]) document.addEventListener(`phonegate:${name}`, soon);
  soon();
}
