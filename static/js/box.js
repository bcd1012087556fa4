// A box dragged on a heatmap fills the fields under it and sends them. The fields are there for
// keyboards, and without script.
(() => {
  function local(text, form) { // UTC as drawn → the environment's own time, as the form wants it
    const at = new Date(`${text.replace(" ", "T").slice(0, 23)}Z`);
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
      timeZone: form.dataset.zone, hourCycle: "h23", year: "numeric", month: "2-digit",
      day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).formatToParts(at).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
  }

  function boxed(figure) {
    const form = figure.closest("section")?.querySelector("[data-box-form]");
    const plot = figure.querySelector("[data-plot]");
    if (!form || !plot || plot.dataset.boxed) return;
    plot.dataset.boxed = "yes";
    figure.dataset.box = "yes";
    let start = null;
    let shade = null;
    const at = (event) => {
      const area = plot.getBoundingClientRect();
      const { xaxis, yaxis, _size: size } = plot._fullLayout;
      const x = Math.min(Math.max(event.clientX - area.left - size.l, 0), xaxis._length);
      const top = yaxis._offset;
      const y = Math.min(Math.max(event.clientY - area.top - top, 0), yaxis._length);
      return { x, y, left: x + size.l, top: y + top };
    };
    plot.addEventListener("pointerdown", (event) => {
      if (event.button || !plot._fullLayout?.yaxis) return;
      const { yaxis } = plot._fullLayout;
      const above = event.clientY - plot.getBoundingClientRect().top - yaxis._offset;
      if (above < 0 || above > yaxis._length) return; // the lane of changes keeps its clicks
      event.preventDefault();
      start = at(event);
      plot.setPointerCapture(event.pointerId);
    }, true);
    plot.addEventListener("pointermove", (event) => {
      if (!start) return;
      const end = at(event);
      if (!shade) {
        shade = document.createElement("div");
        shade.className = "dragged";
        plot.append(shade);
      }
      shade.style.left = `${Math.min(start.left, end.left)}px`;
      shade.style.top = `${Math.min(start.top, end.top)}px`;
      shade.style.width = `${Math.abs(start.left - end.left)}px`;
      shade.style.height = `${Math.abs(start.top - end.top)}px`;
    });
    plot.addEventListener("pointerup", (event) => {
      if (!start) return;
      const end = at(event);
      const from = start;
      start = null;
      if (Math.abs(from.x - end.x) < 4 || Math.abs(from.y - end.y) < 4) {
        shade?.remove();
        shade = null;
        return;
      }
      const { xaxis, yaxis, meta } = plot._fullLayout;
      const edges = meta.edges;
      const row = (y) => Math.min(Math.max(Math.floor(yaxis.p2d(y) + 0.5), 0), edges.length - 1);
      const written = (value) => Number(value.toPrecision(6)); // whole rows, as they are drawn
      form.elements.box_since.value = local(xaxis.p2d(Math.min(from.x, end.x)), form);
      form.elements.box_until.value = local(xaxis.p2d(Math.max(from.x, end.x)), form);
      form.elements.box_low.value = written(edges[row(Math.max(from.y, end.y))][0]);
      form.elements.box_high.value = written(edges[row(Math.min(from.y, end.y))][1]);
      form.requestSubmit();
    });
  }

  const prepare = () => document.querySelectorAll("[data-chart]").forEach(boxed);
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:afterSwap", prepare);
})();
