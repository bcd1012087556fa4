// Arrow keys move a cursor over a picture, cell by cell, from a button under it, and choose a box.
boxes.byKeys = (plot, form, isBox) => {
  const { within, drawn, time, local, shade, fill, fields } = boxes;
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
};
