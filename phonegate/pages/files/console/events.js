// Events as they happen: rows that the gateway has made, the newest above, and no more than so many.

import "./live.js";
import { ask, elements } from "./ask.js";
import { closed } from "./session.js";
import { showTimes } from "./times.js";

const TOGETHER_MS = 400; // events that come close together are fetched together
const AGAIN_MS = 3000;
const MOST_PAGES = 6; // at once; beyond that the newest are shown, and those between are not

const section = document.querySelector("[data-most]");
const button = document.querySelector("[data-pause]");
const state = document.querySelector("[data-live-state]");
const most = Number(section.dataset.most);
let last = Number(section.querySelector("[data-events]").dataset.last);
let timer = 0;
let asking = false;
let again = false;
let paused = false;
let missed = 0;

function address(changes) {
  const query = new URLSearchParams(location.search);
  for (const name of ["since_id", "before_id"]) query.delete(name);
  for (const [name, value] of Object.entries(changes)) query.set(name, value);
  return `${location.pathname}?${query}`;
}

function place(part) {
  const list = section.querySelector("[data-events]");
  const found = part.querySelector("[data-events]");
  last = Math.max(last, Number(found.dataset.last));
  for (const row of [...found.children].reverse()) {
    if (list.querySelector(`[data-id="${row.dataset.id}"]`) === null) list.prepend(row);
  }
  while (list.children.length > most && !list.lastElementChild.contains(document.activeElement)) {
    list.lastElementChild.remove();
  }
  if (list.children.length) section.querySelector("[data-empty]")?.remove();
  showTimes();
  return "whole" in found.dataset;
}

async function refresh() {
  timer = 0;
  if (closed.aborted) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    let pages = 0;
    while (place(elements(await ask(address({ since_id: last }))))) {
      pages += 1;
      if (pages < MOST_PAGES) continue;
      place(elements(await ask(address({}))));
      break;
    }
  } catch {
    again = true;
    if (!timer) timer = setTimeout(refresh, AGAIN_MS);
  }
  asking = false;
  if (again && !timer) timer = setTimeout(refresh, TOGETHER_MS);
  again = false;
}

function wake() {
  if (paused) {
    missed += 1;
    button.textContent = `Go on (${missed} new)`;
    return;
  }
  if (!timer) timer = setTimeout(refresh, TOGETHER_MS);
}

function say(words) {
  state.textContent = words;
}

button.addEventListener("click", () => {
  paused = !paused;
  missed = 0;
  button.textContent = paused ? "Go on" : "Pause";
  say(paused ? "Paused" : "Live");
  if (!paused) refresh();
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-load]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const part = elements(await ask(link.getAttribute("href")));
    const list = section.querySelector("[data-events]");
    const rows = [...part.querySelectorAll("[data-events] > li")];
    list.append(...rows);
    const next = part.querySelector("[data-load]");
    if (next === null) link.parentElement.remove();
    else link.replaceWith(next);
    showTimes();
    rows[0]?.querySelector("summary").focus();
  } catch {
    location.assign(link.href);
  }
});

if (!("older" in section.dataset)) {
  button.hidden = false;
  state.hidden = false;
  say("Live");
  document.addEventListener("phonegate:event", wake);
  document.addEventListener("phonegate:gap", wake);
  for (const name of ["lost", "signed-out"]) document.addEventListener(`phonegate:${name}`, () => say("Not connected"));
  document.addEventListener("phonegate:back", () => {
    say(paused ? "Paused" : "Live");
    wake();
  });
}
