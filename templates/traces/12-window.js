// The stretch of time that a waterfall shows: dragged, stepped by keys, or all of it. Everything else follows by CSS.
explorer.window = (() => {
  const { element, shape, ticks, kind } = explorer.drawing;
  const { time, round } = explorer.words;
  const LEAST = 1e-5; // of the whole

  // One path for each kind of time, so that a map of 2,000 spans is a handful of shapes.
  const miniature = (trace) => {
    const strokes = new Map();
    const whole = Math.max(trace.duration_us, 1);
    const dots = trace.rows.length;
    trace.rows.forEach((row, at) => {
      const name = row.error != null ? "what-error" : kind(row.what);
      const left = (1000 * row.start_us) / whole;
      strokes.set(
        name,
        `${strokes.get(name) ?? ""}M${left.toFixed(1)} ${at + 0.5}h${Math.max(1.5, (1000 * row.duration_us) / whole).toFixed(1)}`,
      );
    });
    return shape(
      "svg",
      { viewBox: `0 0 1000 ${Math.max(dots, 6)}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      [...strokes].map(([name, d]) => shape("path", { class: `thin ${name}`, d, "stroke-width": dots > 60 ? 1 : 0.72 })),
    );
  };

  const make = (root, trace, onChange) => {
    const whole = Math.max(trace.duration_us, 1);
    const shown = { from: 0, to: 1 };
    const axis = root.querySelector(".axis-lane");
    const rules = root.querySelector(".rules");
    const map = root.querySelector(".map");
    const brush = map.querySelector(".brush");

    const paintTicks = () => {
      const [low, high] = [shown.from * whole, shown.to * whole];
      const room = Math.max(2, Math.min(8, Math.floor(axis.clientWidth / 96)));
      const found = ticks(low, high, room);
      const spot = (us) => `${(100 * (us - low)) / (high - low)}%`;
      rules.replaceChildren(...found.map((us) => element("i", { style: { left: spot(us) } })));
      axis.replaceChildren(
        ...found.filter((us) => (us - low) / (high - low) < 0.93).map((us) => element("span", { style: { left: spot(us) } }, round(us))),
      );
    };
    const show = (from, to) => {
      const span = Math.min(1, Math.max(LEAST, to - from));
      shown.from = Math.max(0, Math.min(1 - span, from));
      shown.to = shown.from + span;
      root.style.setProperty("--from", shown.from);
      root.style.setProperty("--zoom", 1 / span);
      brush.style.setProperty("left", `${100 * shown.from}%`);
      brush.style.setProperty("width", `${100 * span}%`);
      map.classList.toggle("zoomed", span < 1);
      paintTicks();
      onChange(span < 1 ? `${time(Math.round(shown.from * whole))} to ${time(Math.round(shown.to * whole))} of ${time(whole)}` : "");
    };
    const zoom = (factor, centre = (shown.from + shown.to) / 2) => {
      const span = (shown.to - shown.from) * factor;
      const left = (centre - shown.from) / (shown.to - shown.from);
      show(centre - span * left, centre + span * (1 - left));
    };
    const pan = (by) => show(shown.from + by * (shown.to - shown.from), shown.to + by * (shown.to - shown.from));
    const focus = (start, duration) => show((start - 0.25 * duration) / whole, (start + 1.25 * Math.max(duration, 1)) / whole);

    // A drag over `lane` chooses; `scale` says which part of the whole the lane's width is.
    const draggable = (place, lane, scale) =>
      place.addEventListener("pointerdown", (event) => {
        const box = lane().getBoundingClientRect();
        if (
          event.button !== 0 ||
          event.pointerType === "touch" ||
          event.clientX < box.left ||
          event.clientX > box.right ||
          event.target.closest("button, a, .detail")
        )
          return;
        const at = (x) => {
          const [low, high] = scale();
          return low + Math.max(0, Math.min(1, (x - box.left) / box.width)) * (high - low);
        };
        const choice = element("div", { class: "choice" });
        const move = (next) => {
          if (Math.abs(next.clientX - event.clientX) < 5 && !choice.isConnected) return;
          if (!choice.isConnected) {
            (place === map ? map : rules).append(choice);
            getSelection().removeAllRanges();
            root.classList.add("dragging");
          }
          const [left, right] = [event.clientX, next.clientX]
            .sort((a, b) => a - b)
            .map((x) => Math.max(0, Math.min(100, (100 * (x - box.left)) / box.width)));
          choice.style.setProperty("left", `${left}%`);
          choice.style.setProperty("width", `${right - left}%`);
          next.preventDefault();
        };
        const end = (next) => {
          removeEventListener("pointermove", move);
          removeEventListener("pointercancel", end);
          if (!choice.isConnected) return;
          choice.remove();
          setTimeout(() => root.classList.remove("dragging")); // after the click that ends a drag
          if (next.type === "pointerup") show(...[at(event.clientX), at(next.clientX)].sort((a, b) => a - b));
        };
        addEventListener("pointermove", move);
        addEventListener("pointerup", end, { once: true });
        addEventListener("pointercancel", end, { once: true });
      });
    draggable(
      map,
      () => map,
      () => [0, 1],
    );
    draggable(
      root.querySelector("table"),
      () => axis,
      () => [shown.from, shown.to],
    );
    root.addEventListener("dblclick", (event) => {
      if (event.target.closest(".map, .lane")) show(0, 1);
    });

    const keys = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      if (event.key === "+" || event.key === "=") zoom(0.5);
      else if (event.key === "-" || event.key === "−") zoom(2);
      else if (event.key === "0") show(0, 1);
      else if (event.shiftKey && event.key === "ArrowLeft") pan(-0.25);
      else if (event.shiftKey && event.key === "ArrowRight") pan(0.25);
      else return false;
      event.preventDefault();
      return true;
    };
    return { show, zoom, pan, focus, keys, repaint: paintTicks, isWhole: () => shown.to - shown.from >= 1 };
  };

  return { make, miniature };
})();
