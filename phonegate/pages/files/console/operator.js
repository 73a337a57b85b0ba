// Shows the figures of the gateway anew every few seconds, while someone looks at them.

import { ask, elements } from "./ask.js";
import { showTimes } from "./times.js";

const EVERY_MS = 5000;
const place = document.getElementById("now");
let lost = false;

function tell(name) {
  document.dispatchEvent(new CustomEvent(`phonegate:${name}`));
}

async function renew() {
  if (document.hidden) return;
  try {
    const html = await ask(place.dataset.now);
    for (const part of [...elements(html).children]) {
      document.getElementById(part.id).replaceWith(part);
      showTimes(part);
    }
    if (lost) tell("back");
    lost = false;
  } catch (error) {
    if (error.status === 401) return;
    if (!lost) tell("lost");
    lost = true;
  }
}

async function goOn() {
  await renew();
  setTimeout(goOn, EVERY_MS);
}

document.addEventListener("visibilitychange", renew);
setTimeout(goOn, EVERY_MS);
