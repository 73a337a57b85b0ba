// Shows the figures anew each minute while someone looks at them, and at once in the reader's zone.

import { ask, elements } from "./ask.js";

const EVERY_MS = 60_000;
const place = document.getElementById("figures");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let shown = "";

async function renew() {
  if (document.hidden || place.contains(document.activeElement)) return;
  try {
    const html = await ask(place.dataset.part);
    if (html === shown) return;
    shown = html;
    const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.parentElement.id));
    place.replaceChildren(elements(html));
    for (const id of open) document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
  } catch {
    // What is shown stays, and the next minute tries again.
  }
}

// The first page of a browser is in UTC: the gateway did not know better.
if (place && place.dataset.zone === "UTC" && zone && zone !== "UTC" && !new URLSearchParams(location.search).has("zone")) renew();
if (place) {
  const timer = setInterval(renew, EVERY_MS);
  document.addEventListener("phonegate:signed-out", () => clearInterval(timer));
  document.addEventListener("visibilitychange", renew);
}
