// The page of an invitation: it asks every few seconds how far the phone is, until it works or ends.

import { say } from "./console.js";
import { refresh } from "./live_parts.js";

const part = document.querySelector("[data-every]");
const number = document.getElementById("f-number");
const lit = new Set();

function heed() {
  for (const light of part.querySelectorAll(".on[data-light]")) {
    if (lit.has(light.dataset.light)) continue;
    lit.add(light.dataset.light);
    say(light.dataset.light === "online" ? "The phone is online." : "The test SMS came back.");
  }
  const known = part.querySelector("[data-number]")?.dataset.number;
  if (known && number && !number.value && document.activeElement !== number) number.value = known;
}

part.addEventListener("phonegate:placed", heed);
heed();
const timer = setInterval(() => {
  if (!document.hidden && lit.size < 2) refresh(part);
}, Number(part.dataset.every));
document.addEventListener("phonegate:signed-out", () => clearInterval(timer));
