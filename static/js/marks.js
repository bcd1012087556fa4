// Points of a picture that lead somewhere (their customdata begins with an address): a click goes
// there. A finger can't point, so a tap first says who and what, in the figure's [data-picked].
(() => {
  const address = (point) => String([point.customdata].flat()[0]);
  const opens = (point) => address(point).startsWith("/");
  let touched = false;
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
  }, true);

  function tell(place, point) {
    const said = String(point.hovertext || point.text || "").replaceAll("<br>", " · ");
    const { body } = new DOMParser().parseFromString(said, "text/html");
    const link = Object.assign(document.createElement("a"), { href: address(point), textContent: "Open" });
    place.replaceChildren(body.textContent, " ", link);
    place.hidden = false;
  }

  document.addEventListener("flipscope:drawn", ({ target: plot }) => {
    const place = plot.closest("[data-chart]").querySelector("[data-picked]");
    plot.on("plotly_click", ({ points }) => {
      const point = points.find(opens);
      if (point && touched && place) tell(place, point);
      else if (point) location.assign(address(point));
    });
    plot.on("plotly_hover", ({ points }) => {
      plot.classList.toggle("can-open", points.some(opens));
    });
    plot.on("plotly_unhover", () => plot.classList.remove("can-open"));
  });
})();
