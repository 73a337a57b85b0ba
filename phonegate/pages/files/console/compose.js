// The form for new messages: counts segments, suggests contacts, knows the reader's time zone.

import { ask } from "./ask.js";
import { say } from "./console.js";
import { counter } from "./segments.js";
import "./templates.js";

const form = document.getElementById("compose");
const { to, text, send_at: sendAt, offset } = form.elements;

// How long it takes is asked when one pauses: the gateway knows what else waits for the SIM.
const PAUSE_MS = 500;
const MINUTE_S = 60;
let pace = "";
let pause = 0;
let shown = 1;

function recipients() {
  const typed = to.value.split(/[,;\n]/).filter((one) => one.trim()).length;
  const rows = form.elements.table.value.split("\n").filter((one) => one.trim()).length;
  return typed || Math.max(0, rows - 1);
}

const showCount = counter(text, form.querySelector("[data-count]"), (segments) => {
  shown = segments;
  return (/\{[^{}]+\}/.test(text.value) ? ", before its {placeholders} are filled" : "") + pace;
});

function words(seconds, count) {
  if (seconds === null) return ". No phone that could send it is online";
  const last = count > 1 ? "The last leaves" : "Leaves";
  if (seconds < MINUTE_S) return `. ${last} ${seconds < 1 ? "at once" : "within a minute"}`;
  return `. ${last} in about ${Math.ceil(seconds / MINUTE_S)} min`;
}

function estimate() {
  clearTimeout(pause);
  pause = setTimeout(async () => {
    const count = recipients();
    const asked = new URLSearchParams({ sender: form.elements.sender.value, segments: shown, count });
    try {
      pace = count && text.value ? words((await ask(`/estimate?${asked}`)).eta_s, count) : "";
    } catch {
      pace = "";
    }
    showCount();
  }, PAUSE_MS);
}
for (const field of [to, text, form.elements.table, form.elements.sender]) field.addEventListener("input", estimate);
estimate();

// The offset is that of the chosen time: it changes with the season.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
document.getElementById("f-send_at-hint").textContent = `In your time zone, ${zone}. Empty sends now.`;
function place() {
  const chosen = sendAt.value ? new Date(sendAt.value) : new Date();
  if (!Number.isNaN(chosen.getTime())) offset.value = chosen.getTimezoneOffset();
}
sendAt.addEventListener("input", place);
form.addEventListener("submit", place);
place();

// Suggestions for the word that is being typed, as a list box. A field of several lines can't be a
// combobox (ARIA in HTML), so that there are some is said.
const box = document.querySelector("[data-people]");
const list = document.createElement("ul");
let found = [];
let active = -1;
let asked = 0;

list.id = "people";
list.className = "suggestions";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Contacts");
list.hidden = true;
box.append(list);
to.setAttribute("aria-autocomplete", "list");
to.setAttribute("aria-controls", list.id);

function word() {
  const before = to.value.slice(0, to.selectionStart);
  const begin = Math.max(before.lastIndexOf(","), before.lastIndexOf(";"), before.lastIndexOf("\n")) + 1;
  return { begin, text: before.slice(begin).trim() };
}

function close() {
  asked += 1; // what is still being asked comes too late
  found = [];
  active = -1;
  list.hidden = true;
  to.removeAttribute("aria-activedescendant");
}

function mark(index) {
  active = index;
  for (const [at, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(at === index));
  if (index < 0) to.removeAttribute("aria-activedescendant");
  else {
    to.setAttribute("aria-activedescendant", list.children[index].id);
    list.children[index].scrollIntoView({ block: "nearest" });
  }
}

function choose(person) {
  const { begin } = word();
  const after = to.value.slice(to.selectionStart);
  const lead = begin ? " " : "";
  const name = person.name.replace(/[,;<>\n]/g, " ");
  to.setRangeText(`${lead}${name} <${person.number}>${after.trim() ? "" : ", "}`, begin, to.selectionStart, "end");
  close();
  to.focus();
}

function show(people) {
  found = people;
  list.replaceChildren(...people.map((person, at) => {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const number = document.createElement("bdi");
    item.id = `person-${at}`;
    item.setAttribute("role", "option");
    name.dir = "auto";
    name.textContent = person.label ? `${person.name} · ${person.label}` : person.name;
    number.dir = "ltr";
    number.className = "note";
    number.textContent = person.number;
    item.append(name, number);
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      choose(person);
    });
    return item;
  }));
  list.hidden = people.length === 0;
  if (people.length) say(`${people.length === 1 ? "1 contact" : `${people.length} contacts`}: choose with the arrow keys and Enter.`);
  mark(-1);
}

to.addEventListener("input", async () => {
  const typed = word().text;
  if (typed.length < 2 || typed.includes("<")) {
    close();
    return;
  }
  asked += 1;
  const mine = asked;
  try {
    const people = await ask(`${box.dataset.people}?q=${encodeURIComponent(typed)}`);
    if (mine === asked && document.activeElement === to) show(people);
  } catch {
    close();
  }
});
to.addEventListener("blur", close);
to.addEventListener("keydown", (event) => {
  if (list.hidden) return;
  if (event.key === "ArrowDown") mark((active + 1) % found.length);
  else if (event.key === "ArrowUp") mark(active > 0 ? active - 1 : found.length - 1);
  else if (event.key === "Enter" && active >= 0) choose(found[active]);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
});
