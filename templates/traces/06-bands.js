// Where the time goes, of all traces and of fast and slow ones apart, and in a sentence what makes the slow ones slow.
explorer.bands = (() => {
  const { element, stack, legend, swatch, table } = explorer.drawing;
  const { count, time, signed, share, percentile, doing, population } = explorer.words;
  const SLOW = 3; // causes named in the sentence
  const FEW = 10; // traces of a band, at least, for what it says to be more than chance

  const key = (each) => `${each.label}\n${each.what}`;
  const mean = (band, each) => band.shares.find((one) => key(one) === key(each))?.mean_us ?? 0;
  const name = (band) => {
    if (band.low === 0 && band.high === 1) return "all";
    if (band.high === 1) return `slowest ${+(100 * (1 - band.low)).toPrecision(3)} %`;
    return band.low === 0 ? `fastest ${+(100 * band.high).toPrecision(3)} %` : `${percentile(band.low)} to ${percentile(band.high)}`;
  };

  // Labels in one order for every band: the first band's, which is all traces, then what only others have.
  const labels = (bands) => {
    const found = new Map();
    for (const band of bands) for (const each of band.shares) if (!found.has(key(each))) found.set(key(each), each);
    const seen = new Map();
    return [...found.values()].map((each) => {
      seen.set(each.what, (seen.get(each.what) ?? -1) + 1);
      return { ...each, nth: seen.get(each.what) };
    });
  };

  // Which ones are slow, and by what, is found where `toolkit trace analyze` finds it; here it is put into words.
  const finding = (found) => {
    const named = (found?.growths ?? []).slice(0, SLOW).filter((each) => each.us > 0.05 * found.longer_us);
    if (!named.length) return null;
    const told = named.map((each) => [
      `${doing(each.label, each.what)} `,
      element("b", {}, signed(each.us)),
      ` (${share(each.us / found.longer_us)})`,
    ]);
    const parts = told.flatMap((each, at) => [at === 0 ? "" : at === told.length - 1 ? " and " : ", ", ...each]);
    return [
      "What makes the slow ones slow: the ",
      found.high === 1 ? name(found) : `traces from ${percentile(found.low)} to ${percentile(found.high)}`,
      ` (${count(found.n)}) take `,
      element("b", {}, time(found.longer_us)),
      " longer than the fastest 50 %: ",
      ...parts,
      ".",
    ];
  };

  const bar = (band, order, longest, mode) => {
    const whole = mode === "share" ? band.mean_us : longest;
    const pieces = order
      .map((each) => ({ ...each, us: mean(band, each) }))
      .map((each) => ({
        ...each,
        tell: `${each.label} · ${each.what}: ${time(each.us)}, ${share(each.us / band.mean_us)} of the ${name(band)}`,
      }));
    return element(
      "div",
      { class: band.n < FEW ? "band-row few" : "band-row" },
      element(
        "span",
        { class: "band-name" },
        element("b", {}, name(band)),
        element("small", {}, `${count(band.n)}${band.n < FEW ? ": too few to tell" : ""} · ${time(band.from_us)} – ${time(band.to_us)}`),
      ),
      stack(
        pieces,
        whole || 1,
        `${name(band)}: ${pieces
          .filter((each) => each.us > 0)
          .map((each) => `${each.label} ${share(each.us / band.mean_us)}`)
          .join(", ")}`,
      ),
      element("span", { class: "band-sum" }, time(band.mean_us)),
    );
  };

  const told = (each) => ([each.what, `${each.what} (platform)`].includes(each.label) ? null : element("small", {}, each.what));
  const tabular = (bands, order) =>
    table(
      ["mean time", ...bands.map(name)],
      [
        ...order.map((each) => [
          [swatch(each.what, each.nth), each.label, told(each)],
          ...bands.map((band) => {
            const us = mean(band, each);
            return us ? [time(us), element("small", {}, share(us / band.mean_us))] : "—";
          }),
        ]),
        ["all of it", ...bands.map((band) => time(band.mean_us))],
      ],
      { class: "labels" },
    );

  const CROWDED = 12; // where one band is so many times longer than another, bars of time show only that
  let mode = null;
  let current = [];
  const paint = (section) => {
    const longest = Math.max(...current.map((each) => each.mean_us));
    const shortest = Math.min(...current.map((each) => each.mean_us));
    const chosen = mode ?? (longest > CROWDED * shortest ? "share" : "time");
    for (const each of section.querySelectorAll("[data-mode]")) each.setAttribute("aria-pressed", String(each.dataset.mode === chosen));
    section.querySelector(".bands").replaceChildren(...current.map((band) => bar(band, labels(current), longest, chosen)));
  };
  const draw = (section, found) => {
    current = found.analysis.bands.filter((each) => each.n > 0);
    section.hidden = current.length === 0;
    if (section.hidden) return;
    const order = labels(current);
    section.querySelector(".about").textContent = `Of ${population(found.analysis)}: the critical path, which is what each trace was waiting for at each of its moments. Pieces are disjoint and add up to the whole.`;
    paint(section);
    section.querySelector(".finding").replaceChildren(...(finding(found.finding) ?? []));
    section.querySelector(".legend").replaceChildren(...legend(order.map((each) => each.what)));
    section.querySelector(":scope > .scroll").replaceChildren(tabular(current, order));
  };
  const listen = (section) =>
    section.querySelector(".modes").addEventListener("click", (event) => {
      const button = event.target.closest("[data-mode]");
      if (!button) return;
      mode = button.dataset.mode;
      paint(section);
    });

  return { draw, listen, told };
})();
