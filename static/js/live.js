// Live fragments (data-live, polled by htmx): paused while hidden, selected or behind a dialog,
// fewer tries while the server does not answer (news are asked for all the same), "Updated 4 s ago".
(() => {
  let failures = 0;
  let skipped = 0;
  const seen = new WeakMap();

  const live = (event) => event.target.closest?.("[data-live]") === event.target;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!live(event)) return;
    const busy = document.hidden || document.querySelector("dialog[open]")
      || !getSelection().isCollapsed;
    const news = event.detail.requestConfig?.triggeringEvent?.type === "live";
    const wait = !news && skipped < 2 ** Math.min(failures, 5) - 1;
    if (busy || wait) {
      skipped += wait ? 1 : 0;
      event.preventDefault();
      return;
    }
    skipped = 0;
  });

  // What was under way when a dialog opened would take the form away that it asks about, and a yes
  // would be lost. It is asked for again when the dialog closes.
  let missed = false;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!live(event) || !document.querySelector("dialog[open]")) return;
    event.detail.shouldSwap = false;
    missed = true;
  });
  document.addEventListener("close", () => {
    if (missed) refresh();
    missed = false;
  }, true);

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!live(event)) return;
    failures = event.detail.successful ? 0 : failures + 1;
    if (!failures) {
      for (const one of document.querySelectorAll("[data-updated]")) seen.delete(one);
      document.querySelector("#messages [data-error]")?.remove();
    }
    tick();
  });

  document.addEventListener("htmx:afterSwap", tick);

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !window.htmx) return;
    skipped = Infinity;
    refresh();
  });

  function refresh() {
    for (const fragment of document.querySelectorAll("[data-live]")) htmx.trigger(fragment, "live");
  }

  function words(seconds) {
    if (seconds < 2) return "just now";
    if (seconds < 60) return `${Math.floor(seconds)} s ago`;
    return `${Math.floor(seconds / 60)} min ago`;
  }

  function tick() {
    for (const element of document.querySelectorAll("[data-updated]")) {
      if (!seen.has(element)) seen.set(element, performance.now());
      const age = words((performance.now() - seen.get(element)) / 1000);
      element.textContent = failures ? `${age}; no answer, trying again` : age;
    }
  }

  document.addEventListener("DOMContentLoaded", tick);
  setInterval(tick, 1000);
})();
