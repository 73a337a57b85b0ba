// What forms do beyond being sent: a question that has a page of its own is asked in a dialog, and a
// form is sent once however often its button is pressed. Without this file, or where the page of a
// question can't be fetched, its link leads to that page.

const AGAIN_MS = 5000;

let open = null;

async function ask(link) {
  const response = await fetch(link.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const form = page.querySelector("form[data-asked]");
  if (!response.ok || form === null) throw new Error("no question");
  const dialog = document.createElement("dialog");
  dialog.className = "asking";
  const heading = form.querySelector("h1");
  const title = document.createElement("h2");
  title.id = "asking-title";
  title.textContent = heading.textContent;
  heading.replaceWith(title);
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.append(document.adoptNode(form));
  dialog.addEventListener("close", () => {
    dialog.remove();
    open = null;
    link.focus();
  });
  form.querySelector("[data-close]").addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  document.body.append(dialog);
  open = dialog;
  dialog.showModal();
  form.querySelector("[data-close]").focus();
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link === null || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (open !== null) return;
  try {
    await ask(link);
  } catch {
    location.assign(link.href);
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, AGAIN_MS); // its answer may be a file, and no new page
});

// A page that the browser has kept is shown again as it was left.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// A page that answered a form with a secret: to load it again would make another one.
const once = document.querySelector("[data-once]");
const home = document.querySelector("[data-home]");
if (once !== null && home !== null) history.replaceState(null, "", home.dataset.home);

// What is wrong with a form is read first.
const wrong = document.querySelector(".problems");
if (wrong !== null) wrong.focus();
