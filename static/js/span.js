// A time dragged on a picture fills the fields under it and asks what changed then. The fields are
// there for keyboards, and without script.
(() => {
  function local(text, form) { // UTC as drawn → the environment's own time, as the form wants it
    const at = new Date(`${text.replace(" ", "T").slice(0, 23)}Z`);
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
      timeZone: form.dataset.zone, hourCycle: "h23", year: "numeric", month: "2-digit",
      day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).formatToParts(at).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
  }

  function spanned(figure) {
    const form = figure.closest("section")?.querySelector("[data-span-form]");
    const plot = figure.querySelector("[data-plot]");
    if (!form || !plot || plot.dataset.spanned) return;
    plot.dataset.spanned = "yes";
    figure.dataset.box = "yes";
    let start = null;
    let shade = null;
    const at = (event) => {
      const { xaxis, _size: size } = plot._fullLayout;
      const x = event.clientX - plot.getBoundingClientRect().left - size.l;
      return Math.min(Math.max(x, 0), xaxis._length);
    };
    plot.addEventListener("pointerdown", (event) => {
      const { yaxis } = plot._fullLayout || {};
      if (event.button || !yaxis) return;
      const above = event.clientY - plot.getBoundingClientRect().top - yaxis._offset;
      if (above < 0 || above > yaxis._length) return; // the lane of changes keeps its clicks
      event.preventDefault(); // else Plotly takes the drag
      start = at(event);
      plot.setPointerCapture(event.pointerId);
    }, true);
    plot.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const end = at(event);
      if (!shade && Math.abs(end - start) < 6) return;
      if (!shade) {
        shade = document.createElement("div");
        shade.className = "dragged";
        plot.append(shade);
      }
      const { yaxis, _size: size } = plot._fullLayout;
      shade.style.left = `${Math.min(start, end) + size.l}px`;
      shade.style.width = `${Math.abs(start - end)}px`;
      shade.style.top = `${yaxis._offset}px`;
      shade.style.height = `${yaxis._length}px`;
    });
    plot.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const from = start;
      start = null;
      if (!shade) return;
      const { xaxis } = plot._fullLayout;
      form.elements.box_since.value = local(xaxis.p2d(Math.min(from, at(event))), form);
      form.elements.box_until.value = local(xaxis.p2d(Math.max(from, at(event))), form);
      form.requestSubmit();
    });
  }

  const prepare = () => document.querySelectorAll("[data-chart]").forEach(spanned);
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:afterSwap", prepare);
})();
