// The focus stays where it was while a part of a page is placed anew.

const TAKES_FOCUS = "a[href], button, input, select, textarea, summary, [tabindex='0']";

/** Changes a part, and gives the focus to what stands where it was before. */
export function keepFocus(within, change) {
  const at = [...within().querySelectorAll(TAKES_FOCUS)].indexOf(document.activeElement);
  change();
  if (at < 0) return;
  const now = [...within().querySelectorAll(TAKES_FOCUS)];
  if (!now.includes(document.activeElement)) now[Math.min(at, now.length - 1)]?.focus({ preventScroll: true });
}
