// Approvals as they come and go. What was ticked stays so, and all of a page are ticked by one box.

import "./live.js";
import { refresh } from "./live_parts.js";

const part = document.querySelector("[data-part]");

function boxes() {
  return [...part.querySelectorAll('input[name="id"]')];
}

function begin() {
  const all = part.querySelector("[data-all]");
  if (!all) return;
  all.hidden = all.nextElementSibling.hidden = false;
  all.checked = boxes().every((box) => box.checked);
}

part.addEventListener("change", ({ target }) => {
  if (target.matches("[data-all]")) for (const box of boxes()) box.checked = target.checked;
  else begin();
});
part.addEventListener("phonegate:placed", begin);
document.addEventListener("phonegate:approvals", ({ detail }) => {
  // The page may be older than what was counted.
  if (boxes().map((box) => box.value).join() !== detail.join()) refresh(part);
});
begin();
