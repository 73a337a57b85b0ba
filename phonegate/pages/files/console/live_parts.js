// Parts of a page that are fetched again when something happens that they show.
//
// An element with `data-part` has the address of its part, and with `data-on` the beginnings of the
// types of events that change it. With `data-phone`, events of other phones don't count. `data-pause`
// is the shortest time between two fetches.

import { ask, elements } from "./ask.js";
import { keepFocus } from "./kept_focus.js";
import { showTimes } from "./times.js";

const PAUSE_MS = 1500; // between two fetches: ten thousand phones may come at once
const SPREAD_MS = 900; // a hundred consoles hear of it in one instant
const SHARE = 10; // and a list of them, which takes the gateway long, is fetched more rarely
const LEAVING_MS = 5000; // a form is sent, which may remove what is shown
const plans = new WeakMap();
const shown = new WeakMap();
let left = 0;

function concerns(part, { type, data }) {
  if (!(part.dataset.on || "").split(" ").some((kind) => kind && type.startsWith(kind))) return false;
  const { phone } = part.dataset;
  return !phone || !type.startsWith("phone.") || String(data?.phone?.id) === phone;
}

/** Places a part in an element, if it is another. What had the focus, and what was ticked, is so again. */
export function place(part, html) {
  if (shown.get(part) === html) return;
  shown.set(part, html);
  keepFocus(() => part, () => placeAnew(part, html));
}

function placeAnew(part, html) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const { id, href, name, value } = focused || {};
  const ticked = [...part.querySelectorAll("input:checked")].map((one) => one.value);
  part.replaceChildren(elements(html));
  showTimes(part);
  for (const box of part.querySelectorAll("input[type=checkbox]")) box.checked ||= ticked.includes(box.value);
  if (!focused) return;
  const same = id
    ? document.getElementById(id)
    : [...part.querySelectorAll("a, button, input")].find((one) => (href ? one.href === href : name && one.name === name && one.value === value));
  same?.focus();
}

/** Fetches a part again, soon. */
export function refresh(part) {
  const plan = plans.get(part) || {};
  plans.set(part, plan);
  if (plan.timer) return;
  const wait = Math.max(100, (plan.next || 0) - Date.now()) + (part.dataset.every ? 0 : SPREAD_MS * Math.random());
  plan.timer = setTimeout(async () => {
    const begun = Date.now();
    try {
      if (Date.now() - left < LEAVING_MS) plan.missed = true;
      else if (!document.hidden) {
        place(part, await ask(part.dataset.part));
        part.dispatchEvent(new CustomEvent("phonegate:placed", { bubbles: true, detail: part }));
      } else plan.missed = true;
    } catch {
      // The page shows what it showed; a banner says that the connection is lost.
    }
    plan.timer = 0;
    plan.next = Date.now() + Math.max(Number(part.dataset.pause) || PAUSE_MS, SHARE * (Date.now() - begun));
  }, wait);
}

function all(wanted = () => true) {
  for (const part of document.querySelectorAll("[data-part]")) if (wanted(part)) refresh(part);
}

document.addEventListener("phonegate:event", (event) => all((part) => concerns(part, event.detail)));
document.addEventListener("submit", () => (left = Date.now()));
document.addEventListener("phonegate:gap", () => all());
document.addEventListener("phonegate:back", () => all());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) all((part) => plans.get(part)?.missed && !(plans.get(part).missed = false));
});
