// A box on a heatmap, a time on any other picture, as the fields under it hold it: what is in them
// is drawn, and what is chosen on the picture (drag.js, keys.js) is written into them.
const boxes = (() => {
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

  document.addEventListener("flipscope:drawing", ({ detail: { data: [first], layout } }) => {
    if (first?.type !== "heatmap" || !layout.meta?.clocks) return;
    const { rows, clocks } = layout.meta; // thousands of texts of a few parts: put together here
    first.text = first.z.map((line, row) => line.map(
      (count, column) => (count === null ? "" : `${clocks[column]}<br>${rows[row]}`),
    ));
  });

  return { within, drawn, time, local, shade, written, fill, fields };
})();
