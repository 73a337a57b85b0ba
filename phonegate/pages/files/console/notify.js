// Notifications of the browser for what comes in while nobody looks: only where a person has asked for them.

const { org, root } = document.body.dataset;
const KEPT = `phonegate notify ${root} ${org}`;

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(value) {
  try {
    if (value) localStorage.setItem(KEPT, value);
    else localStorage.removeItem(KEPT);
  } catch {
    // a browser that keeps nothing
  }
}

function isOn() {
  return kept() !== null && Notification.permission === "granted";
}

/** Shows a notification. Returns null where the browser leaves that to installed apps, as Chrome on Android does. */
function notification(title, options) {
  try {
    return new Notification(title, { silent: true, ...options });
  } catch {
    return null;
  }
}

/** Puts the choice into a place of the page, and shows notifications from now on. */
export function offerNotifications(place, { titleOf, openAddress }) {
  if (!("Notification" in window) || !isSecureContext || !place) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  const label = document.createElement("label");
  label.className = "check";
  const tick = document.createElement("input");
  tick.type = "checkbox";
  label.append(tick, "Show their text");
  const note = document.createElement("span");
  note.className = "note";
  note.setAttribute("role", "status");
  place.append(button, label, note);
  place.hidden = false;
  const show = () => {
    const on = isOn();
    button.textContent = on ? "Stop notifications" : "Notify me of new messages";
    label.hidden = !on;
    tick.checked = kept() === "text";
  };
  button.addEventListener("click", async () => {
    note.textContent = "";
    if (isOn()) keep(null);
    else if ((await Notification.requestPermission()) === "granted") {
      const shown = notification("phonegate", { body: "New messages are shown like this.", tag: "phonegate" });
      if (shown) keep("plain");
      else note.textContent = "Your browser shows no notifications of pages.";
    } else note.textContent = "Your browser does not allow notifications of this page.";
    show();
  });
  tick.addEventListener("change", () => {
    keep(tick.checked ? "text" : "plain");
  });
  show();

  document.addEventListener("phonegate:event", ({ detail }) => {
    const message = detail.data?.message;
    if (detail.type !== "message.received" || !document.hidden || !isOn()) return;
    const title = titleOf(message.address);
    // One tag a conversation: several tabs, and several messages, show one notification.
    const shown = notification(title, {
      body: kept() === "text" ? message.body.slice(0, 200) : "New message",
      tag: `phonegate ${message.address}`,
    });
    if (!shown) return;
    shown.onclick = () => {
      window.focus();
      shown.close();
      openAddress(message.address);
    };
  });
}
