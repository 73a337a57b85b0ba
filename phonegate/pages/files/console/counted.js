// Shows beneath a text how many SMS it takes, as one types.

import { counter } from "./segments.js";

for (const output of document.querySelectorAll("[data-counts]")) {
  counter(document.getElementById(output.dataset.counts), output);
}
