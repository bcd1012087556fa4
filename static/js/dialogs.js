// Forms (or their buttons) with data-confirm ask once in a <dialog>; open menus close when left.
(() => {
  let asked = null;

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const text = event.submitter?.dataset.confirm || form.dataset.confirm;
    const dialog = document.getElementById("confirm");
    if (!text || !dialog || form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    document.getElementById("confirm-text").textContent = text;
    dialog.querySelector("[value=yes]").textContent =
      submitter?.dataset.confirmYes || submitter?.textContent.trim() || "Yes";
    dialog.returnValue = "";
    asked = { form, submitter };
    dialog.showModal();
  }, true);

  // One listener for good: the news that a dialog closed may come after it was opened again.
  document.addEventListener("close", ({ target }) => {
    if (target.id !== "confirm" || target.returnValue !== "yes" || !asked) return;
    const { form, submitter } = asked;
    asked = null;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
  }, true);

  const open = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
