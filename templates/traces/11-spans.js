// The spans of one trace as a tree that folds: on its own every run of platform spans is one line.
explorer.spans = (() => {
  const GROUPED = " · ";

  // Nodes in the order of the rows; each knows its parent, its children and the pieces of the critical path it answers for.
  const grow = (trace) => {
    const above = [];
    const nodes = trace.rows.map((row, index) => {
      const parent = row.depth > 0 ? (above[row.depth - 1] ?? null) : null;
      const node = { row, index, parent, children: [], head: null, pieces: [] };
      above[row.depth] = node;
      above.length = row.depth + 1;
      parent?.children.push(node);
      if (row.part) node.head = parent?.row.part ? parent.head : node;
      return node;
    });
    const by = new Map();
    for (const node of nodes) by.set(node.row.span, [...(by.get(node.row.span) ?? []), node]);
    for (const piece of trace.path) {
      const candidates = by.get(piece.span) ?? [];
      (candidates.find((each) => piece.label.startsWith(each.row.service)) ?? candidates.at(-1))?.pieces.push(piece);
    }
    for (const node of nodes) if (node.head && node.head !== node) (node.head.members ??= [node.head]).push(node);
    return nodes;
  };

  const isGroup = (node) => node.head === node && (node.members?.length ?? 0) > 1;
  const parts = (node) => [...new Set(node.members.map((each) => each.row.part))].join(GROUPED);
  const failing = (node) => node.members.find((each) => each.row.error != null);

  // What stands below a node; below a folded run, what stands below any span of it.
  const below = (node, folded) => {
    if (!folded(node)) return node.children;
    const found = [];
    const look = (each) => {
      for (const child of each.children)
        if (child.head === node) look(child);
        else found.push(child);
    };
    look(node);
    return found.sort((one, other) => one.row.start_us - other.row.start_us);
  };

  // Lines to show: {node, depth, group, kids, open}. `state` holds what was opened and closed by hand.
  const lines = (nodes, state) => {
    const folded = (node) => isGroup(node) && (state.opened.has(node) ? false : state.fold);
    const found = [];
    const walk = (node, depth) => {
      const kids = below(node, folded);
      const open = !state.closed.has(node);
      found.push({ node, depth, group: folded(node), kids: kids.length, open });
      if (open) for (const each of kids) walk(each, depth + 1);
    };
    for (const node of nodes) if (!node.parent) walk(node, 0);
    return found;
  };

  const pieces = (line) => (line.group ? line.node.members.flatMap((each) => each.pieces) : line.node.pieces);
  const extent = (line) => {
    const rows = line.group ? line.node.members.map((each) => each.row) : [line.node.row];
    const start = Math.min(...rows.map((each) => each.start_us));
    return [start, Math.max(...rows.map((each) => each.start_us + each.duration_us)) - start];
  };

  return { grow, lines, pieces, extent, isGroup, parts, failing };
})();
