// Two of a kind beside each other, label by label, largest change first: of two traces, or of two runs.
explorer.versus = (() => {
  const { element, kind, swatch, table } = explorer.drawing;
  const { time, signed, doing, count } = explorer.words;
  const NAMED = 3;

  const change = (row) => (row.b ?? 0) - (row.a ?? 0);
  const phrase = (row) => {
    const by = change(row);
    if (row.a == null) return ["the ", doing(row.label, row.what), ` is new: `, element("b", {}, signed(row.b))];
    if (row.b == null) return ["the ", doing(row.label, row.what), " is gone: ", element("b", {}, signed(-row.a))];
    return ["the ", doing(row.label, row.what), " takes ", element("b", {}, time(Math.abs(by))), by > 0 ? " longer" : " less"];
  };

  // One sentence on the whole, and what most of it comes from. `rows` are {label, what, a, b} in microseconds.
  const finding = (rows, a, b, names) => {
    if (a == null || b == null) return [];
    const by = b - a;
    const whole =
      by === 0
        ? ["Both take ", element("b", {}, time(a))]
        : [
            `${names[1]} takes `,
            element("b", {}, time(Math.abs(by))),
            by > 0 ? " longer" : " less",
            ` than ${names[0]} (${time(b)} against ${time(a)})`,
          ];
    const named = rows
      .filter((row) => Math.abs(change(row)) > 0.03 * Math.max(Math.abs(by), 1))
      .slice(0, NAMED)
      .map(phrase);
    return [...whole, ...named.flatMap((each, at) => [at === 0 ? ": " : at === named.length - 1 ? ", and " : ", ", ...each]), "."];
  };

  const pair = (row, longest, names) => {
    const bar = (us, side) =>
      element(
        "div",
        { class: `half ${side}` },
        us > 0 && element("span", { class: `piece ${kind(row.what)}`, style: { width: `${(100 * us) / longest}%` } }),
        element("span", { class: "amount" }, time(us)),
      );
    return element(
      "div",
      { class: "halves", "data-tell": `${row.label} · ${row.what}: ${names[0]} ${time(row.a)}, ${names[1]} ${time(row.b)}` },
      bar(row.a, "a"),
      bar(row.b, "b"),
    );
  };
  const chart = (rows, names) => {
    const longest = Math.max(1, ...rows.flatMap((row) => [row.a ?? 0, row.b ?? 0]));
    const delta = (row) => {
      const by = change(row);
      return element("span", { class: by > 0 ? "longer" : by < 0 ? "less" : "" }, by > 0 ? "▲ " : by < 0 ? "▼ " : "", signed(by));
    };
    return element(
      "div",
      { class: "scroll", tabindex: 0, role: "group", "aria-label": `${names[0]} and ${names[1]}, label by label` },
      table(
        ["where", `${names[0]} (above), ${names[1]} (below)`, "change"],
        rows.map((row) => [[swatch(row.what), row.label, explorer.bands.told(row)], pair(row, longest, names), delta(row)]),
        { class: "pairs" },
      ),
    );
  };

  const QUANTILES = [
    ["p50", "p50"],
    ["p90", "p90"],
    ["p95", "p95"],
    ["p99", "p99"],
    ["p999", "p99.9"],
    ["max", "max"],
    ["mean", "mean"],
  ];
  const quantiles = (one, other, names) =>
    table(
      ["durations", "n", ...QUANTILES.map(([, title]) => title)],
      [
        [names[0], one],
        [names[1], other],
      ].map(([name, found]) => [name, count(found?.n), ...QUANTILES.map(([key]) => time(found?.[key]))]),
    );

  // Of two runs: `against` is the base, this one is what changed.
  const draw = (section, found) => {
    section.hidden = !found.against;
    if (section.hidden) return;
    const { subject, analysis, change: changes } = found.against;
    const names = ["the other", "this run"];
    const rows = changes
      .map((each) => ({ label: each.label, what: each.what, a: each.other_us, b: each.one_us }))
      .sort((x, y) => Math.abs(change(y)) - Math.abs(change(x)));
    const [about, told] = [section.querySelector(".about"), section.querySelector(".finding")];
    about.replaceChildren(
      "The other: ",
      element("code", {}, subject),
      ". Means over all traces. A difference here is no verdict: toolkit compare tells whether it is more than chance.",
    );
    told.replaceChildren(
      ...finding(rows, analysis.bands[0]?.mean_us, found.analysis.bands[0]?.mean_us, ["the other run", "On average a trace of this run"]),
    );
    section.querySelector(":scope > .scroll").replaceChildren(quantiles(analysis.durations_us, found.analysis.durations_us, names));
    section.querySelector(".versus").replaceChildren(chart(rows, names));
  };

  return { finding, chart, draw };
})();
