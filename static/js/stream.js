// Pages that hear of a flip within the second (data-stream: the address of the event stream;
// data-generation: what the page was made from). Each notice asks for the live fragments anew.
(() => {
  const TOGETHER_MS = 80; // several notices in a row are one question
  const LATER_MS = 400; // what reads events waits, so that the line that flipped comes first
  let source;
  let asking = 0;
  let again = false;
  let later;

  // The first notice asks at once, and what follows closely asks together once more.
  function ask() {
    if (asking) {
      again = true;
      return;
    }
    tell();
    asking = setTimeout(() => {
      asking = 0;
      if (again) ask();
      again = false;
    }, TOGETHER_MS);
  }

  function tell() {
    const all = [...document.querySelectorAll("[data-live]")].map(({ id }) => id);
    const first = all.filter((id) => id === "_serving");
    first.forEach(told);
    later ??= setTimeout(() => {
      later = undefined;
      all.filter((id) => !first.includes(id)).forEach(told);
    }, first.length ? LATER_MS : 0);
  }

  // A fragment that is under way may have been made before the notice, and when it comes its element
  // goes, with all that was asked of it meanwhile: it is asked for again then.
  function told(id) {
    const one = document.getElementById(id);
    if (one?.classList.contains("htmx-request")) setTimeout(told, TOGETHER_MS, id);
    else if (one) window.htmx?.trigger(one, "live");
  }

  function listen() {
    const page = document.querySelector("[data-stream]");
    if (!page || !window.EventSource) return;
    let first = true;
    source = new EventSource(page.dataset.stream);
    source.addEventListener("message", (event) => {
      let told = {};
      try { told = JSON.parse(event.data); } catch { /* a notice all the same */ }
      const known = first && told.etag === `"${page.dataset.generation}"`;
      first = false;
      if (!known) ask();
    });
  }

  document.addEventListener("DOMContentLoaded", listen);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
})();
