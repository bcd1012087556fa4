// Explore: a blank line more when the last one is used, PNG, and a question ends with its page.
// Without script a blank line comes with each answer.
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

  document.addEventListener("flipscope:drawn", ({ target }) => {
    const button = target.closest("section")?.querySelector("[data-png]");
    if (button) button.hidden = false;
  });
  // What a picture says away from its page: its title, of when and where, on a ground of its own.
  const plain = (text) => text.replace(/\s+/g, " ").trim().replace(/</g, "&lt;").replace(/>/g, "&gt;");
  function picture(plot, section) {
    const { color, backgroundColor } = getComputedStyle(section);
    const title = section.querySelector("h2")?.textContent ?? "";
    const read = document.querySelector("#read")?.textContent ?? "";
    const { clientWidth: width, clientHeight: height } = plot;
    const layout = {
      ...plot.layout, width, height: height + 84, paper_bgcolor: backgroundColor,
      plot_bgcolor: backgroundColor, margin: { ...plot.layout.margin, t: 48, b: 70 },
      title: { text: plain(title), font: { size: 15, color }, x: 0.02, xanchor: "left" },
      annotations: [...(plot.layout.annotations ?? []), {
        text: plain(`Flipscope · ${document.title.split(" · ").at(-1)} · ${read}`), showarrow: false,
        xref: "paper", yref: "paper", x: 0, y: 0, xanchor: "left", yanchor: "top", yshift: -40,
        font: { size: 11, color },
      }],
    };
    const filename = `flipscope ${title}`.toLowerCase().replace(/[^a-z0-9_.]+/g, "-");
    Plotly.downloadImage({ data: plot.data, layout }, {
      format: "png", filename, width, height: height + 84, scale: 2,
    });
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-png]");
    const plot = button && document.querySelector(`#${button.dataset.png} [data-plot]`);
    if (plot) picture(plot, button.closest("section"));
  });
  // Nobody waits for it any more: the event store need not go on.
  window.addEventListener("pagehide", () => {
    for (const form of document.querySelectorAll(".asking form")) {
      navigator.sendBeacon(form.action, new FormData(form));
    }
  });
})();
