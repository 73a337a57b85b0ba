// The time zones to choose from, and the reader's own where quiet hours are set without one.

const list = document.querySelector("[data-zones]");
const zone = document.querySelector("[list=zones]");

if (list !== null && typeof Intl.supportedValuesOf === "function") {
  for (const name of Intl.supportedValuesOf("timeZone")) {
    const option = document.createElement("option");
    option.value = name;
    list.append(option);
  }
}

for (const time of document.querySelectorAll("[name='limits.quiet_hours.hours']")) {
  time.addEventListener("change", () => {
    if (time.value && !zone.value) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  });
}
