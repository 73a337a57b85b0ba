// Notes which batch is begun in this tab, for its page: there it goes on by itself.

const form = document.querySelector("[data-token]");
form?.addEventListener("submit", () => sessionStorage.setItem("phonegate-batch", form.dataset.token));
