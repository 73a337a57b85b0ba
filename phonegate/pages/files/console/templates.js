// Puts the text of a template where the cursor is.

for (const picker of document.querySelectorAll("[data-templates-into]")) {
  const select = picker.querySelector("select");
  const textarea = document.getElementById(picker.dataset.templatesInto);
  picker.querySelector("button")?.remove();
  select.addEventListener("change", () => {
    const body = select.selectedOptions[0]?.dataset.body;
    select.value = "";
    if (!body) return;
    textarea.focus();
    textarea.setRangeText(body, textarea.selectionStart, textarea.selectionEnd, "end");
    textarea.dispatchEvent(new Event("input", { bubbles: true }));
  });
}
