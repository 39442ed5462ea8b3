// The waterfall: spans as rows that fold, faint where nobody waited for them, strong where they decided the end.
explorer.waterfall = (() => {
  const { element, kind, table, batched } = explorer.drawing;
  const { time, share, plain, many } = explorer.words;
  const { grow, lines, pieces, extent, isGroup, parts, failing } = explorer.spans;

  const make = (trace, announce) => {
    const whole = Math.max(trace.duration_us, 1);
    const nodes = grow(trace);
    const state = { fold: true, opened: new Set(), closed: new Set(), detailed: null, at: nodes[0] ?? null };
    const kept = new Map();
    const senderOf = (fan) =>
      nodes.find(({ row }) => row.span === fan.span && row.service === fan.source) ?? nodes.find(({ row }) => row.span === fan.span);
    const fans = new Map();
    for (const fan of trace.fans) fans.set(senderOf(fan), [...(fans.get(senderOf(fan)) ?? []), fan]);
    const spot = (start, duration) => ({ "--s": start / whole, "--d": duration / whole });

    const strip = (piece) =>
      element("span", {
        class: `piece ${kind(piece.what)}`,
        style: spot(piece.start_us, piece.end_us - piece.start_us),
        "data-tell": `critical path: ${piece.label} · ${piece.what}, ${time(piece.end_us - piece.start_us)} (${share((piece.end_us - piece.start_us) / whole)})`,
      });
    const map = element(
      "div",
      {
        class: "map",
        tabindex: 0,
        role: "group",
        "aria-label": "The whole trace: drag to zoom, + and − zoom, Shift and arrows move, 0 shows all",
      },
      explorer.window.miniature(trace),
      element("div", { class: "brush" }),
    );
    const body = element("tbody", { role: "rowgroup" });
    const head = element(
      "thead",
      { role: "rowgroup" },
      element(
        "tr",
        { role: "row" },
        element("th", { role: "columnheader", scope: "col" }, "service: span"),
        element("th", { role: "columnheader", scope: "col", class: "lane axis-lane", "aria-label": "time since the start" }),
        element("th", { role: "columnheader", scope: "col", class: "amount" }, "duration"),
      ),
      element(
        "tr",
        { role: "row", class: "path-row" },
        element("td", { role: "rowheader", class: "path-name" }, "critical path"),
        element("td", { role: "gridcell", class: "lane strip" }),
        element("td", { role: "gridcell", class: "amount" }, time(trace.duration_us)),
      ),
    );
    const root = element(
      "div",
      { class: "waterfall" },
      map,
      element(
        "div",
        { class: "sheet" },
        element("div", { class: "rules-room", "aria-hidden": "true" }, element("div", { class: "rules" })),
        element("table", { role: "treegrid", class: "fall", "aria-label": "Spans" }, head, body),
      ),
    );

    const name = (line) => {
      const { row } = line.node;
      if (line.group)
        return [element("b", {}, "platform"), ` ${parts(line.node)} `, element("small", {}, many(line.node.members.length, "span"))];
      return [
        element("b", {}, row.service),
        ` ${row.name}`,
        row.part ? element("small", {}, ` ${row.part}`) : row.kind ? element("small", {}, ` ${row.kind.toLowerCase()}`) : null,
      ];
    };
    const marks = (line) => {
      const broken = line.group ? failing(line.node) : line.node.row.error != null ? line.node : null;
      const skewed = line.group ? line.node.members.some((each) => each.row.skewed) : line.node.row.skewed;
      return [
        broken && element("span", { class: "chip bad", title: plain(broken.row.error) }, "✗ error"),
        !line.group && fans.has(line.node) && explorer.fans.chip(fans.get(line.node)),
        skewed && element("span", { class: "chip warn", title: "begins before it was sent: two clocks disagree" }, "⧖ clock"),
      ];
    };
    const onPath = (line) => pieces(line).reduce((sum, each) => sum + each.end_us - each.start_us, 0);
    const told = (line) => {
      const { row } = line.node;
      const [start, duration] = extent(line);
      const critical = onPath(line);
      return `${line.group ? `platform: ${parts(line.node)}` : `${row.service}: ${row.name}`} · ${time(duration)} from ${time(start)}${critical ? ` · ${time(critical)} of it on the critical path` : " · not on the critical path"}`;
    };

    const render = (line) => {
      const { node } = line;
      const [start, duration] = extent(line);
      const on = pieces(line);
      const bad = line.group ? failing(node) : node.row.error != null;
      const twisty =
        line.kids || line.group || isGroup(node)
          ? element(
              "button",
              {
                type: "button",
                tabindex: -1,
                class: "twisty",
                "aria-label": line.group ? "show these spans" : line.open ? "fold" : "unfold",
              },
              line.group ? "⊞" : isGroup(node) && state.opened.has(node) ? "⊟" : line.open ? "▾" : "▸",
            )
          : element("span", { class: "twisty" });
      return element(
        "tr",
        {
          role: "row",
          class: `${on.length ? "critical" : "off"}${line.group ? " group" : ""}${bad ? " broken" : ""}`,
          tabindex: node === state.at ? 0 : -1,
          "aria-level": line.depth + 1,
          "aria-expanded": line.kids || line.group ? String(line.open && !line.group) : null,
          style: { "--depth": line.depth },
        },
        element("th", { role: "rowheader", scope: "row" }, twisty, element("span", { class: "span-name" }, name(line)), marks(line)),
        element(
          "td",
          { role: "gridcell", class: "lane", "data-tell": told(line) },
          element("span", { class: `bar ${line.group ? "what-proxy" : kind(node.row.what)}`, style: spot(start, duration) }),
          on.map((each) => element("span", { class: `piece ${kind(each.what)}`, style: spot(each.start_us, each.end_us - each.start_us) })),
          (line.group ? [] : node.row.annotations.slice(0, 24)).map((each) =>
            element("i", { class: "event", style: spot(each.at_us, 0), title: plain(each.value) }),
          ),
        ),
        element("td", { role: "gridcell", class: "amount" }, time(duration)),
      );
    };

    const detail = ({ node }) => {
      const { row } = node;
      const critical = node.pieces.reduce((sum, each) => sum + each.end_us - each.start_us, 0);
      const facts = [
        ["span", row.span],
        ["parent", row.parent ?? "none"],
        ["kind", row.kind?.toLowerCase() ?? "none"],
        row.part && ["platform", row.part],
        row.what && ["time is", row.what],
        ["starts at", time(row.start_us)],
        ["lasts", time(row.duration_us)],
        ["critical", critical ? `${time(critical)}, ${share(critical / whole)} of the trace` : "not on the critical path"],
        ...(fans.get(node) ?? []).slice(0, 20).map((fan) => ["several at once", explorer.fans.told(fan)]),
        row.error != null && ["error", row.error || "yes"],
        row.skewed && ["clock", "begins before it was sent: two clocks disagree"],
      ].filter(Boolean);
      const tags = Object.entries(row.tags);
      return element(
        "tr",
        { role: "row", class: "detail" },
        element(
          "td",
          { role: "gridcell", colspan: 3 },
          element(
            "dl",
            { class: "facts" },
            facts.map(([what, value]) =>
              element("div", {}, element("dt", {}, what), element("dd", { class: what === "error" ? "trouble" : null }, value)),
            ),
          ),
          tags.length > 0 &&
            table(
              ["tag", "value"],
              tags.map(([key, value]) => [element("code", {}, key), String(value)]),
              { class: "words" },
            ),
          row.annotations.length > 0 &&
            table(
              ["annotation", "at"],
              row.annotations.map((each) => [each.value, time(each.at_us)]),
              { class: "words" },
            ),
        ),
      );
    };

    let visible = [];
    let finish = () => {};
    const shownRow = (line) => {
      const key = `${line.depth} ${line.group} ${line.open} ${line.kids} ${line.node === state.at} ${state.opened.has(line.node)}`;
      const was = kept.get(line.node);
      const row = was?.key === key ? was.row : render(line);
      row.line = line;
      kept.set(line.node, { key, row });
      return [line.node === state.detailed ? [row, detail(line)] : row, was?.key !== key];
    };
    const paint = () => {
      visible = lines(nodes, state);
      if (!visible.some((each) => each.node === state.at))
        state.at = visible.find((each) => each.node === state.at?.head)?.node ?? visible[0]?.node ?? null;
      finish = batched(body, visible, shownRow);
    };
    const rowOf = (node) => kept.get(node)?.row;
    const go = (line, focus = true) => {
      if (!line) return;
      if (!rowOf(line.node)?.isConnected) finish();
      const before = rowOf(state.at);
      if (before) before.tabIndex = -1;
      state.at = line.node;
      const row = rowOf(line.node);
      row.tabIndex = 0;
      if (focus) {
        row.focus({ preventScroll: true });
        row.scrollIntoView({ block: "nearest" });
      }
    };
    const again = () => {
      const focused = body.contains(document.activeElement);
      paint();
      if (!rowOf(state.at)?.isConnected) finish();
      if (focused) rowOf(state.at)?.focus({ preventScroll: true });
    };
    const toggle = (line, open) => {
      const { node } = line;
      if (line.group) {
        if (open !== false) state.opened.add(node);
        else state.closed.add(node);
      } else if (open === false || (open === undefined && line.open)) {
        if (isGroup(node) && state.opened.delete(node)) return again();
        state.closed.add(node);
      } else state.closed.delete(node);
      again();
    };
    const open = (line) => {
      if (line.group) return toggle(line, true);
      state.detailed = state.detailed === line.node ? null : line.node;
      again();
    };
    const fold = (on = !state.fold) => {
      state.fold = on;
      state.opened.clear();
      again();
      return state.fold;
    };

    const shown = explorer.window.make(root, trace, announce);
    const lineOf = (target) => target.closest("tr")?.line;
    body.addEventListener("click", (event) => {
      const line = lineOf(event.target);
      if (!line || root.classList.contains("dragging") || String(getSelection())) return;
      go(line);
      if (event.target.closest(".twisty")) toggle(line);
      else open(line);
    });
    const keys = (event) => {
      if (shown.keys(event)) return;
      const line = lineOf(event.target);
      if (!line || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".detail")) return;
      const at = visible.findIndex((each) => each.node === line.node);
      const steps = {
        j: at + 1,
        ArrowDown: at + 1,
        k: at - 1,
        ArrowUp: at - 1,
        Home: 0,
        End: visible.length - 1,
        PageDown: at + 15,
        PageUp: at - 15,
      };
      if (event.key in steps) go(visible[Math.max(0, Math.min(visible.length - 1, steps[event.key]))]);
      else if (event.key === "Enter" || event.key === " ") open(visible[at]);
      else if (event.key === "ArrowRight")
        visible[at].group || (visible[at].kids && !visible[at].open) ? toggle(visible[at], true) : visible[at].kids && go(visible[at + 1]);
      else if (event.key === "ArrowLeft")
        visible[at].kids && visible[at].open && !visible[at].group
          ? toggle(visible[at], false)
          : go(visible.slice(0, at).findLast((each) => each.depth < visible[at].depth));
      else if (event.key === "z") {
        shown.focus(...extent(visible[at]));
      } else return;
      event.preventDefault();
    };
    root.addEventListener("keydown", keys);
    paint();
    batched(root.querySelector(".strip"), trace.path, (piece) => [strip(piece), true]);
    // Escape closes what is open before it leaves.
    const close = () => {
      if (!state.detailed) return false;
      state.detailed = null;
      again();
      return true;
    };
    const showSender = (fan) => {
      const node = senderOf(fan);
      for (let above = node?.parent; above; above = above.parent) state.closed.delete(above);
      again();
      go(visible.find((each) => each.node === node));
    };
    return { root, fold, close, showSender, shown, begin: () => shown.show(0, 1), focus: () => rowOf(state.at)?.focus({ preventScroll: true }) };
  };

  return { make };
})();
