// Where documents come from: from inside this page, and then nothing is ever asked for, or from the server it came from.
explorer.documents = (() => {
  const inside = JSON.parse(document.getElementById("traces-data")?.textContent || "null");
  const live = inside === null;
  const kept = new Map(Object.entries(inside?.details ?? {}));

  const ask = async (path, parameters = {}) => {
    const wanted = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== ""));
    const answer = await fetch(wanted.size ? `${path}?${wanted}` : path, { cache: "no-store", headers: { accept: "application/json" } });
    const found = await answer.json().catch(() => ({ error: `${answer.status} ${answer.statusText}` }));
    if (!answer.ok) throw new Error(found.error ?? `${answer.status} ${answer.statusText}`);
    return found;
  };

  const overview = async () => (live ? ask("data/overview") : inside.overview);

  const trace = async (id, from) => {
    if (live) return ask("data/trace", { id, from });
    if (!kept.has(id))
      throw new Error(`trace ${id} is not in this file, which keeps ${kept.size} of them; open the run with toolkit trace ui to see all`);
    return kept.get(id);
  };

  // Whether a trace can be opened.
  const has = (id) => live || kept.has(id);

  const totals = (found) => new Map(found.by_label.map((each) => [`${each.label}\n${each.what}`, each]));
  const difference = async (one, other, otherFrom) => {
    if (live) return ask("data/diff", { a: one, b: other, b_from: otherFrom });
    const [a, b] = [await trace(one), await trace(other)];
    const [before, after] = [totals(a), totals(b)];
    const rows = [...new Set([...before.keys(), ...after.keys()])].map((key) => {
      const { label, what } = before.get(key) ?? after.get(key);
      return { label, what, a_us: before.get(key)?.us ?? null, b_us: after.get(key)?.us ?? null };
    });
    const change = (row) => Math.abs((row.b_us ?? 0) - (row.a_us ?? 0));
    return { a, b, rows: rows.sort((x, y) => change(y) - change(x)) };
  };

  const matches = (line, wanted) => {
    const lowered = (text) => text.toLowerCase();
    if (wanted.service && !line.services.includes(wanted.service)) return false;
    if (wanted.failed && !line.failed) return false;
    if (wanted.min_us && line.duration_us < Number(wanted.min_us)) return false;
    if (wanted.max_us && line.duration_us > Number(wanted.max_us)) return false;
    if (!wanted.span && !wanted.tag) return true;
    const [key, ...rest] = (wanted.tag ?? "").split("=");
    const value = rest.length ? rest.join("=") : null;
    const tagged = (row) => Object.hasOwn(row.tags, key) && (value === null || row.tags[key] === value);
    const rows = kept.get(line.id)?.rows ?? [];
    return (!wanted.span || rows.some((row) => lowered(row.name) === lowered(wanted.span))) && (!wanted.tag || rows.some(tagged));
  };
  const search = async (wanted) => {
    if (live) return ask("data/search", wanted);
    const { traces, more } = inside.overview;
    const found = traces.filter((line) => matches(line, wanted));
    if (wanted.sort === "slowest") found.sort((one, other) => other.duration_us - one.duration_us);
    const partly = (wanted.span || wanted.tag) && traces.some((line) => !kept.has(line.id));
    return {
      traces: found,
      more,
      note: partly ? `Span names and tags are known of the ${kept.size} traces that this file keeps whole.` : null,
    };
  };

  return { live, overview, trace, has, difference, search };
})();
