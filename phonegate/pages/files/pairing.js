"use strict";

// The two lights and the test of the pairing page. It asks again two seconds after each answer.

const POLL_MS = 2000;
const ENDED = [404, 410];

const here = location.pathname.replace(/\/$/, "");
const at = (id) => document.getElementById(id);
const lit = { online: at("online").classList.contains("on"), received: at("received").classList.contains("on") };
let timer = 0;
let asking = false;
let ended = false;

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
  light("online", state.online, "The phone is online.");
  light("received", state.received, "The test SMS came back.");
  write("phone-words", state.phone);
  write("test-words", state.received ? "It did: this phone sends and receives." : state.test || "Not sent yet.");
  at("received").classList.toggle("bad", state.test_failed && !state.received);
  at("hint").hidden = !state.hint;
  write("hint", state.hint || "");
  const number = at("number");
  if (state.number && !number.value && document.activeElement !== number) number.value = state.number;
  at("send").disabled = !state.online || state.tests_left < 1;
  write("left", `${state.tests_left} left.${state.online ? "" : " It works once the phone is online."}`);
}

function end() {
  ended = true;
  at("ended").hidden = false;
  at("send").disabled = true;
  say(at("ended").textContent);
}

async function look() {
  if (asking || ended || document.hidden) return;
  asking = true;
  clearTimeout(timer);
  try {
    const answer = await fetch(`${here}/state`, { cache: "no-store" });
    if (ENDED.includes(answer.status)) end();
    else if (answer.ok) show(await answer.json());
  } catch {
    // The network is away, as while a phone changes it. The next look may find it.
  }
  asking = false;
  if (!ended) timer = setTimeout(look, POLL_MS);
}

function complain(words) {
  at("problem").textContent = words;
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
    const answer = await fetch(`${here}/test`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ number }),
    });
    const said = await answer.json();
    if (answer.ok) {
      show(said);
      say(said.test || "");
    } else if (ENDED.includes(answer.status)) end();
    else complain(said.detail);
  } catch {
    complain("The gateway can't be reached from here just now.");
  }
  await look();
}

at("test-form").addEventListener("submit", send);
document.addEventListener("visibilitychange", look);
look();
