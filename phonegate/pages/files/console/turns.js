// Changes of a page, some at a time: once a frame, and less often where they take long, so that a flood of events
// leaves the reader most of the time.

const SHARE = 4; // for each millisecond of work so many are left free
const LONGEST_MS = 1000;
const HIDDEN_MS = 250; // a page that is not looked at has no frames

/** Returns a function that has `work` done soon, once, however often it is called before. */
export function inTurns(work) {
  let planned = false;
  let free = 0;
  const run = () => {
    planned = false;
    const begun = performance.now();
    work();
    const ended = performance.now();
    free = ended + Math.min(LONGEST_MS, SHARE * (ended - begun));
  };
  return () => {
    if (planned) return;
    planned = true;
    const wait = free - performance.now();
    if (document.hidden) setTimeout(run, Math.max(wait, HIDDEN_MS));
    else if (wait > 16) setTimeout(() => requestAnimationFrame(run), wait);
    else requestAnimationFrame(run);
  };
}
