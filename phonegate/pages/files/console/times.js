// Times in the reader's own zone and words.

const DAY = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

function startOfDay(moment) {
  return new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
}

/** Returns a time in the words that a list shows: the clock today, the weekday this week, else the date. */
export function inWords(moment, now = new Date()) {
  const days = Math.round((startOfDay(now) - startOfDay(moment)) / DAY);
  if (days === 0) return clock.format(moment);
  if (Math.abs(days) < 7) return weekday.format(moment);
  return date.format(moment);
}

/** Shows every time below an element in words. */
export function showTimes(within = document) {
  for (const element of within.querySelectorAll("time[data-when]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.textContent = inWords(moment);
    element.title = whole.format(moment);
  }
}
