"use strict";

// The two lights and the test of the pairing page. It asks again two seconds after each answer.

const POLL_MS = 2000;
const POLL_TIMEOUT_MS = 6000; // an answer takes milliseconds; a machine that is off gives none at all
const SEND_TIMEOUT_MS = 30000; // longer than the gateway waits for its disk
const MOST_FAILS = 2; // a phone that changes its network fails once
const TAKEN = 410; // by another browser
const ENDED = [404, TAKEN];

const here = location.pathname.replace(/\/$/, "");
const at = (id) => document.getElementById(id);
const lit = { online: at("online").classList.contains("on"), received: at("received").classList.contains("on") };
let timer = 0;
let asking = false;
let ended = false;
let fails = 0;

function say(words) {
  at("said").textContent = words;
}

function light(id, on, words) {
  at(id).classList.toggle("on", on);
  if (on && !lit[id]) say(words);
  lit[id] = on;
}

function write(id, words) {
  if (at(id).textContent !== words) at(id).textContent = words;
}

function show(state) {
  reached();
  light("online", state.online || state.forwards, state.forwards ? "The app has called." : "The phone is online.");
  light("received", state.received, "The test SMS came in.");
  write("online-title", state.forwards ? "App has called" : "Phone online");
  write("phone-words", state.phone);
  write("test-words", state.test || "Not sent yet.");
  write("progress", state.test || "");
  at("progress").classList.toggle("bad", state.test_failed);
  at("received").classList.toggle("bad", state.test_failed && !state.received);
  at("hint").hidden = !state.hint;
  write("hint", state.hint || "");
  const number = at("number");
  if (state.number && !number.value && document.activeElement !== number) number.value = state.number;
  at("send").disabled = !state.online || state.tests_left < 1;
  write("left", state.left);
  at("done").hidden = !(state.received && (state.online || state.forwards));
  at("done-send").hidden = state.forwards;
}

// The first light tells of this moment, of which nothing is known here any more.
function lose(id) {
  lit.online = false;
  at("online").classList.remove("on");
  write("phone-words", "Not known now.");
  at("send").disabled = true;
  at(id).hidden = false;
  say(at(id).textContent);
}

function reached() {
  fails = 0;
  at("away").hidden = true;
}

function missed() {
  fails += 1;
  if (fails === MOST_FAILS) lose("away");
}

function end(status, detail) {
  if (ended) return;
  ended = true;
  reached();
  if (status === TAKEN) write("ended", detail);
  lose("ended");
}

async function ask(path, patienceMs, options = {}) {
  const control = new AbortController();
  const patience = setTimeout(() => control.abort(), patienceMs);
  try {
    const answer = await fetch(here + path, { cache: "no-store", signal: control.signal, ...options });
    return { ok: answer.ok, status: answer.status, said: await answer.json() };
  } finally {
    clearTimeout(patience);
  }
}

async function look() {
  if (asking || ended || document.hidden) return;
  asking = true;
  clearTimeout(timer);
  try {
    const { ok, status, said } = await ask("/state", POLL_TIMEOUT_MS);
    if (ok) show(said);
    else if (ENDED.includes(status)) end(status, said.detail);
    else missed();
  } catch {
    missed();
  }
  asking = false;
  if (!ended) timer = setTimeout(look, POLL_MS);
}

function complain(words) {
  at("problem").textContent = words.charAt(0).toUpperCase() + words.slice(1);
  at("problem").hidden = !words;
  at("number").setAttribute("aria-invalid", words ? "true" : "false");
}

async function send(event) {
  event.preventDefault();
  const button = at("send");
  if (button.disabled) return;
  button.disabled = true;
  complain("");
  // As people write numbers; the gateway takes them without the signs between.
  const number = at("number").value.replace(/[\s().\u00a0-]/g, "");
  try {
    const { ok, status, said } = await ask("/test", SEND_TIMEOUT_MS, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ number }),
    });
    if (ok) show(said);
    else if (ENDED.includes(status)) end(status, said.detail);
    else complain(said.detail);
  } catch {
    complain("The gateway can't be reached from here just now.");
  }
  await look();
}

at("test-form").addEventListener("submit", send);
document.addEventListener("visibilitychange", look);
look();
