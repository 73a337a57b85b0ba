// Whether the session of the page is still open. Once it has ended, nothing is asked of the gateway any more.

const closing = new AbortController();

/** Is aborted once the session has ended, or is about to. */
export const closed = closing.signal;

/** Notes that it has ended. The page says so. */
export function sessionEnded() {
  if (closed.aborted) return;
  closing.abort();
  document.dispatchEvent(new CustomEvent("phonegate:signed-out"));
}

// The next page says that its person has signed out. What is still being asked would be refused.
document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented && event.target.matches("[data-sign-out]")) closing.abort();
});
