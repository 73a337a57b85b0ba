// A form that sends something can be pressed once. The gateway would send it once in any case.

for (const form of document.querySelectorAll("[data-once-only]")) {
  form.addEventListener("submit", () => {
    // For the page of the batch, which goes on by itself in this tab alone.
    sessionStorage.setItem("phonegate-batch", form.dataset.onceOnly);
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
}
// A page that comes back from the browser's memory can be used again.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("[data-once-only] button")) button.disabled = false;
});
