// Marks of changes at the width that there is: those of one kind that would touch become one with a
// number, others stand side by side. Their lines stay where they are.
(() => {
  const TOUCH_PX = 20;
  const FAR_PX = 42; // how far from its line a mark may stand: one of each kind beside each other
  const LINE_PX = 12; // lines closer than this in all would be a wall
  const SAID = 10; // lines of words
  const STRONG = ["@worse", "@better"];
  const WEAK = "@line-strong";
  const time = (text) => Date.parse(`${text}Z`);
  const all = (parts) => parts.reduce((sum, { count }) => sum + count, 0);

  function read({ x, y, customdata, hovertext, text, marker: { symbol, color } }, place) {
    return x.map((at, n) => ({
      at: place(time(at)), lane: y[n], count: Number(text[n] || 1), said: hovertext[n],
      symbol: symbol[n], colour: color[n], link: customdata[n],
    }));
  }

  function grouped(points, px) {
    const groups = [];
    for (const one of points) {
      const near = groups.findLast(({ symbol }) => symbol === one.symbol);
      if (near && one.at - near.parts[0].at <= px) near.parts.push(one);
      else groups.push({ symbol: one.symbol, lane: one.lane, parts: [one] });
    }
    for (const group of groups) group.at = (group.parts[0].at + group.parts.at(-1).at) / 2;
    return groups.sort((a, b) => a.at - b.at);
  }

  // Each beside the one before it in its lane, and back from the edge where that is full; says how
  // far at most.
  function spread(groups, width) {
    const edges = {};
    for (const group of groups) {
      group.x = Math.max(group.at, edges[group.lane] ?? 0);
      edges[group.lane] = group.x + TOUCH_PX;
    }
    const ends = {};
    for (const group of groups.toReversed()) {
      group.x = Math.min(group.x, ends[group.lane] ?? width);
      ends[group.lane] = group.x - TOUCH_PX;
    }
    return Math.max(0, ...groups.map(({ x, at }) => Math.abs(x - at)));
  }

  function words(parts) {
    const lines = [];
    let told = 0;
    for (const { said, count } of parts.toReversed()) { // the newest first
      const more = said.split("<br>");
      if (lines.length && lines.length + more.length > SAID) break;
      lines.push(...more);
      told += count;
    }
    const rest = all(parts) - told;
    return [...lines, ...(rest ? [`and ${rest} more`] : [])].join("<br>");
  }

  function link(parts, { timeline }) {
    const [, kind, until] = parts.at(-1).link;
    return parts.length > 1 ? [`${timeline}?${new URLSearchParams({ kind, until })}`] : parts[0].link;
  }

  function place(trace, width, [begin, end]) {
    const points = read(trace, (at) => ((at - begin) / (end - begin)) * width);
    let px = TOUCH_PX;
    let groups = grouped(points, px);
    while (spread(groups, width) > FAR_PX && px < width) {
      px *= 1.4;
      groups = grouped(points, px);
    }
    const counts = groups.map(({ parts }) => all(parts));
    const at = ({ x }) => new Date(begin + (x / width) * (end - begin)).toISOString().slice(0, 23);
    const colour = ({ parts }) => STRONG.find((name) => parts.some((one) => one.colour === name))
      ?? parts[0].colour;
    Object.assign(trace, {
      x: groups.map(at),
      y: groups.map(({ lane }) => lane),
      text: counts.map((count) => (count > 1 ? String(count) : "")),
      hovertext: groups.map(({ parts }) => words(parts)),
      customdata: groups.map(({ parts }) => link(parts, trace.meta)),
    });
    Object.assign(trace.marker, {
      symbol: groups.map(({ symbol }) => symbol),
      size: counts.map((count) => (count > 1 ? 18 : 12)),
      color: groups.map(colour),
    });
  }

  document.addEventListener("flipscope:drawing", ({ target: plot, detail: { data, layout } }) => {
    const trace = data.find(({ name }) => name === "changes");
    const width = plot.clientWidth - layout.margin.l - layout.margin.r;
    if (!trace?.x.length || width <= 0) return;
    place(trace, width, layout.xaxis.range.map(time));
    if (layout.shapes.length * LINE_PX <= width) return;
    layout.shapes = layout.shapes.filter(({ line }) => line.color !== WEAK);
  });
})();
