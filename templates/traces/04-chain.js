// The chain as a graph: who calls whom, how much flows there, how long it takes, and what went wrong on the way.
explorer.chain = (() => {
  const { element, shape, drawing, letters, table, walkable } = explorer.drawing;
  const { count, time, rate, short, many } = explorer.words;
  const NODE = { width: 164, height: 54 };
  const GAP = { x: 182, y: 84 };
  const CLOSE = { x: 116, y: 112 }; // where room is short: words of a line then stand below each other
  const LEAST = 0.74; // of its size, to which a drawing shrinks to fit: its words stay 10 px high
  const TRIED = [0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8]; // along a line, for its words
  const EDGE = { top: 34, left: 6 };

  const place = (node, gap) => ({
    ...node,
    x: EDGE.left + node.column * (NODE.width + gap.x),
    y: EDGE.top + node.row * (NODE.height + gap.y),
  });

  // A chain that turns back or leaps over others bows out, so that no line runs through a box.
  const bend = (from, to, nodes) => {
    const middle = (node) => node.y + NODE.height / 2;
    if (to === from || to.column <= from.column) {
      const depth = Math.max(from.y, to.y) + NODE.height + 44;
      return [
        [from.x + NODE.width * 0.6, from.y + NODE.height],
        [from.x + NODE.width * 0.6, depth],
        [to.x + NODE.width * 0.4, depth],
        [to.x + NODE.width * 0.4, to.y + NODE.height],
        true,
      ];
    }
    const between = nodes.some(
      (each) =>
        each.column > from.column && each.column < to.column && Math.abs(middle(each) - (middle(from) + middle(to)) / 2) < NODE.height,
    );
    const start = [from.x + NODE.width, middle(from)];
    const end = [to.x - 9, middle(to)];
    const bow = between ? -(NODE.height + 34) : 0;
    const reach = (end[0] - start[0]) * (between ? 0.3 : 0.5);
    return [start, [start[0] + reach, start[1] + bow], [end[0] - reach, end[1] + bow], end, false];
  };
  const along = ([a, b, c, d], t) =>
    [0, 1].map((axis) => (1 - t) ** 3 * a[axis] + 3 * (1 - t) ** 2 * t * b[axis] + 3 * (1 - t) * t ** 2 * c[axis] + t ** 3 * d[axis]);

  const wrong = (edge) =>
    [edge.failed ? `✗ ${count(edge.failed)} failed` : "", edge.missing ? `◌ ${count(edge.missing)} missing` : ""]
      .filter(Boolean)
      .join(" · ");
  const volume = (edge) => [edge.n ? count(edge.n) : "none seen", rate(edge.per_s)].filter(Boolean).join(" · ");
  const speed = (edge) =>
    edge.p50_us == null ? "" : edge.p99_us == null ? `p50 ${time(edge.p50_us)}` : `p50 ${time(edge.p50_us)} · p99 ${time(edge.p99_us)}`;

  // Points of a line, as what words of others are not to lie on.
  const DOTS = 30;
  const dots = (curve) =>
    Array.from({ length: DOTS + 1 }, (_, at) => along(curve, at / DOTS)).map(([x, y]) => ({ x: x - 8, y: y - 8, width: 16, height: 16 }));

  // The first place on the line where its words lie on nobody's, and on no other line.
  const room = (curve, wide, high, taken, wish, others) => {
    const boxAt = (t) => {
      const [x, y] = along(curve, t);
      return { x: x - wide / 2, y: y - 22, width: wide, height: high + 8 };
    };
    const shared = (a, low, size) => Math.max(0, Math.min(a[low] + a[size], a.other[low] + a.other[size]) - Math.max(a[low], a.other[low]));
    const covered = (box) =>
      [...taken, ...others].reduce((sum, other) => sum + shared({ ...box, other }, "x", "width") * shared({ ...box, other }, "y", "height"), 0);
    const t = [...TRIED]
      .sort((a, b) => Math.abs(a - wish) - Math.abs(b - wish))
      .map((each) => [covered(boxAt(each)), each])
      .reduce((best, each) => (each[0] < best[0] ? each : best))[1];
    taken.push(boxAt(t));
    return along(curve, t);
  };

  const thickness = (edge, most) => (edge.n ? 1.5 + 4.5 * Math.sqrt(edge.n / most) : 1.5);
  // Words go where lines have parted: towards the end of a line whose start is shared, towards the start of one whose end is.
  const wish = (edge, edges) => {
    const [out, into] = [edges.filter((each) => each.from === edge.from).length, edges.filter((each) => each.to === edge.to).length];
    return out > 1 && into > 1 ? 0.5 : out > 1 ? 0.62 : into > 1 ? 0.38 : 0.5;
  };
  const saying = (edge, curve, edges, most, taken, others, isClose) => {
    const lines = (text) => (isClose ? text.split(" · ") : [text]).filter(Boolean);
    const troubles = lines(wrong(edge));
    const words = [...lines(speed(edge)), ...troubles];
    const widest = Math.max(...[volume(edge), ...words].map((each) => each.length)) * 6.9;
    const thick = thickness(edge, most);
    const [x, y] = room(curve, widest, 18 + 15 * words.length, taken, Math.abs(curve[0][1] - curve[3][1]) < 4 ? 0.5 : wish(edge, edges), others);
    const behind = (text, y) => shape("rect", { class: "behind", x: x - text.length * 3.2, y: y - 12, width: text.length * 6.4, height: 16, rx: 3 });
    const below = (at) => y + 17 + thick / 2 + 15 * at;
    const under = [behind(volume(edge), y - 9 - thick / 2), words.map((each, at) => behind(each, below(at)))].flat();
    const said = shape(
      "g",
      { class: "saying" },
      letters(x, y - 9 - thick / 2, volume(edge), "halo strong", "middle"),
      words.map((each, at) => letters(x, below(at), each, `halo${troubles.includes(each) ? " trouble" : " axis"}`, "middle")),
    );
    return [shape("g", { class: "saying" }, under), said]; // a line gives way to words, a box does not
  };
  const line = (edge, curve, most) => {
    const [a, b, c, d, upwards] = curve;
    const thick = thickness(edge, most);
    const tip = 5 + thick;
    const head = upwards ? `M${d[0]} ${d[1]}l${-tip} ${1.6 * tip}h${2 * tip}z` : `M${d[0] + 9} ${d[1]}l${-1.7 * tip} ${-tip}v${2 * tip}z`;
    return shape(
      "g",
      { class: `edge ${edge.via}${edge.failed ? " failed" : ""}${edge.n ? "" : " missing"}` },
      shape("path", { class: "hit", d: `M${a}C${b} ${c} ${d}` }),
      shape("path", { class: "line", d: `M${a}C${b} ${c} ${d}`, "stroke-width": thick.toFixed(2) }),
      shape("path", { class: "head", d: head }),
    );
  };

  const outline = ({ kind, x, y }) => {
    const { width, height } = NODE;
    if (kind === "broker")
      return [
        shape("path", {
          class: "box",
          d: `M${x + 12} ${y}h${width - 24}a12 ${height / 2} 0 0 1 0 ${height}h${24 - width}a12 ${height / 2} 0 0 1 0 ${-height}z`,
        }),
        shape("path", { class: "rim", d: `M${x + width - 12} ${y}a12 ${height / 2} 0 0 0 0 ${height}` }),
      ];
    return [shape("rect", { class: "box", x, y, width, height, rx: kind === "caller" ? height / 2 : 10 })];
  };
  const second = (node) =>
    node.work_us != null ? `works ${time(node.work_us)}` : node.kind === "caller" ? "asks" : node.n ? many(node.n, "span") : "not seen";
  const box = (node) => {
    const middle = node.x + NODE.width / 2;
    return shape(
      "g",
      { class: `node ${node.kind}${node.errors ? " failed" : ""}${node.n ? "" : " missing"}` },
      outline(node),
      letters(middle, node.y + 23, short(node.label, 21), "strong", "middle"),
      letters(middle, node.y + 41, second(node), "axis", "middle"),
      node.errors > 0 && letters(middle, node.y + NODE.height + 16, `✗ ${count(node.errors)} failed`, "halo trouble", "middle"),
    );
  };

  // What is wider than its box loses its end; how wide it is only the browser knows.
  const fit = (text) => {
    let kept = [...text.textContent];
    while (kept.length > 2 && text.getComputedTextLength() > NODE.width - 14) text.textContent = `${(kept = kept.slice(0, -2)).join("")}…`;
  };

  const words = (edge, by) =>
    `${by.get(edge.from).label} → ${by.get(edge.to).label} (${edge.via}): ${[volume(edge), speed(edge), wrong(edge)].filter(Boolean).join(" · ")}`;
  const nodeWords = (node) =>
    `${node.label}: ${[node.n ? many(node.n, "span") : "not seen", second(node), node.errors ? `✗ ${count(node.errors)} failed` : ""].filter((each, at, all) => each && all.indexOf(each) === at).join(" · ")}`;
  const find = (node) =>
    (node.kind === "function" || node.kind === "caller") && node.n > 0
      ? () => (location.hash = explorer.routes.search({ service: node.label }))
      : undefined;

  const tabular = (edges, by) =>
    table(
      ["edge", "by", "n", "per second", "p50", "p99", "failed", "missing"],
      edges.map((each) => [
        `${by.get(each.from).label} → ${by.get(each.to).label}`,
        each.via,
        count(each.n),
        rate(each.per_s) ?? "—",
        time(each.p50_us),
        time(each.p99_us),
        count(each.failed),
        count(each.missing),
      ]),
    );

  let show = null;
  const draw = (section, found) => {
    const figure = section.querySelector("figure");
    show ??= walkable(figure);
    const { nodes: given, edges: all } = found.graph;
    section.hidden = given.length === 0;
    const widest = Math.max(...given.map((each) => each.column), 0);
    const room = figure.querySelector(".scroll").clientWidth || 1200;
    const isClose = (widest + 1) * NODE.width + widest * GAP.x > 1.12 * room;
    const flat = given.map((each) => place(each, isClose ? CLOSE : GAP));
    const ends = (nodes) => new Map(nodes.map((each) => [each.id, each]));
    const edges = all.filter((each) => ends(flat).has(each.from) && ends(flat).has(each.to));
    const bent = (by) => edges.map((each) => bend(by.get(each.from), by.get(each.to), [...by.values()]));
    const highest = Math.min(0, ...bent(ends(flat)).map((each) => along(each, 0.5)[1] - 36));
    const nodes = flat.map((each) => ({ ...each, y: each.y - highest }));
    const by = ends(nodes);
    const most = Math.max(1, ...edges.map((each) => each.n));
    const taken = nodes.map(({ x, y }) => ({ x, y: y - 2, width: NODE.width, height: NODE.height + 4 }));
    const curves = bent(by);
    const lines = edges.map((each, at) => line(each, curves[at], most));
    const sayings = edges.map((each, at) => saying(each, curves[at], edges, most, taken, curves.filter((_, other) => other !== at).flatMap(dots), isClose));
    const boxes = nodes.map(box);
    const width = Math.max(...nodes.map((each) => each.x), 0) + NODE.width + EDGE.left;
    const lowest = Math.max(...nodes.map((each) => each.y), 0) + NODE.height;
    const under = Math.max(lowest, ...taken.map((each) => each.y + each.height));
    const about = `${many(nodes.length, "part")} and ${many(edges.length, "edge")}; the table below says the same.`;
    const svg = drawing("traces-graph", width, under + 22, "The chain as a graph", about, lines, sayings.map(([under]) => under), boxes, sayings.map(([, said]) => said));
    requestAnimationFrame(() => boxes.forEach((each) => fit(each.querySelector("text"))));
    svg.style.setProperty("max-width", `${width * 1.1}px`);
    svg.style.setProperty("min-width", `${Math.min(width, Math.max(460, width * LEAST))}px`);
    show(svg, [
      ...nodes.map((each, at) => ({ node: boxes[at], words: nodeWords(each), open: find(each) })),
      ...edges.map((each, at) => ({ node: lines[at], words: words(each, by) })),
    ]);
    const told = [
      found.window_s ? `Rates are over ${explorer.words.digits(found.window_s)} s: from the first trace ${found.live ? "that is looked at " : ""}to the last.` : "",
      "Thickness is the number of messages; times are of the hop.",
    ].filter(Boolean);
    section.querySelector(".about").textContent = told.join(" ");
    const sample = (name, kind) =>
      element(
        "span",
        { class: "key" },
        shape(
          "svg",
          { viewBox: "0 0 34 10", "aria-hidden": "true" },
          shape("g", { class: `edge ${kind}` }, shape("path", { class: "line", d: "M1 5H33", "stroke-width": "2.5" })),
        ),
        name,
      );
    const seen = (via) => edges.some((each) => each.via === via);
    section
      .querySelector("figcaption")
      .replaceChildren(
        ...[
          seen("call") && sample("call (gRPC)", "call"),
          seen("event") && sample("event (through the broker)", "event"),
          edges.some((each) => !each.n) && sample("not seen", "call missing"),
          Math.min(width, Math.max(460, width * LEAST)) > room + 1 && element("span", { class: "hint" }, "wider than this window: scroll it sideways →"),
        ].filter(Boolean),
      );
    section.querySelector("details .scroll").replaceChildren(tabular(edges, by));
  };

  return { draw };
})();
