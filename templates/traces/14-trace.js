// The view of one trace, and that of two: what they are, where their time went, and the way to others.
explorer.trace = (() => {
  const { element, stack, swatch, kind, legend, table } = explorer.drawing;
  const { time, share, many, count, moment, percentile, plain, clock } = explorer.words;
  const OFFERED = 200;

  const root = (trace) => trace.rows[0] ?? { service: "trace", name: trace.id };
  const back = () => element("a", { class: "button back", href: explorer.routes.back() }, "← all traces");
  const chips = (trace) =>
    [
      trace.failed && element("span", { class: "chip bad" }, "✗ failed"),
      trace.cold && element("span", { class: "chip cold" }, "❄ cold"),
      trace.rows.some((each) => each.skewed) && element("span", { class: "chip warn" }, "⧖ clocks disagree"),
      element("span", { class: "chip" }, many(trace.rows.length + trace.more_rows, "span")),
      element("span", { class: "chip" }, many(new Set(trace.rows.map((each) => each.service)).size, "service")),
    ].filter(Boolean);

  const copy = async (text, said) => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "copied";
    } catch {
      said.textContent = "select it and copy: this browser does not let a page do it";
    }
  };

  // Other traces to compare with: at percentiles of this run and of the other, then the newest.
  const others = (trace, found) => {
    const group = (label, options) =>
      options.length > 0 &&
      element(
        "optgroup",
        { label },
        options.map(([value, text]) => element("option", { value }, text)),
      );
    const examples = (analysis, from) =>
      (analysis?.exemplars ?? [])
        .filter((each) => (from || each.trace !== trace.id) && explorer.documents.has(each.trace))
        .map((each) => [
          explorer.routes.difference(trace.id, each.trace, from),
          `${percentile(each.quantile)} · ${time(each.duration_us)} · ${each.trace.slice(0, 8)}`,
        ]);
    const newest = found.traces
      .filter((each) => each.id !== trace.id && explorer.documents.has(each.id))
      .slice(0, OFFERED)
      .map((each) => [
        explorer.routes.difference(trace.id, each.id),
        `${clock(each.start_us)} · ${time(each.duration_us)}${each.failed ? " ✗" : ""} · ${each.id.slice(0, 8)}`,
      ]);
    return element(
      "select",
      {
        "aria-label": "Compare with another trace",
        onchange: (event) => {
          if (event.target.value) location.hash = event.target.value;
        },
      },
      element("option", { value: "" }, "compare with…"),
      group("at a percentile", examples(found.analysis)),
      found.against && group("at a percentile of the other run", examples(found.against.analysis, "against")),
      group("the newest", newest),
    );
  };

  const labels = (trace) =>
    table(
      ["on the critical path", "time", "share"],
      trace.by_label.map((each) => [
        [swatch(each.what), each.label, explorer.bands.told(each)],
        time(each.us),
        [share(each.share), element("i", { class: `meter ${kind(each.what)}`, style: { width: `${Math.max(1, 100 * each.share)}%` } })],
      ]),
      { class: "labels" },
    );

  const make = (trace, found, from) => {
    const said = element("span", { class: "hint", role: "status" });
    const range = element("span", { class: "hint", role: "status" });
    const fall = explorer.waterfall.make(trace, (text) => (range.textContent = text));
    const hasPlatform = trace.rows.some((each) => each.part);
    const platform = element(
      "button",
      { type: "button", "aria-pressed": "false" },
      "platform spans ",
      element("kbd", { "aria-hidden": "true" }, "p"),
    );
    const togglePlatform = () => platform.setAttribute("aria-pressed", String(!fall.fold()));
    platform.addEventListener("click", togglePlatform);
    const zoom = (name, label, action) => element("button", { type: "button", "aria-label": label, onclick: action }, name);
    const node = element(
      "section",
      { class: "trace", "aria-labelledby": "traces-h-trace" },
      element("div", { class: "tools" }, back(), element("span", { class: "room" }), others(trace, found)),
      element(
        "h2",
        { id: "traces-h-trace", tabindex: -1 },
        `${root(trace).service}: ${root(trace).name}`,
        " ",
        element("span", { class: "took" }, time(trace.duration_us)),
      ),
      element(
        "p",
        { class: "run" },
        "trace ",
        element("a", { href: explorer.routes.trace(trace.id, from) }, element("code", {}, trace.id)),
        " ",
        element("button", { type: "button", class: "small", onclick: () => copy(trace.id, said) }, "copy"),
        " ",
        said,
        element("span", { class: "when" }, `${moment(trace.start_us)} UTC`),
      ),
      element("p", { class: "chips" }, chips(trace)),
      trace.more_rows > 0 &&
        element(
          "p",
          { class: "banner warn", role: "note" },
          `The first ${many(trace.rows.length, "span")} of ${count(trace.rows.length + trace.more_rows)} are shown.`,
        ),
      element(
        "div",
        { class: "beside" },
        element(
          "div",
          { class: "wide" },
          element(
            "div",
            { class: "tools" },
            hasPlatform && platform,
            element("span", { class: "room" }),
            range,
            zoom("+", "Zoom in", () => fall.shown.zoom(0.5)),
            zoom("−", "Zoom out", () => fall.shown.zoom(2)),
            zoom("all", "Show all of the trace", () => fall.shown.show(0, 1)),
          ),
          fall.root,
          element(
            "p",
            { class: "legend" },
            element("span", { class: "key" }, element("i", { class: "swatch deciding" }), "decided the end"),
            element("span", { class: "key" }, element("i", { class: "swatch waiting" }), "did not decide the end here"),
          ),
          explorer.fans.of(trace, fall.showSender),
        ),
        element("div", { class: "aside" }, element("h3", {}, "Where its time went"), labels(trace)),
      ),
    );
    const keys = (event) => {
      if (event.key !== "p" || !hasPlatform) return fall.shown.keys(event);
      togglePlatform();
      event.preventDefault();
      return true;
    };
    return {
      node,
      begin: fall.begin,
      keys,
      close: fall.close,
      title: `${root(trace).service} ${time(trace.duration_us)}`,
      repaint: fall.shown.repaint,
      focus: fall.focus,
    };
  };

  const side = (name, trace, longest, from) =>
    element(
      "div",
      { class: "band-row" },
      element(
        "span",
        { class: "band-name" },
        element("b", {}, name),
        " ",
        element("a", { href: explorer.routes.trace(trace.id, from) }, element("code", {}, trace.id.slice(0, 12))),
        trace.failed && element("span", { class: "chip bad" }, "✗ failed"),
        element("small", {}, `${root(trace).service}: ${root(trace).name}`),
      ),
      stack(
        trace.path.map((each) => ({
          ...each,
          us: each.end_us - each.start_us,
          tell: `${name}: ${each.label} · ${each.what}, ${time(each.end_us - each.start_us)}`,
        })),
        longest,
        `${name}: ${trace.by_label.map((each) => `${each.label} ${share(each.share)}`).join(", ")}`,
      ),
      element("span", { class: "band-sum" }, time(trace.duration_us)),
    );

  const compare = ({ a, b, rows }, route) => {
    const told = rows.map((each) => ({ label: each.label, what: each.what, a: each.a_us, b: each.b_us }));
    const longest = Math.max(a.duration_us, b.duration_us, 1);
    const node = element(
      "section",
      { class: "difference", "aria-labelledby": "traces-h-trace" },
      element(
        "div",
        { class: "tools" },
        back(),
        element("span", { class: "room" }),
        element("a", { class: "button", href: explorer.routes.trace(a.id) }, "open A"),
        route.otherFrom ? null : element("a", { class: "button", href: explorer.routes.difference(b.id, a.id) }, "swap"),
        element("a", { class: "button", href: explorer.routes.trace(b.id, route.otherFrom) }, "open B"),
      ),
      element("h2", { id: "traces-h-trace", tabindex: -1 }, "Two traces"),
      element("p", { class: "finding" }, explorer.versus.finding(told, a.duration_us, b.duration_us, ["A", "B"])),
      element("div", { class: "bands" }, side("A", a, longest), side("B", b, longest, route.otherFrom)),
      element("p", { class: "legend" }, legend([...a.path, ...b.path].map((each) => each.what))),
      element("h3", {}, "Label by label"),
      explorer.versus.chart(told, ["A", "B"]),
    );
    return { node, keys: () => false, close: () => false, title: "two traces" };
  };

  const trouble = (error) => ({
    node: element(
      "section",
      { "aria-labelledby": "traces-h-trace" },
      element("div", { class: "tools" }, back()),
      element("h2", { id: "traces-h-trace", tabindex: -1 }, "Not to be seen"),
      element("p", { class: "banner bad", role: "alert" }, plain(error.message)),
    ),
    keys: () => false,
    close: () => false,
    title: "not to be seen",
  });

  return { make, compare, trouble };
})();
