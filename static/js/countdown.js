// Countdowns (data-countdown: seconds since 1970) and times on the viewer's own clock (data-local).
(() => {
  const two = (number) => String(number).padStart(2, "0");

  function left(seconds) {
    if (seconds <= 0) return "now";
    const days = Math.floor(seconds / 86400);
    const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map(Math.floor);
    return `${days ? `${days} d ` : ""}${clock.map(two).join(":")}`;
  }

  let asked = 0;
  function tick() {
    const now = Date.now() / 1000;
    for (const element of document.querySelectorAll("[data-countdown]")) {
      const seconds = Math.ceil(Number(element.dataset.countdown) - now);
      element.textContent = left(seconds);
      const fragment = element.closest("[data-live]");
      if (seconds <= -1 && fragment && window.htmx && now - asked > 2) {
        asked = now;
        htmx.trigger(fragment, "live");
      }
    }
  }

  function local(root) {
    for (const element of root.querySelectorAll("[data-local]")) {
      const time = new Date(Number(element.dataset.local) * 1000);
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const said = time.toLocaleString([], {
        weekday: "long", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      });
      element.textContent = `; ${said} where you are (${zone})`;
    }
  }

  document.addEventListener("DOMContentLoaded", () => { local(document); tick(); });
  document.addEventListener("htmx:afterSwap", () => { local(document); tick(); });
  setInterval(tick, 250);
})();
