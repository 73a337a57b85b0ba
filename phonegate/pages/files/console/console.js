// What every page of the console does: times, keys, banners and questions.

import { showTimes } from "./times.js";
import "./unread.js";

const { root } = document.body.dataset;
const banners = document.getElementById("banners");
const main = document.getElementById("main");
const KEYS = "phonegate keys";
const help = document.getElementById("help");
let going = 0;

/** Says something to those who listen to the page in place of looking at it. */
export function say(text) {
  document.getElementById("told").textContent = text;
}

/** Shows a banner under a name, or takes it away. */
export function banner(name, text, kind = "warn") {
  let element = banners.querySelector(`[data-banner="${name}"]`);
  if (!text) {
    element?.remove();
    return;
  }
  if (!element) {
    element = document.createElement("p");
    element.dataset.banner = name;
    banners.append(element);
  }
  element.className = `banner ${kind}`;
  element.textContent = text;
}

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

/** Goes to the screen of a letter, if the menu has it. */
function go(letter) {
  const link = document.querySelector(`.rail a[data-key="${CSS.escape(letter)}"]`);
  if (link) location.assign(link.href);
}

/** Gives the focus to the next or previous thing of the page's lists. */
function step(by) {
  const links = [...main.querySelectorAll(".list > li, .cards > li")]
    .map((row) => row.querySelector("a[href], summary"))
    .filter((link) => link && link.getClientRects().length > 0);
  const now = links.findIndex((link) => link.closest("li").contains(document.activeElement));
  links[now < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, now + by))]?.focus();
}

// Who dictates, or whose hand slips, can switch the keys off. The button beside "Sign out" stays.
const keysOn = document.getElementById("keys-on");
try {
  keysOn.checked = localStorage.getItem(KEYS) !== "off";
} catch {
  // A browser that keeps nothing has the keys.
}
keysOn.addEventListener("change", () => {
  try {
    if (keysOn.checked) localStorage.removeItem(KEYS);
    else localStorage.setItem(KEYS, "off");
  } catch {
    // They are off until the next page.
  }
});
const showKeys = document.getElementById("show-keys");
showKeys.hidden = false;
showKeys.addEventListener("click", () => help.showModal());

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const menu = event.target.closest(".menu-more details[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.firstElementChild.focus();
    return;
  }
  // The page of conversations has its own list, and its own way back.
  const own = document.getElementById("talks") !== null;
  if (event.key === "Escape" && !own) document.querySelector(".back a")?.click();
  if (!keysOn.checked) return;
  if (going && Date.now() - going < 1500) {
    going = 0;
    go(event.key);
    event.preventDefault();
    return;
  }
  if (event.key === "g") going = Date.now();
  else if (event.key === "n") go("n");
  else if (event.key === "?") help.showModal();
  else if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) search.focus();
    else go("c");
  } else if ((event.key === "j" || event.key === "k") && !own) step(event.key === "j" ? 1 : -1);
  else return;
  event.preventDefault();
});

// A form may ask before it is sent. Without scripts its page asks.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.confirmed) return;
  event.preventDefault();
  const dialog = document.createElement("dialog");
  const question = document.createElement("p");
  const answers = document.createElement("form");
  const no = document.createElement("button");
  const yes = document.createElement("button");
  question.textContent = form.dataset.confirm;
  question.id = "question";
  dialog.setAttribute("aria-labelledby", question.id);
  answers.method = "dialog";
  answers.className = "actions";
  no.textContent = "Cancel";
  no.className = "quiet";
  yes.textContent = (event.submitter?.textContent || "Yes").trim();
  yes.className = "danger";
  yes.value = "yes";
  answers.append(no, yes);
  dialog.append(question, answers);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(event.submitter || undefined);
  });
  document.body.append(dialog);
  dialog.showModal();
});

// A page that the browser has kept may be of a session that has ended since.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

document.querySelector("[data-back]")?.addEventListener("click", (event) => {
  if (history.length < 2) return;
  event.preventDefault();
  history.back();
});

document.addEventListener("phonegate:lost", () => banner("link", "The connection to the gateway is lost. This page goes on trying; what you type is kept."));
document.addEventListener("phonegate:back", () => {
  banner("link", "");
  say("The connection is back.");
});
document.addEventListener("phonegate:signed-out", () => {
  banner("link", "");
  banner("session", "Your session has ended. What you have typed is kept. ", "bad");
  const link = document.createElement("a");
  link.href = `${root}/sign-in?next=${encodeURIComponent(location.pathname.slice(root.length) + location.search)}`;
  link.textContent = "Sign in again";
  banners.querySelector("[data-banner=session]").append(link);
});

showTimes();
setInterval(() => showTimes(), 60_000);

// Days are the reader's: pages that the gateway makes know the time zone from here.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (/^[A-Za-z0-9_+/-]{1,64}$/.test(zone || "")) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `phonegate_zone=${zone}; path=${root}; max-age=31536000; SameSite=Strict${secure}`;
}
