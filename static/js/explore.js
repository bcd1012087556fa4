// Explore: a blank line more when the last one is used, and PNG. Without script
// a blank line comes with each answer.
(() => {
  function grow(event) {
    const line = event.target.closest("[data-line]");
    const next = line?.nextElementSibling;
    if (!line || !event.target.value || next?.matches("[data-line]")) return;
    const copy = line.cloneNode(true);
    for (const part of copy.querySelectorAll("[id], [list], [aria-label], [hx-vals]")) {
      for (const name of ["id", "list", "aria-label", "hx-vals"]) {
        const value = part.getAttribute(name);
        if (value) part.setAttribute(name, value.replace(/\d+/, (digits) => Number(digits) + 1));
      }
      if (part.matches("input")) part.value = "";
    }
    copy.querySelector("a")?.remove();
    line.after(copy);
    if (window.htmx) htmx.process(copy);
  }
  document.addEventListener("input", grow);
  document.addEventListener("change", grow);

  function prepare() {
    for (const button of document.querySelectorAll("[data-png]")) button.hidden = false;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    const plot = button && document.querySelector(`#${button.dataset.png} [data-plot]`);
    if (plot) Plotly.downloadImage(plot, { format: "png", filename: "flipscope", scale: 2 });
  });
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:afterSwap", prepare);
})();
