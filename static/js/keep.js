// What a swapped fragment must not lose: open details, the keyboard's place (htmx keeps that of
// elements with an id alone) and what was scrolled inside. A form that comes back changed says in
// data-focus where the keyboard goes on.
(() => {
  const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";
  const SCROLLS = ".table-wrap, pre";
  let kept = null;

  const stops = (root, like) => [...root.querySelectorAll(STOPS)].filter((one) => same(one, like));
  const same = (one, like) => one.tagName === like.tagName
    && one.getAttribute("href") === like.getAttribute("href")
    && (one.href || one.textContent === like.textContent);

  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    const at = document.activeElement;
    const inside = target.contains(at) && !at.id && at.matches(STOPS);
    kept = {
      id: target.id,
      opened: [...target.querySelectorAll("details[id][open]")].map(({ id }) => id),
      at: inside ? at : null,
      number: inside ? stops(target, at).indexOf(at) : 0,
      scrolled: [...target.querySelectorAll(SCROLLS)].map((one) => [one.scrollLeft, one.scrollTop]),
    };
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (!kept) return;
    for (const id of kept.opened) {
      const details = document.getElementById(id);
      if (details) details.open = true;
    }
    const target = document.getElementById(kept.id);
    if (!target) return;
    [...target.querySelectorAll(SCROLLS)].forEach((one, number) => {
      [one.scrollLeft, one.scrollTop] = kept.scrolled[number] ?? [0, 0];
    });
    if (kept.at && !kept.at.isConnected) {
      stops(target, kept.at)[kept.number]?.focus({ preventScroll: true });
    }
    kept = null;
  });

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("form[data-focus]:not([data-focus=''])");
    const name = CSS.escape(form?.dataset.focus ?? "");
    const found = form?.querySelectorAll(`[name="${name}"], button[value="${name}"]:not([tabindex])`);
    // What will happen is said at the top: that stays in sight.
    [...found ?? []].at(-1)?.focus({ preventScroll: name === "preview" });
  });
})();
