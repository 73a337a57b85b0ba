// The screen of conversations: the list and the conversation that is open, by mouse and by keys.

import { address as at, ask, elements } from "./ask.js";
import { conversation } from "./conversation_path.js";
import "./live.js";
import { offerNotifications } from "./notify.js";
import { Reply } from "./reply.js";
import { TalkList } from "./talk_list.js";
import { Thread } from "./thread.js";
import "./templates.js";
import { showTimes } from "./times.js";
import { pageTitle, setTitle } from "./unread.js";

const talks = document.getElementById("talks");
const side = document.getElementById("thread-side");
const act = document.getElementById("act");
const empty = side.querySelector(".thread") ? null : side.firstElementChild.cloneNode(true);
// The list stays as it was searched while conversations open and close beside it.
const ofList = location.pathname === at("/conversations")
  ? { href: location.href, title: pageTitle() }
  : { href: at("/conversations"), title: "Conversations · phonegate" };
let thread = null;
let opening = 0;

function start() {
  const article = side.querySelector(".thread");
  thread = null;
  if (!article) return;
  thread = new Thread(article);
  const form = article.querySelector("#reply");
  if (form) thread.reply = new Reply(form, thread);
}

const list = new TalkList(document.getElementById("talk-list"), () => thread?.address ?? null);

/** Opens a conversation beside the list. */
async function open(href, { push = true } = {}) {
  const url = new URL(href, location.href);
  // The message at the end of a link is for pages without scripts, which begin at their top.
  if (!url.searchParams.has("at")) url.hash = "";
  opening += 1;
  const mine = opening;
  let part;
  try {
    const asked = new URL(url);
    asked.searchParams.set("part", "thread");
    part = elements(await ask(asked.pathname + asked.search));
  } catch (error) {
    if (error.status !== 401) location.assign(url);
    return;
  }
  if (mine !== opening) return;
  thread?.close();
  showTimes(part);
  side.replaceChildren(part);
  talks.classList.add("open");
  if (push) history.pushState({}, "", url);
  start();
  list.mark();
  setTitle(`${thread.title} · phonegate`);
  const text = side.querySelector("#text");
  if (text && matchMedia("(min-width: 60rem)").matches) text.focus({ preventScroll: true });
  else side.querySelector("#thread-title").focus({ preventScroll: true });
}

/** Shows the list alone. */
function close({ push = true } = {}) {
  const address = thread?.address;
  thread?.close();
  thread = null;
  talks.classList.remove("open");
  side.replaceChildren(...(empty ? [empty.cloneNode(true)] : []));
  if (push) history.pushState({}, "", ofList.href);
  setTitle(ofList.title);
  list.mark();
  (list.row(address)?.firstElementChild ?? list.links()[0])?.focus();
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".thread-menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest(".talk > a");
  if (link) {
    event.preventDefault();
    open(link.href);
    return;
  }
  if (event.target.closest(".thread-head .back")) {
    event.preventDefault();
    close();
  }
});

addEventListener("popstate", () => {
  const path = location.pathname.slice(at("/conversations").length);
  if (path.length > 1) open(location.href, { push: false });
  else if (thread) close({ push: false });
});

// A button of a bubble sends the form of the page; where it asks first, console.js asks.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target !== act || !button) return;
  if (button.dataset.ask) act.dataset.confirm = button.dataset.ask;
  else delete act.dataset.confirm;
}, { capture: true });

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.defaultPrevented || event.target !== act || !button?.closest(".bubble")) return;
  event.preventDefault();
  delete act.dataset.confirmed;
  delete act.dataset.confirm;
  thread?.act(button);
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input, textarea, select");
  const menu = document.querySelector(".thread-menu[open]");
  if (event.key === "Escape" && menu) {
    event.preventDefault();
    menu.open = false;
    menu.firstElementChild.focus();
    return;
  }
  if (event.key === "Escape") {
    if (typing && typing.value === "" && typing.type === "search") typing.blur();
    else if (thread && typing?.type !== "search") {
      event.preventDefault();
      close();
    }
    return;
  }
  if (typing) return;
  const inList = event.target.closest(".talk");
  const letters = document.getElementById("keys-on").checked ? { j: 1, k: -1 } : {};
  const step = { ...letters, ...(inList ? { ArrowDown: 1, ArrowUp: -1 } : {}) }[event.key];
  if (!step) return;
  const links = list.links();
  const now = links.findIndex((link) => link === document.activeElement || (!inList && link.hasAttribute("aria-current")));
  const next = links[Math.min(links.length - 1, Math.max(0, now + step))];
  if (!next) return;
  event.preventDefault();
  next.focus();
});

offerNotifications(document.querySelector("[data-notify]"), {
  titleOf: (address) => list.row(address)?.querySelector(".name").textContent || address || "Unknown sender",
  openAddress: (address) => open(list.row(address)?.firstElementChild.href ?? at(conversation(address))),
});

start();
list.mark();
