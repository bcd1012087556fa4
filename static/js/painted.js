// What waits until the page is painted: Plotly, a megabyte and a half to read, where there are
// pictures to come (meta "plotly"), and what the page itself asks for, as that may take long and
// the event store may share the machine's cores.
(() => {
  const LONGEST_MS = 500; // a browser may not tell
  const plotly = document.querySelector("meta[name=plotly]")?.content;
  let isPainted = false;
  const painted = new Promise((done) => {
    if (document.hidden) return done();
    new PerformanceObserver(done).observe({ type: "paint", buffered: true });
    return setTimeout(done, LONGEST_MS);
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (isPainted) return;
    event.preventDefault();
    painted.then(() => event.detail.issueRequest(true));
  });
  painted.then(() => {
    isPainted = true;
    if (!plotly) return;
    const script = Object.assign(document.createElement("script"), { src: plotly });
    script.addEventListener("load", () => {
      document.dispatchEvent(new CustomEvent("flipscope:plotly"));
    });
    document.head.append(script);
  });
})();
