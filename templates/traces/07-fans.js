// What was sent several times at once: how many branches, how much of their work went on side by side, and what it took.
explorer.fans = (() => {
  const { element, table } = explorer.drawing;
  const { count, many, time, share, digits, plain } = explorer.words;
  const MOST = 50; // rows of a table

  const who = (fan) => (fan.to == null ? `all that ${fan.source} sent` : `${fan.source} → ${fan.to}`);
  const how = (fan) => element("small", {}, fan.to == null ? "to several" : fan.via);
  const atOnce = (fan) => (fan.at_once === 1 ? "one after the other" : `${count(fan.at_once)} at once`);
  const times = (ratio) => `${ratio < 10 ? ratio.toFixed(2) : digits(ratio)} ×`;
  const told = (fan) =>
    plain(
      `${who(fan)}: ${many(fan.branches, "branch", "branches")}, ${atOnce(fan)}, overlap ${share(fan.share)}; ${time(fan.wall_us)} from first to last, ${times(fan.stretch)} the slowest branch (${time(fan.slowest_us)})`,
    );
  // Of all that a handling sent, what has the most branches.
  const chip = (fans) => {
    const most = fans.reduce((one, other) => (other.branches > one.branches ? other : one));
    return element(
      "span",
      { class: "chip", title: fans.slice(0, MOST).map(told).join("\n") },
      most.at_once === 1 ? `${count(most.branches)} in turn` : `⇶ ${atOnce(most)} · ${share(most.share)}`,
    );
  };

  const meter = (part) => element("i", { class: "meter what-work", style: { width: `${Math.max(1, 100 * part)}%` } });
  const more = (found) => found.length > MOST && element("p", { class: "about" }, `and ${count(found.length - MOST)} more`);
  const scrolled = (name, inside) => element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": name }, inside);

  // Of one trace; `show` leads to the span that sent them.
  const of = (trace, show) =>
    trace.fans.length > 0 && [
      element("h3", {}, "Several at once"),
      scrolled(
        "Several at once",
        table(
          ["sent by one span", "branches", "at once", "overlap", "first to last", "slowest", "ratio"],
          trace.fans
            .slice(0, MOST)
            .map((fan) => [
              [element("button", { type: "button", class: "small", onclick: () => show(fan), "aria-label": `${who(fan)}: show the span` }, who(fan)), how(fan)],
              count(fan.branches),
              fan.at_once === 1 ? "in turn" : count(fan.at_once),
              [share(fan.share), meter(fan.share)],
              time(fan.wall_us),
              time(fan.slowest_us),
              times(fan.stretch),
            ]),
          { class: "fans" },
        ),
      ),
      more(trace.fans),
    ];

  const number = ({ least, median, most }) => [
    Number.isInteger(median) ? count(median) : digits(median),
    least === most ? null : element("small", {}, `${count(least)} – ${count(most)}`),
  ];
  const least = (fan) =>
    explorer.documents.has(fan.trace)
      ? element("a", { href: explorer.routes.trace(fan.trace), "aria-label": `${share(fan.share.least)}: open the trace` }, share(fan.share.least))
      : share(fan.share.least);
  const draw = (section, { analysis }) => {
    const found = analysis.fans;
    section.hidden = found.length === 0;
    section.querySelector(".scroll").replaceChildren(
      table(
        ["sent by one handling", "n", "branches", "at once", "overlap", "least", "first to last", "slowest", "ratio", "at most"],
        found
          .slice(0, MOST)
          .map((fan) => [
            [who(fan), how(fan)],
            count(fan.n),
            number(fan.branches),
            fan.at_once.most === 1 ? "in turn" : number(fan.at_once),
            [share(fan.share.median), meter(fan.share.median)],
            least(fan),
            time(fan.wall_us.median),
            time(fan.slowest_us.median),
            times(fan.stretch.median),
            times(fan.stretch.most),
          ]),
        { class: "fans" },
      ),
      ...[more(found)].filter(Boolean),
    );
  };

  return { draw, of, chip, told };
})();
