"use strict";

// A button beside each example that copies it. Without this file the page is the same, less that.

const SHOWN_MS = 1600;
const BY_HAND = "Selected: copy it by hand";
const BY_HAND_MS = 5000;

function select(node) {
  const range = document.createRange();
  range.selectNodeContents(node);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return selection;
}

async function copy(node) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(node.textContent);
      return true;
    } catch {
      // It may be forbidden where the older way is not.
    }
  }
  // A gateway at home is reached over plain HTTP, where browsers offer no clipboard but this one.
  const selection = select(node);
  const done = document.execCommand("copy") || copyField(node.textContent);
  if (done) selection.removeAllRanges();
  return done;
}

// Some browsers copy from a field alone.
function copyField(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  area.className = "told";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused) focused.focus();
  return done;
}

function addButton(holder) {
  const node = holder.querySelector("code");
  const button = document.createElement("button");
  const name = holder.dataset.copy;
  let timer = 0;
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy: ${name}`);
  const say = (word) => {
    button.textContent = word;
    button.setAttribute("aria-label", `${word}: ${name}`);
    document.getElementById("told").textContent = word;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${name}`);
      document.getElementById("told").textContent = "";
    }, word === BY_HAND ? BY_HAND_MS : SHOWN_MS);
  };
  button.addEventListener("click", async () => {
    let done = false;
    try {
      done = await copy(node);
    } catch {
      done = false;
    }
    // Where the browser refuses, the text is left selected for the keyboard.
    if (!done) select(node);
    say(done ? "Copied" : BY_HAND);
  });
  holder.append(button);
}

function addButtons(place) {
  for (const holder of place.querySelectorAll("[data-copy]")) addButton(holder);
}

addButtons(document);
// A part of the page that a script has put in place since.
document.addEventListener("phonegate:placed", (event) => addButtons(event.detail));
