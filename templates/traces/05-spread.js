// How long traces take: the histogram, and a way from each percentile and each bar to a trace that shows it.
explorer.spread = (() => {
  const { element, shape, drawing, letters, ticks, logTicks, table, walkable } = explorer.drawing;
  const { count, time, milliseconds, percentile, many, population } = explorer.words;
  const WIDTH = 1160;
  const FRAME = { left: 52, right: 1148, top: 62, bottom: 250 };
  const MARKS = [
    ["p50", 0.5],
    ["p90", 0.9],
    ["p95", 0.95],
    ["p99", 0.99],
    ["p999", 0.999],
    ["max", 1],
  ];

  const buttons = (analysis) => {
    const by = new Map(analysis.exemplars.map((each) => [each.quantile, each]));
    return MARKS.flatMap(([name, quantile]) => {
      const us = analysis.durations_us?.[name] ?? null;
      const found = by.get(quantile);
      if (us == null && !found) return [];
      const inside = [element("small", {}, percentile(quantile)), " ", element("b", {}, time(us ?? found.duration_us))];
      if (!found || !explorer.documents.has(found.trace)) return [element("span", { class: "step" }, inside)];
      return [
        element(
          "a",
          {
            class: "step",
            href: explorer.routes.trace(found.trace),
            "aria-label": `${percentile(quantile)}, ${time(us ?? found.duration_us)}: open the trace there`,
          },
          inside,
        ),
      ];
    });
  };

  const opening = (id) => (id && explorer.documents.has(id) ? () => (location.hash = explorer.routes.trace(id)) : undefined);

  // Names of percentiles on floors, the left ones higher, so that close ones do not meet and no line runs through words.
  const flags = (analysis, x) => {
    const floors = [Infinity, Infinity, Infinity];
    const found = [...MARKS].reverse().flatMap(([name, quantile]) => {
      const us = analysis.durations_us?.[name];
      if (us == null || name === "max") return [];
      const at = x(us);
      const text = `${percentile(quantile)} ${time(us)}`;
      const wide = text.length * 7 + 12;
      const left = at + wide > FRAME.right ? at - wide : at;
      const floor = Math.min(2, floors.findLastIndex((start) => start < left + wide) + 1);
      floors[floor] = left;
      const y = FRAME.top - 12 - 16 * floor;
      return [
        [
          shape("path", { class: "percentile", d: `M${at.toFixed(1)} ${FRAME.bottom}V${y - 10}` }),
          letters(left === at ? at + 5 : at - 5, y, text, "halo", left === at ? "start" : "end"),
        ],
      ];
    });
    return [found.map(([line]) => line), found.map(([, words]) => words)]; // no line through words
  };

  const bars = (bins, x, y) =>
    bins.map((bin) => {
      const left = x(bin.from_us);
      const wide = Math.max(1, x(bin.to_us) - left - 1);
      const column = (from, n, kind) =>
        n > 0 &&
        shape("rect", {
          class: kind,
          x: (left + 0.5).toFixed(2),
          y: y(from + n).toFixed(2),
          width: wide.toFixed(2),
          height: Math.max(1, y(from) - y(from + n)).toFixed(2),
        });
      return shape(
        "g",
        { class: explorer.documents.has(bin.trace) ? "bin opens" : "bin" },
        column(0, bin.n - bin.failed, "fill latency"),
        column(bin.n - bin.failed, bin.failed, "bar failed"),
        shape("rect", { class: "band", x: left, y: FRAME.top, width: wide + 1, height: FRAME.bottom - FRAME.top }),
      );
    });

  const histogram = (analysis) => {
    const bins = analysis.bins.map((each) => ({ ...each, from_us: Math.max(each.from_us, 0.5) }));
    const [low, high] = [bins[0].from_us, Math.max(bins.at(-1).to_us, bins[0].from_us * 1.02)];
    const x = (us) =>
      FRAME.left + ((Math.log(Math.max(us, low)) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (FRAME.right - FRAME.left);
    const most = Math.max(...bins.map((each) => each.n));
    const y = (n) => FRAME.bottom - (n / most) * (FRAME.bottom - FRAME.top);
    const columns = bars(bins, x, y);
    const unit = high >= 2e6 && low >= 1e5 ? [1e6, "s"] : high < 2000 ? [1, "µs"] : [1e3, "ms"];
    let end = -Infinity;
    const names = logTicks(low, high).flatMap((us) => {
      const text = String(+(us / unit[0]).toPrecision(3));
      const at = x(us);
      if (at - text.length * 4 < end + 10) return [];
      end = at + text.length * 4;
      return [
        shape("path", { class: "grid", d: `M${at.toFixed(1)} ${FRAME.top}V${FRAME.bottom}` }),
        letters(at, FRAME.bottom + 17, text, "", at > FRAME.right - text.length * 4 ? "end" : "middle"),
      ];
    });
    const heights = ticks(0, most, 4)
      .filter(Number.isInteger)
      .flatMap((n) => [
        shape("path", { class: "grid", d: `M${FRAME.left} ${y(n)}H${FRAME.right}` }),
        letters(FRAME.left - 8, y(n) + 4, count(n), "", "end"),
      ]);
    const about = `${many(analysis.traces, "trace")} from ${time(analysis.bins[0].from_us)} to ${time(analysis.bins.at(-1).to_us)}; bars of equal ratio.`;
    const svg = drawing(
      "traces-histogram",
      WIDTH,
      290,
      "How long traces take",
      about,
      heights,
      names,
      columns,
      flags(analysis, x),
      letters(FRAME.left - 8, FRAME.top - 14, "traces", "axis", "end"),
      letters((FRAME.left + FRAME.right) / 2, FRAME.bottom + 34, `${unit[1]} (logarithmic)`, "axis", "middle"),
    );
    const marks = bins
      .map((bin, at) => ({
        node: columns[at],
        open: opening(bin.trace),
        words: `${time(analysis.bins[at].from_us)} to ${time(bin.to_us)}: ${many(bin.n, "trace")}${bin.failed ? `, ${count(bin.failed)} of them failed` : ""}${bin.n && explorer.documents.has(bin.trace) ? "; Enter or a click opens one" : ""}`,
      }))
      .filter((_, at) => bins[at].n > 0);
    return [svg, marks];
  };

  let show = null;
  const draw = (section, found) => {
    const { analysis } = found;
    section.hidden = analysis.bins.length === 0;
    if (section.hidden) return;
    show ??= walkable(section.querySelector("figure"));
    const early = found.live && /no root yet/.test(found.note ?? "") ? "So far, and not final: where the root is not there yet, from the first span. " : "";
    section.querySelector(".about").textContent = `${early}Of ${population(analysis)}. From the root's start to the end of all that followed from it.`;
    show(...histogram(analysis));
    section.querySelector(".steps").replaceChildren(...buttons(analysis));
    const failed = analysis.bins.some((each) => each.failed);
    const sample = (kind, name) =>
      element(
        "span",
        { class: "key" },
        shape("svg", { viewBox: "0 0 14 10", "aria-hidden": "true" }, shape("rect", { class: kind, width: 14, height: 10 })),
        name,
      );
    section
      .querySelector("figcaption")
      .replaceChildren(
        ...[
          sample("fill latency", "traces"),
          failed && sample("bar failed", "with an error"),
          element("span", { class: "hint" }, "A bar opens one of its traces."),
        ].filter(Boolean),
      );
    section.querySelector("details .scroll").replaceChildren(
      table(
        ["from ms", "to ms", "traces", "failed", "one of them"],
        analysis.bins
          .filter((each) => each.n)
          .map((each) => [
            milliseconds(each.from_us),
            milliseconds(each.to_us),
            count(each.n),
            count(each.failed),
            explorer.documents.has(each.trace)
              ? element("a", { href: explorer.routes.trace(each.trace) }, element("code", {}, each.trace.slice(0, 12)))
              : element("code", {}, each.trace.slice(0, 12)),
          ]),
      ),
    );
  };

  return { draw };
})();
