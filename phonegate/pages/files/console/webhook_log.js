// Keeps the log of a webhook as it is now, and loads what is older below it.

import "./live.js";
import { ask, elements } from "./ask.js";
import { closed } from "./session.js";
import { showTimes } from "./times.js";

const EVERY_MS = 4000;
const AFTER_EVENT_MS = 700; // a delivery takes a moment

const here = location.pathname + location.search.replace(/opened=[0-9]*(&tested=1)?/, "");
let timer = 0;
let asking = false;

function place(part) {
  const standing = document.querySelector("[data-standing]");
  const fresh = part.querySelector("[data-standing]");
  if (standing !== null && fresh !== null && standing.textContent !== fresh.textContent) standing.replaceWith(fresh);
  const list = document.querySelector("ol[data-log]");
  const found = part.querySelector("ol[data-log]");
  if (found === null) return;
  if (list === null) {
    document.querySelector("[data-log]").replaceWith(found);
    return;
  }
  let before = list.firstElementChild;
  for (const row of [...found.children]) {
    const own = list.querySelector(`[data-n="${row.dataset.n}"]`);
    if (own === null) {
      list.insertBefore(row, before);
      continue;
    }
    before = own.nextElementSibling;
    if (own.dataset.version === row.dataset.version || own.contains(document.activeElement)) continue;
    row.querySelector("details").open = own.querySelector("details").open;
    own.replaceWith(row);
  }
}

async function refresh() {
  clearTimeout(timer);
  if (closed.aborted) return;
  if (!asking && document.visibilityState === "visible") {
    asking = true;
    try {
      place(elements(await ask(here)));
      showTimes();
    } catch {
      // The next turn asks again; the live stream says that the connection is lost.
    }
    asking = false;
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, EVERY_MS);
}

async function older(link) {
  link.setAttribute("aria-busy", "true");
  const part = elements(await ask(link.getAttribute("href")));
  const list = document.querySelector("ol[data-log]");
  const first = part.querySelector("ol[data-log] > li");
  for (const row of part.querySelectorAll("ol[data-log] > li")) list.append(row);
  const next = part.querySelector("[data-load]");
  if (next === null) link.parentElement.remove();
  else link.replaceWith(next);
  showTimes();
  first?.querySelector("summary").focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-load]");
  if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  older(link).catch(() => location.assign(link.href));
});

document.addEventListener("phonegate:event", () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, AFTER_EVENT_MS);
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});

// A page of older deliveries does not change.
if (document.querySelector("[data-older]") === null) timer = setTimeout(refresh, EVERY_MS);
