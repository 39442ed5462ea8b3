// Elements from data, scales, bars, and what all drawings share: a tip below the pointer, and marks to step through.
explorer.drawing = (() => {
  const { plain, time, share } = explorer.words;
  const SVG = "http://www.w3.org/2000/svg";

  const filled = (node, attributes, inside) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (value == null || value === false) continue;
      if (name === "style") for (const [key, each] of Object.entries(value)) node.style.setProperty(key, each);
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : plain(value));
    }
    for (const each of inside.flat(Infinity)) if (each != null && each !== false) node.append(each instanceof Node ? each : plain(each));
    return node;
  };
  const element = (name, attributes = {}, ...inside) => filled(document.createElement(name), attributes, inside);
  const shape = (name, attributes = {}, ...inside) => filled(document.createElementNS(SVG, name), attributes, inside);

  // A drawing with a name and a description, as assistive technology reads them.
  const drawing = (id, width, height, name, about, ...inside) =>
    shape(
      "svg",
      { id, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": `${id}-name`, "aria-describedby": `${id}-about` },
      shape("title", { id: `${id}-name` }, name),
      shape("desc", { id: `${id}-about` }, about),
      ...inside,
    );
  const letters = (x, y, text, kind = "", anchor = "start") => shape("text", { x, y, class: kind, "text-anchor": anchor }, text);

  // Round steps of 1, 2 or 5, about as many as asked for.
  const ticks = (low, high, about) => {
    const rough = (high - low) / Math.max(about, 1);
    if (!(rough > 0)) return [low];
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * ([1, 2, 5].find((each) => each * power >= rough) ?? 10);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high * (1 + 1e-9); at++) found.push(at * step + 0); // no -0
    return found;
  };
  const logTicks = (low, high) => {
    for (const steps of [[1, 1.5, 2, 3, 4, 5, 6, 8], [1, 2, 5], [1]]) {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
        for (const each of steps) if (each * 10 ** power >= low && each * 10 ** power <= high) found.push(each * 10 ** power);
      if (found.length >= 2 && found.length <= 12) return found;
    }
    return [low, high];
  };

  const kind = (what) => `what-${(what ?? "none").replaceAll(" ", "-")}`;
  // Several labels of one kind have its colour in several shades; `nth` says which.
  const shade = (nth) => (nth ? { "--nth": Math.min(nth, 4) } : null);
  const swatch = (what, nth) => element("i", { class: `swatch ${kind(what)}`, style: shade(nth) ?? {} });

  const DENSE = 120; // pieces beyond which none may take more room than it has time
  // A bar of pieces; `whole` is what its full width stands for.
  const stack = (pieces, whole, name) =>
    element(
      "div",
      { class: pieces.length > DENSE ? "stack dense" : "stack", role: "img", "aria-label": name },
      pieces
        .filter((each) => each.us > 0)
        .map((each) =>
          element("span", {
            class: `piece ${kind(each.what)}${each.us < 0.004 * whole ? " sliver" : ""}`,
            style: { width: `${(100 * each.us) / whole}%`, ...shade(each.nth) },
            "data-tell": each.tell ?? `${each.label}: ${time(each.us)}, ${share(each.us / whole)}`,
          }),
        ),
    );

  const legend = (whats) => [...new Set(whats)].map((what) => element("span", { class: "key" }, swatch(what), what ?? "other"));

  // Heads are texts or [text, class]; a row is its head and its cells, each text, node or null.
  const table = (heads, rows, attributes = {}) =>
    element(
      "table",
      attributes,
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          heads.map((each) => element("th", { scope: "col" }, each)),
        ),
      ),
      element(
        "tbody",
        {},
        rows.map(([first, ...cells]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, first),
            cells.map((each) => element("td", {}, each)),
          ),
        ),
      ),
    );

  // Puts a node for each item into `place`: as many new ones at once as the eye can see, the others while nothing else is
  // to be done. `make` returns a node and whether it is new. The answer puts in all that are still to come.
  const AT_ONCE = 120;
  const turns = new WeakMap();
  const batched = (place, items, make) => {
    const turn = {};
    turns.set(place, turn);
    let next = 0;
    const some = (most) => {
      const nodes = [];
      for (let made = 0; next < items.length && made < most; next++) {
        const [node, isNew] = make(items[next]);
        nodes.push(...[node].flat());
        made += isNew ? 1 : 0;
      }
      return nodes;
    };
    const isCurrent = () => turns.get(place) === turn;
    const later = () => {
      if (!isCurrent() || next >= items.length) return;
      place.append(...some(AT_ONCE));
      setTimeout(later);
    };
    place.replaceChildren(...some(AT_ONCE));
    setTimeout(later, 30);
    return () => {
      if (isCurrent() && next < items.length) place.append(...some(Infinity));
    };
  };

  // Arrow keys go from mark to mark and read it out, Enter and a click open it. A mark is {node, words, open}.
  const walkable = (figure) => {
    const place = figure.querySelector(".scroll");
    const readout = figure.querySelector(".readout");
    let marks = [];
    let at = -1;
    const go = (next) => {
      marks[at]?.node.classList.remove("here");
      at = next;
      marks[at]?.node.classList.add("here");
      readout.textContent = plain(marks[at]?.words ?? "");
    };
    const indexOf = (event) => marks.findIndex((each) => each.node.contains(event.target));
    place.addEventListener("pointerover", (event) => {
      if (indexOf(event) >= 0) go(indexOf(event));
    });
    place.addEventListener("pointerleave", () => go(-1));
    place.addEventListener("click", (event) => marks[indexOf(event)]?.open?.());
    place.addEventListener("keydown", (event) => {
      const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: marks.length - 1 }[event.key];
      if (event.key === "Enter" && marks[at]?.open) marks[at].open();
      else if (next === undefined || event.shiftKey || !marks.length) return;
      else go(Math.min(marks.length - 1, Math.max(0, next)));
      event.preventDefault();
      marks[at]?.node.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    });
    return (svg, found) => {
      place.replaceChildren(svg);
      marks = found;
      go(at < found.length ? at : -1);
    };
  };

  // One tip for everything that has something to tell.
  const tips = (root) => {
    const tip = root.querySelector(".tip");
    root.addEventListener("pointermove", (event) => {
      const told = event.pointerType === "touch" ? null : event.target.closest("[data-tell]");
      tip.hidden = !told;
      if (!told) return;
      if (tip.textContent !== told.dataset.tell) tip.textContent = told.dataset.tell;
      tip.style.setProperty("left", `${Math.max(8, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`);
      const below = event.clientY + 18;
      tip.style.setProperty("top", `${below + tip.offsetHeight + 8 < innerHeight ? below : event.clientY - tip.offsetHeight - 12}px`);
    });
    root.addEventListener("pointerleave", () => (tip.hidden = true));
  };

  return { element, shape, drawing, letters, ticks, logTicks, kind, swatch, stack, legend, table, batched, walkable, tips };
})();
