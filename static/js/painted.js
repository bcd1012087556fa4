// What waits until the page is painted: Plotly, a megabyte and a half to read, where there are
// pictures to come (meta "plotly"), and answers, as the event store may share the machine's cores.
(() => {
  const plotly = document.querySelector("meta[name=plotly]")?.content;
  let isPainted = false;
  const painted = new Promise((done) => {
    if (document.hidden) done();
    else requestAnimationFrame(() => setTimeout(done));
  });
  document.addEventListener("htmx:confirm", (event) => {
    if (isPainted || !event.target.matches(".asking")) return;
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
