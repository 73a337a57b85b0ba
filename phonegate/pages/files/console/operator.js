// Shows the figures of the gateway anew every few seconds, while someone looks at them.

import { ask, elements } from "./ask.js";
import { keepFocus } from "./kept_focus.js";
import { closed } from "./session.js";
import { showTimes } from "./times.js";

const EVERY_MS = 5000;
const REST = 20;
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
      const { id } = part;
      keepFocus(() => document.getElementById(id), () => document.getElementById(id).replaceWith(part));
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

// Where a million messages wait, a look takes the gateway a second: then it looks less often.
async function goOn() {
  const begun = performance.now();
  await renew();
  if (closed.aborted) return;
  setTimeout(goOn, Math.max(EVERY_MS, REST * (performance.now() - begun)));
}

document.addEventListener("visibilitychange", renew);
setTimeout(goOn, EVERY_MS);
