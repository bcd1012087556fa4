// A box on a heatmap, a time on any other picture: dragged, chosen with arrow keys, or written into
// the fields under it, which hold it and send it, also without script. What they hold is drawn.
(() => {
  const FORMS = "[data-box-form], [data-span-form]";
  const FIELDS = ["box_since", "box_until", "box_low", "box_high"];
  const within = (at, most) => Math.min(Math.max(at, 0), most);
  const drawn = (ms) => new Date(ms).toISOString().slice(0, 23); // UTC, as Plotly has it
  const time = (text) => Date.parse(`${text.replace(" ", "T").slice(0, 23)}Z`);
  const fields = (form) => FIELDS.map((name) => form.elements[name]).filter(Boolean);

  function local(ms, form) { // the environment's own time, as the form wants it
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", {
      timeZone: form.dataset.zone, hourCycle: "h23", year: "numeric", month: "2-digit",
      day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    }).formatToParts(ms).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`;
  }

  function utc(text, form) { // the other way: twice, as clocks may change in between
    const wanted = time(text);
    return [1, 2].reduce((at) => at + wanted - time(local(at, form)), wanted);
  }

  function height(edges, value) { // rows of a heatmap, and where between the edges of one
    const row = edges.findIndex(([low, high]) => value <= low || value < high);
    if (row < 0) return edges.length - 0.5;
    const [low, high] = edges[row];
    return row - 0.5 + Math.max((value - low) / (high - low || 1), 0);
  }

  function shade(plot, box, name = "dragged") { // two corners in pixels of the panel, or nothing
    let made = plot.querySelector(`[data-shade="${name}"]`);
    if (!box) return made?.remove();
    if (!made) {
      made = Object.assign(document.createElement("div"), { className: name });
      made.dataset.shade = name;
      plot.append(made);
    }
    const { yaxis, _size: size } = plot._fullLayout;
    const [from, end] = box;
    made.style.left = `${Math.min(from.x, end.x) + size.l}px`;
    made.style.width = `${Math.abs(from.x - end.x)}px`;
    made.style.top = `${Math.min(from.y, end.y) + yaxis._offset}px`;
    made.style.height = `${Math.abs(from.y - end.y)}px`;
    return made;
  }

  function written(form, plot) { // what the fields hold, as far as the picture reaches
    const { xaxis, yaxis, meta } = plot._fullLayout;
    const [since, until, low, high] = FIELDS.map((name) => form.elements[name]?.value);
    const number = (text) => text && !Number.isNaN(Number(text));
    if (!since && !until && !number(low) && !number(high)) return null;
    const x = (text) => within(xaxis.d2p(drawn(utc(text, form))), xaxis._length);
    const y = (text) => within(yaxis.d2p(height(meta.edges, Number(text))), yaxis._length);
    return [
      { x: since ? x(since) : 0, y: number(low) ? y(low) : yaxis._length },
      { x: until ? x(until) : xaxis._length, y: number(high) ? y(high) : 0 },
    ];
  }

  function fill(form, plot, since, until, rows) { // rows of a heatmap: whole ones, [lowest, highest]
    form.elements.box_since.value = local(since, form);
    form.elements.box_until.value = local(until, form);
    if (!rows) return;
    const { edges } = plot._fullLayout.meta;
    const number = (value) => Number(value.toPrecision(6));
    form.elements.box_low.value = number(edges[rows[0]][0]);
    form.elements.box_high.value = number(edges[rows[1]][1]);
  }

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

  // Arrow keys move a cursor over the picture, cell by cell, from a button under it.
  function keys(plot, form, isBox) {
    const button = form.querySelector("[data-box-keys]");
    const said = form.querySelector("[data-box-said]");
    if (!button || !said) return;
    const lines = plot.data.filter(({ type, mode, x }) => x?.length > 1
      && (isBox ? type === "heatmap" : mode === "lines"));
    const [first] = lines;
    if (!first) return;
    const middles = first.x.map((x) => time(x));
    const step = middles[1] - middles[0];
    const starts = middles.map((at) => (isBox ? at - step / 2 : at));
    const tall = isBox ? plot._fullLayout.meta.edges.length : 1;
    let cursor = null;
    let corner = null;
    button.hidden = false;

    function pixels([column, row], [toColumn, toRow] = [column, row]) { // cells → two corners
      const { xaxis, yaxis } = plot._fullLayout;
      const x = (at) => within(xaxis.d2p(drawn(at)), xaxis._length);
      const y = (at) => (isBox ? within(yaxis.d2p(at), yaxis._length) : 0);
      return [
        { x: x(starts[Math.min(column, toColumn)]), y: y(Math.min(row, toRow) - 0.5) },
        {
          x: x(starts[Math.max(column, toColumn)] + step),
          y: isBox ? y(Math.max(row, toRow) + 0.5) : yaxis._length,
        },
      ];
    }

    function told([column, row]) { // what the cell says, and what the keys do
      const clock = local(starts[column], form).slice(11);
      const texts = isBox
        ? [`${clock}, ${plot._fullLayout.meta.rows[row]}: ${first.z[row][column] ?? 0} events`]
        : lines.slice(0, 3).map(({ text }) => String(text?.[column] ?? clock).replace("<br>", " "));
      return `${texts.join("; ")}. ${corner ? "Enter asks" : "Enter begins here"}, Escape ends.`;
    }

    function show() {
      const { xaxis, yaxis } = plot._fullLayout;
      const [low, high] = cursor ? pixels(cursor) : [];
      shade(plot, low && [{ x: low.x, y: 0 }, { x: high.x, y: yaxis._length }], "aim column");
      const row = low && isBox && [{ x: 0, y: low.y }, { x: xaxis._length, y: high.y }];
      shade(plot, row || null, "aim row");
      said.textContent = cursor ? told(cursor) : "";
      if (!cursor || !corner) return;
      const [from, to] = [0, 1].map((way) => [cursor[way], corner[way]].sort((a, b) => a - b));
      const [begins, ends] = xaxis.range.map(time);
      const until = Math.min(starts[from[1]] + step, ends);
      fill(form, plot, Math.max(starts[from[0]], begins), until, isBox && to);
      shade(plot, pixels(cursor, corner));
    }

    const begin = () => { cursor = [Math.floor(starts.length / 2), Math.floor(tall / 2)]; };
    function leave() {
      cursor = null;
      corner = null;
      show();
    }
    const moves = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
      PageUp: [0, 10], PageDown: [0, -10], Home: [-Infinity, 0], End: [Infinity, 0],
    };
    function move([across, up], far) {
      if (!cursor) return begin();
      cursor = [
        within(cursor[0] + across * far, starts.length - 1), within(cursor[1] + up * far, tall - 1),
      ];
      return cursor;
    }
    button.addEventListener("click", () => {
      if (!cursor) begin();
      show();
    });
    button.addEventListener("blur", leave);
    button.addEventListener("keydown", (event) => {
      const { key } = event;
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (moves[key]) {
        move(moves[key], event.shiftKey ? 10 : 1);
      } else if (key === "Escape" && cursor) {
        for (const field of fields(form)) field.value = "";
        shade(plot, null);
        leave();
      } else if (key === "Enter" || key === " ") {
        if (corner) form.requestSubmit();
        else if (cursor) corner = cursor;
        else begin();
      } else {
        return;
      }
      event.preventDefault();
      if (cursor) show();
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
    keys(plot, form, isBox);
    const draw = () => shade(plot, written(form, plot));
    plot.on("plotly_afterplot", draw);
    form.addEventListener("input", draw);
    draw();
  });
})();
