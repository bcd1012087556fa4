// A box on a heatmap, a time on any other picture: dragged, chosen with arrow keys (keys.js), or
// written into the fields under it, which hold it and send it, also without script (boxes.js).
(() => {
  const FORMS = "[data-box-form], [data-span-form]";
  const { within, time, shade, written, fill } = boxes;

  // A box is drawn at once and dropped where it ends too small; a time begins with the sixth pixel.
  function drag(plot, form, isBox) {
    let start = null;
    let isShown = false;
    const at = (event) => {
      const area = plot.getBoundingClientRect();
      const { xaxis, yaxis, _size: size } = plot._fullLayout;
      return {
        x: within(event.clientX - area.left - size.l, xaxis._length),
        y: within(event.clientY - area.top - yaxis._offset, yaxis._length),
      };
    };
    plot.addEventListener("pointerdown", (event) => {
      const { yaxis } = plot._fullLayout || {};
      if (event.button || !yaxis) return;
      const above = event.clientY - plot.getBoundingClientRect().top - yaxis._offset;
      if (above < 0 || above > yaxis._length) return; // the lane of changes keeps its clicks
      event.preventDefault(); // else Plotly takes the drag
      start = at(event);
      isShown = false;
      plot.setPointerCapture(event.pointerId);
    }, true);
    plot.addEventListener("pointermove", (event) => {
      if (!start) return;
      const end = at(event);
      if (!isBox && !isShown && Math.abs(end.x - start.x) < 6) return;
      isShown = true;
      const length = plot._fullLayout.yaxis._length;
      shade(plot, isBox ? [start, end] : [{ x: start.x, y: 0 }, { x: end.x, y: length }]);
    });
    plot.addEventListener("pointerup", (event) => {
      if (!start) return;
      const end = at(event);
      const from = start;
      start = null;
      if (isBox && (Math.abs(from.x - end.x) < 4 || Math.abs(from.y - end.y) < 4)) {
        shade(plot, written(form, plot));
        return;
      }
      if (!isBox && !isShown) return;
      const { xaxis, yaxis, meta } = plot._fullLayout;
      const row = (y) => within(Math.floor(yaxis.p2d(y) + 0.5), meta.edges.length - 1);
      const [left, right] = [Math.min(from.x, end.x), Math.max(from.x, end.x)];
      const rows = isBox && [row(Math.max(from.y, end.y)), row(Math.min(from.y, end.y))];
      fill(form, plot, time(xaxis.p2d(left)), time(xaxis.p2d(right)), rows);
      form.requestSubmit();
    });
  }

  // A page that renews itself waits while somebody chooses.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = document.activeElement?.closest(FORMS);
    if (form && event.detail.target?.contains(form)) event.preventDefault();
  });

  document.addEventListener("flipscope:drawn", ({ target: plot }) => {
    const figure = plot.closest("[data-chart]");
    const form = figure.closest("section")?.querySelector(FORMS);
    if (!form) return;
    const isBox = form.matches("[data-box-form]");
    figure.dataset.box = "yes";
    drag(plot, form, isBox);
    boxes.byKeys(plot, form, isBox);
    const draw = () => shade(plot, written(form, plot));
    plot.on("plotly_afterplot", draw);
    form.addEventListener("input", draw);
    draw();
  });
})();
