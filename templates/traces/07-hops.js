// Each hop with its parts, and in sentences what is odd: clocks that disagree, traces that are not whole.
explorer.hops = (() => {
  const { element, stack, legend, swatch, table } = explorer.drawing;
  const { count, many, time, share, hop, listed } = explorer.words;

  const parts = (each, longest) =>
    stack(
      each.parts.map((part) => ({
        label: part.what,
        what: part.what,
        us: part.mean_us,
        tell: `${part.what}: mean ${time(part.mean_us)}, ${share(part.share)} of the hop`,
      })),
      longest || 1,
      each.parts.map((part) => `${part.what} ${share(part.share)}`).join(", ") || "no parts",
    );
  const rows = (hops) => {
    const longest = Math.max(...hops.map((each) => each.mean_us ?? 0), 0);
    return hops.map((each) => [
      [hop(each), element("small", {}, each.via)],
      count(each.n),
      each.failed ? element("span", { class: "trouble" }, `✗ ${count(each.failed)}`) : "0",
      time(each.p50_us),
      time(each.p99_us),
      time(each.mean_us),
      parts(each, longest),
    ]);
  };
  const everyPart = (hops) =>
    table(
      ["hop", "part", "n", "mean", "p50", "p99", "share"],
      hops.flatMap((each) =>
        each.parts.map((part) => [
          `${hop(each)} (${each.via})`,
          [swatch(part.what), part.what],
          count(part.n),
          time(part.mean_us),
          time(part.p50_us),
          time(part.p99_us),
          share(part.share),
        ]),
      ),
      { class: "parts" },
    );

  // "at least 2.1 ms", "2.1 ms to 2.4 ms": what messages in both directions allow.
  const skewed = ({ one, other, pairs, impossible, least_us: least, most_us: most }) => {
    const seen = `${count(impossible)} of ${many(pairs, "message")} between ${one} and ${other} arrive before they were sent, or end after their answer.`;
    if (least != null && most != null && least > most)
      return `${seen} No constant offset explains it: one of the two clocks moved, by at least ${time(least - most)}.`;
    const ahead =
      least == null ? null : least > 0 ? [other, one, least, most] : most != null && most < 0 ? [one, other, -most, -least] : null;
    if (!ahead) return impossible ? seen : null;
    const [fast, slow, low, high] = ahead;
    return `${seen} The clock of ${fast} is ahead of that of ${slow} by ${high == null ? "at least " : ""}${time(low)}${high == null ? "" : ` to ${time(high)}`}; hops between them are off by as much.`;
  };
  const complete = (found) => {
    if (!found?.traces) return [];
    const edge = (each) => `${hop(each)} (${each.via}) in ${many(each.traces, "trace")}`;
    const told = [
      `${count(found.complete)} of ${many(found.traces, "trace")} ${found.complete === 1 ? "shows" : "show"} the whole chain${found.complete === found.traces ? "" : "; the others lack something"}.`,
    ];
    if (found.missing.length) told.push(`Missing: ${listed(found.missing.map(edge))}.`);
    if (found.unknown.length) told.push(`Not in the chain: ${listed(found.unknown.map(edge))}.`);
    if (found.orphans)
      told.push(`${many(found.orphans, "span")} ${found.orphans === 1 ? "names a parent that is" : "name parents that are"} not there.`);
    return told;
  };
  const told = (analysis) => [
    ...complete(analysis.completeness),
    ...analysis.skews.map(skewed).filter(Boolean),
    ...(analysis.hops.some((each) => each.skewed)
      ? [
          `${many(
            analysis.hops.reduce((sum, each) => sum + each.skewed, 0),
            "delivery",
            "deliveries",
          )} that began before they were sent ${analysis.hops.reduce((sum, each) => sum + each.skewed, 0) === 1 ? "is" : "are"} counted and not timed.`,
        ]
      : []),
    ...(analysis.unusable
      ? [`${many(analysis.unusable, "trace")} without a root that has a time ${analysis.unusable === 1 ? "is" : "are"} in no number here.`]
      : []),
  ];

  const draw = (section, found) => {
    const { analysis } = found;
    const sentences = told(analysis);
    section.hidden = analysis.hops.length === 0 && sentences.length === 0;
    if (section.hidden) return;
    section
      .querySelector(":scope > .scroll")
      .replaceChildren(table(["hop", "n", "failed", "p50", "p99", "mean", "parts of the mean"], rows(analysis.hops), { class: "hops" }));
    section.querySelector(".legend").replaceChildren(...legend(analysis.hops.flatMap((each) => each.parts.map((part) => part.what))));
    section.querySelector("details").hidden = !analysis.hops.some((each) => each.parts.length);
    section.querySelector("details .scroll").replaceChildren(everyPart(analysis.hops));
    section.querySelector(".told").replaceChildren(...sentences.map((each) => element("li", {}, each)));
  };

  return { draw };
})();
