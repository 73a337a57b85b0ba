// Drafts, kept in this browser by org and party: through a lost connection, a restart, an ended session.

const { org, root } = document.body.dataset;
const ALL = "phonegate draft ";
const BEGINNING = `${ALL}${root} ${org} `;
let forgotten = false;

function storage(act) {
  try {
    return act(localStorage);
  } catch {
    return null; // a browser that keeps nothing
  }
}

/** Returns the draft for a party: {text, key, tried, sender, send_at}. */
export function draftOf(address) {
  const text = storage((kept) => kept.getItem(BEGINNING + address));
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function keepDraft(address, draft) {
  if (forgotten) return;
  storage((kept) => {
    if (draft && (draft.text || draft.tried)) kept.setItem(BEGINNING + address, JSON.stringify(draft));
    else kept.removeItem(BEGINNING + address);
  });
}

// On a machine that others use too, no draft stays behind one who signs out: also none of the box that is open still.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || !event.target.matches("[data-sign-out]")) return;
  forgotten = true;
  storage((kept) => {
    for (const name of Object.keys(kept)) if (name.startsWith(ALL)) kept.removeItem(name);
  });
});

/** Returns a key under which a message is sent once, however often it is asked for. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
