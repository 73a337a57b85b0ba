// Drafts, kept in this browser by org and party: through a lost connection, a restart, an ended session.

const { org, root } = document.body.dataset;
const BEGINNING = `phonegate draft ${root} ${org} `;

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
  storage((kept) => {
    if (draft && (draft.text || draft.tried)) kept.setItem(BEGINNING + address, JSON.stringify(draft));
    else kept.removeItem(BEGINNING + address);
  });
}

/** Forgets all drafts of the org. */
function forgetDrafts() {
  storage((kept) => {
    const mine = [];
    for (let at = 0; at < kept.length; at += 1) {
      if (kept.key(at).startsWith(BEGINNING)) mine.push(kept.key(at));
    }
    for (const name of mine) kept.removeItem(name);
  });
}

document.querySelector("form[data-sign-out]")?.addEventListener("submit", forgetDrafts);

/** Returns a key under which a message is sent once, however often it is asked for. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
