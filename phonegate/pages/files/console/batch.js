// Shows how a batch goes out, and hands over what is left of it.

import { Refused, ask, elements } from "./ask.js";
import { say } from "./console.js";
import "./live.js";
import { closed } from "./session.js";
import { setTitle } from "./unread.js";

const LOOK_MS = 4000; // when no event comes
const BREATH_MS = 700; // events of many messages come at once

const place = document.getElementById("progress");
let timer = 0;
let busy = false;

function draw(html) {
  const wasOpen = is("open");
  const focused = place.contains(document.activeElement);
  place.replaceChildren(elements(html));
  if (focused) place.querySelector("button")?.focus();
  const sum = place.querySelector(".batch-sum strong").textContent;
  setTitle(`${sum} · phonegate`);
  if (wasOpen && !is("open")) say(`The batch is done: ${sum}.`);
}

function is(state) {
  return place.querySelector(`[data-${state}]`) !== null;
}

function plan(ms) {
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}

async function look() {
  if (document.hidden || closed.aborted) return;
  if (busy) {
    plan(LOOK_MS);
    return;
  }
  busy = true;
  try {
    draw(await ask(place.dataset.part));
  } catch {
    // Said by the page's banners; it is looked again.
  }
  busy = false;
  if (is("open")) plan(LOOK_MS);
}

async function send() {
  const form = place.querySelector("[data-continue]");
  if (form === null) return;
  busy = true;
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    draw(await ask(new URL(form.action).pathname, { method: "POST", form }));
    busy = false;
    if (is("resumable")) await send();
  } catch (error) {
    busy = false;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
    if (error instanceof Refused) form.querySelector(".note").textContent = error.detail;
  }
}

document.addEventListener("phonegate:event", (event) => {
  if (String(event.detail.type).startsWith("message.") && is("open")) plan(BREATH_MS);
});
document.addEventListener("phonegate:back", () => plan(0));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && is("open")) plan(0);
});

// Only what was begun in this tab just now goes on by itself: a person who comes back decides.
const begun = sessionStorage.getItem("phonegate-batch") === place.dataset.token;
sessionStorage.removeItem("phonegate-batch");
if (begun && document.querySelector(".said") === null) send();
if (is("open")) plan(LOOK_MS);
