// How many conversations are unread: in the title, in the menu and as a mark on the page's icon.

import { ask } from "./ask.js";
import "./drafts.js";
import "./live.js";

const MOST = 100; // counted no further
const AGAIN_MS = 2000;
const FAILED_MS = 4000;
const SPREAD_MS = 900; // all consoles of an org hear of a message at once, and ask one after the other

const icon = document.querySelector("link[rel=icon]");
const plainIcon = icon?.href;
const markedIcon = new URL("./favicon_unread.svg", import.meta.url).href;
let title = document.title;
let count = Number(document.querySelector("[data-unread]")?.dataset.unread ?? NaN);
let timer = 0;
let asked = 0;

function words() {
  return count >= MOST ? `${MOST - 1}+` : String(count);
}

function show() {
  if (Number.isNaN(count)) return;
  document.title = count ? `(${words()}) ${title}` : title;
  for (const badge of document.querySelectorAll('[data-count="/conversations"], [data-unread-count]')) {
    badge.hidden = !count;
    badge.textContent = words();
  }
  if (icon) icon.href = count ? markedIcon : plainIcon;
}

/** Returns the title of the page, without the count. */
export function pageTitle() {
  return title;
}

/** Gives the page another title, before which the count stands. */
export function setTitle(text) {
  title = text;
  show();
}

export function setUnread(number) {
  count = number;
  show();
}

/** Asks how many there are, some time soon. */
export function countSoon() {
  if (timer) return;
  timer = setTimeout(async () => {
    timer = 0;
    asked = Date.now();
    try {
      setUnread((await ask("/unread")).unread);
    } catch (error) {
      // Said elsewhere: the connection is lost, or the session has ended.
      if (error.status !== 401 && !timer) timer = setTimeout(() => {
        timer = 0;
        countSoon();
      }, FAILED_MS);
    }
  }, Math.max(100, asked + AGAIN_MS - Date.now()) + Math.random() * SPREAD_MS);
}

document.addEventListener("phonegate:event", ({ detail }) => {
  if (detail.type === "message.received") countSoon();
});
for (const name of ["read", "gap", "back"]) document.addEventListener(`phonegate:${name}`, countSoon);

if (!document.body.dataset.live) count = 0;
else if (Number.isNaN(count)) countSoon();
else show();
