// A copy button for each snippet (data-copy).
(() => {
  function prepare(root) {
    for (const button of root.querySelectorAll("[data-copy-button]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy-button]");
    if (!button) return;
    const code = button.closest("[data-copy]").querySelector("code");
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code); // no clipboard over plain http: ready for Ctrl+C
      done = "Press Ctrl+C";
    }
    button.textContent = done;
    document.getElementById("status").textContent = done;
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:afterSwap", () => prepare(document));
})();
