// What is dragged on a picture fills the fields under it and sends them: a box on a heatmap, a time
// on any other. The fields are there for keyboards, and without script.
(() => {
  function local(text, form) { // UTC as drawn → the environment's own time, as the form wants it
    const at = new Date(`${text.replace(" ", "T").slice(0, 23)}Z`);
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
      timeZone: form.dataset.zone, hourCycle: "h23", year: "numeric", month: "2-digit",
      day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).formatToParts(at).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
  }

  function heights(form, plot, from, end) { // whole rows of the heatmap, as they are drawn
    const { yaxis, meta: { edges } } = plot._fullLayout;
    const row = (y) => Math.min(Math.max(Math.floor(yaxis.p2d(y) + 0.5), 0), edges.length - 1);
    const written = (value) => Number(value.toPrecision(6));
    form.elements.box_low.value = written(edges[row(Math.max(from.y, end.y))][0]);
    form.elements.box_high.value = written(edges[row(Math.min(from.y, end.y))][1]);
  }

  // A box is drawn at once and dropped where it ends too small; a time begins with the sixth pixel.
  function listen(figure, form, isBox) {
    const plot = figure.querySelector("[data-plot]");
    const name = isBox ? "boxed" : "spanned";
    if (!form || !plot || plot.dataset[name]) return;
    plot.dataset[name] = "yes";
    figure.dataset.box = "yes";
    let start = null;
    let shade = null;
    const at = (event) => {
      const area = plot.getBoundingClientRect();
      const { xaxis, yaxis, _size: size } = plot._fullLayout;
      const x = Math.min(Math.max(event.clientX - area.left - size.l, 0), xaxis._length);
      const y = Math.min(Math.max(event.clientY - area.top - yaxis._offset, 0), yaxis._length);
      return { x, y };
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
      if (!start) return;
      const end = at(event);
      if (!isBox && !shade && Math.abs(end.x - start.x) < 6) return;
      if (!shade) {
        shade = document.createElement("div");
        shade.className = "dragged";
        plot.append(shade);
      }
      const { yaxis, _size: size } = plot._fullLayout;
      const [top, height] = isBox
        ? [Math.min(start.y, end.y), Math.abs(start.y - end.y)] : [0, yaxis._length];
      shade.style.left = `${Math.min(start.x, end.x) + size.l}px`;
      shade.style.width = `${Math.abs(start.x - end.x)}px`;
      shade.style.top = `${top + yaxis._offset}px`;
      shade.style.height = `${height}px`;
    });
    plot.addEventListener("pointerup", (event) => {
      if (!start) return;
      const end = at(event);
      const from = start;
      start = null;
      if (isBox && (Math.abs(from.x - end.x) < 4 || Math.abs(from.y - end.y) < 4)) {
        shade?.remove();
        shade = null;
        return;
      }
      if (!isBox && !shade) return;
      const { xaxis } = plot._fullLayout;
      form.elements.box_since.value = local(xaxis.p2d(Math.min(from.x, end.x)), form);
      form.elements.box_until.value = local(xaxis.p2d(Math.max(from.x, end.x)), form);
      if (isBox) heights(form, plot, from, end);
      form.requestSubmit();
    });
  }

  const prepare = () => document.querySelectorAll("[data-chart]").forEach((figure) => {
    const section = figure.closest("section");
    listen(figure, section?.querySelector("[data-box-form]"), true);
    listen(figure, section?.querySelector("[data-span-form]"), false);
  });
  document.addEventListener("DOMContentLoaded", prepare);
  document.addEventListener("htmx:afterSwap", prepare);
})();
