// Puts the text of a template where the cursor is. A list may come into the page at any time.

for (const button of document.querySelectorAll("[data-templates-into] button")) button.remove();

document.addEventListener("change", (event) => {
  const picker = event.target.closest("[data-templates-into]");
  if (!picker || event.target !== picker.querySelector("select")) return;
  const select = event.target;
  const textarea = document.getElementById(picker.dataset.templatesInto);
  const body = select.selectedOptions[0]?.dataset.body;
  select.value = "";
  if (!body) return;
  textarea.focus();
  textarea.setRangeText(body, textarea.selectionStart, textarea.selectionEnd, "end");
  textarea.dispatchEvent(new Event("input", { bubbles: true }));
});
