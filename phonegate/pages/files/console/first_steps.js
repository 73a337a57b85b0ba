// The first steps go on by themselves: when the phone comes online, when the message leaves, when the
// answer arrives. Without this file the page is the same, and is loaded again by hand.

import { ask, elements } from "./ask.js";
import { say } from "./console.js";

const PHONE_MS = 2000;
const MESSAGE_MS = 400;
// An answer of a person takes minutes: each look comes a little later than the one before.
const SLOWER = 1.1;
const SLOWEST_MS = 5000;
const GIVE_UP_MS = 15 * 60 * 1000;

const place = document.getElementById("steps");
const begun = Date.now();
let pause = MESSAGE_MS;

function steps() {
  return place.querySelector(".steps");
}

async function look() {
  const { wait, message } = steps().dataset;
  if (!wait || Date.now() - begun > GIVE_UP_MS) return;
  if (!document.hidden) {
    try {
      const html = await ask(`/first-steps/progress${message ? `?message=${message}` : ""}`);
      const before = place.textContent.replace(/\s+/g, " ");
      const found = elements(html);
      if (found.textContent.replace(/\s+/g, " ") !== before) show(found);
    } catch (error) {
      // The gateway may restart: the next look finds it again.
      if (error.status === 401) return;
    }
  }
  pause = Math.min(pause * SLOWER, SLOWEST_MS);
  setTimeout(look, steps().dataset.wait === "phone" ? PHONE_MS : pause);
}

function show(found) {
  const held = place.contains(document.activeElement);
  place.replaceChildren(found);
  pause = MESSAGE_MS;
  if (held) document.getElementById("main").focus();
  const titles = [...place.querySelectorAll(".done > h2")];
  say(titles.length ? `Done: ${titles.at(-1).textContent.trim()}` : "");
  document.dispatchEvent(new CustomEvent("phonegate:placed", { detail: place }));
}

look();
