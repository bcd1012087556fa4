// Draws <figure data-chart="ID"> from the JSON block ID. Colours are names of CSS variables
// ("@worse", "@worse/30"), read here, so that a figure fits both themes. The table under each
// picture is its twin for keyboards and screen readers.
(() => {
  const CONFIG = {
    responsive: true, displayModeBar: false, displaylogo: false, showSendToCloud: false,
    plotlyServerURL: "", doubleClick: "reset", scrollZoom: false,
  };
  const probe = Object.assign(document.createElement("span"), { hidden: true });
  document.addEventListener("flipscope:plotly", () => drawAll(document));

  function colour(name, percent) {
    probe.style.color = `var(--${name})`;
    const rgb = getComputedStyle(probe).color.match(/[\d.]+/g) || [128, 128, 128];
    return `rgba(${rgb[0]},${rgb[1]},${rgb[2]},${(percent || 100) / 100})`;
  }

  function resolve(value) {
    if (typeof value === "string") {
      const token = /^@([a-z-]+)(?:\/(\d+))?$/.exec(value);
      return token ? colour(token[1], token[2]) : value;
    }
    if (Array.isArray(value)) return value.map(resolve);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolve(one)]));
    }
    return value;
  }

  function template() {
    const axis = {
      gridcolor: "@grid", linecolor: "@line", zeroline: false, automargin: false,
      ticks: "", tickfont: { color: "@muted" }, fixedrange: true,
    };
    return resolve({
      layout: {
        font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: "@ink" },
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
        margin: { l: 64, r: 16, t: 24, b: 32 }, dragmode: false, xaxis: axis, yaxis: axis,
        hoverlabel: {
          bgcolor: "@surface", bordercolor: "@line-strong", align: "left",
          font: { color: "@ink", size: 12, family: getComputedStyle(document.body).fontFamily },
        },
      },
    });
  }

  function draw(figure) {
    const source = document.getElementById(figure.dataset.chart);
    const plot = figure.querySelector("[data-plot]");
    if (!source || !plot || !window.Plotly) return;
    document.body.append(probe);
    const detail = JSON.parse(source.textContent);
    plot.dispatchEvent(new CustomEvent("flipscope:drawing", { bubbles: true, detail }));
    const { data, layout } = resolve(detail);
    if (plot.clientWidth < 480) { // no room for them on a phone; the list beside has them
      layout.annotations = layout.annotations?.filter(({ name }) => name !== "wide");
      for (const part of ["tickvals", "ticktext"]) { // else Plotly turns them on their side
        const every = layout.xaxis?.[part];
        if (every?.length > 4) layout.xaxis[part] = every.filter((_, place) => place % 2 === 0);
      }
    }
    Plotly.react(plot, data, { ...layout, template: template(), autosize: true }, CONFIG);
    probe.remove();
    if (!plot.dataset.drawn) {
      plot.dataset.drawn = "yes";
      plot.dispatchEvent(new CustomEvent("flipscope:drawn", { bubbles: true }));
    }
  }

  const figures = (root) => [
    ...(root.matches?.("[data-chart]") ? [root] : []), ...root.querySelectorAll("[data-chart]"),
  ];
  const drawAll = (root) => figures(root).forEach(draw);
  // A page may swap a line each second: pictures that stayed are not drawn again.
  const fresh = (figure) => !figure.querySelector("[data-plot][data-drawn]");

  // Only once it is settled: until then htmx lends new elements the classes of the old ones.
  document.addEventListener("htmx:afterSettle", () => figures(document).filter(fresh).forEach(draw));
  document.addEventListener("htmx:beforeCleanupElement", (event) => {
    if (event.target.matches?.("[data-plot]")) window.Plotly?.purge(event.target);
  });
  document.addEventListener("flipscope:theme", () => drawAll(document));
  // Plotly fits a picture to its new width; what stands on it is placed anew once the width rests.
  const RESTS_MS = 250;
  let width = innerWidth;
  let later;
  addEventListener("resize", () => {
    clearTimeout(later);
    if (innerWidth === width) return; // a phone's bar that comes and goes
    later = setTimeout(() => {
      width = innerWidth;
      drawAll(document);
    }, RESTS_MS);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
})();
