// Search, and the list of traces: one line each, with a bar as long as the trace.
explorer.list = (() => {
  const { element, batched } = explorer.drawing;
  const { count, many, time, clock, moment, microseconds } = explorer.words;
  const HEADS = ["trace", "root", "started", "spans", "services", "duration"];
  let section;
  let wanted = {};
  let marked = null;
  let lines = new Map();
  let asked = 0;
  let finish = () => {};

  const cells = (line, longest) => {
    const words = `${line.root}, ${time(line.duration_us)}${line.failed ? ", failed" : ""}`;
    const name = element("span", { class: "mono" }, line.id.slice(0, 12));
    const first = explorer.documents.has(line.id)
      ? element("a", { href: explorer.routes.trace(line.id), tabindex: -1, "aria-label": `trace ${line.id.slice(0, 12)}: ${words}` }, name)
      : element("span", { tabindex: -1, class: "closed", title: "this file does not keep it whole" }, name);
    const chips = [
      line.failed && element("span", { class: "chip bad" }, "✗ failed"),
      line.cold && element("span", { class: "chip cold" }, "❄ cold"),
    ];
    const bar = element(
      "span",
      { class: `length${line.failed ? " failed" : ""}` },
      element("i", {
        class: line.duration_us > longest ? "beyond" : null,
        style: { width: `${Math.min(100, (100 * line.duration_us) / longest)}%` },
      }),
      element("b", {}, time(line.duration_us)),
    );
    return [
      first,
      [line.root, chips],
      element("time", { title: `${moment(line.start_us)} UTC` }, clock(line.start_us)),
      count(line.spans),
      element("span", { title: line.services.join(", ") }, count(line.services.length)),
      bar,
    ];
  };
  const row = (line, longest) =>
    element(
      "tr",
      { role: "row", "data-id": line.id },
      cells(line, longest).map((each, at) =>
        element(at ? "td" : "th", at ? { role: "cell", class: HEADS[at] } : { role: "rowheader", scope: "row", class: HEADS[at] }, each),
      ),
    );

  // What a full bar stands for: the longest, unless a few are so long that the others would have none; theirs then end torn.
  const scale = (ordered) => {
    const [usual, longest] = [ordered[Math.floor(0.9 * ordered.length)] ?? 1, ordered.at(-1) ?? 1];
    return Math.max(1, longest > 4 * usual ? 2 * usual : longest);
  };

  // Rows that are still right stay the same nodes, so that a live list neither flickers nor loses its place.
  const paint = (traces) => {
    const longest = scale(traces.map((each) => each.duration_us).sort((one, other) => one - other));
    const before = lines;
    const focused = section.contains(document.activeElement) ? document.activeElement : null;
    const kept = focused?.closest("tr")?.dataset.id;
    lines = new Map();
    const shown = (line) => {
      const [was, told] = [before.get(line.id), JSON.stringify(line)];
      const isNew = !was || was.longest !== longest || was.told !== told;
      const now = isNew ? { node: row(line, longest), longest, told } : was;
      lines.set(line.id, now);
      return [now.node, isNew];
    };
    const place = section.querySelector(".lines");
    if (!place.firstChild || !traces.length) {
      place.replaceChildren(
        traces.length
          ? element(
              "table",
              { role: "table", class: "traces", "aria-label": "Traces" },
              element(
                "thead",
                { role: "rowgroup" },
                element(
                  "tr",
                  { role: "row" },
                  HEADS.map((each) => element("th", { role: "columnheader", scope: "col", class: each }, each)),
                ),
              ),
              element("tbody", { role: "rowgroup" }),
            )
          : "",
      );
    }
    const body = place.querySelector("tbody");
    finish = body ? batched(body, traces, shown) : () => {};
    if (focused && !focused.isConnected) finish();
    const links = stops();
    if (!links.some((each) => each.tabIndex === 0) && links.length) links[0].tabIndex = 0;
    const again = focused?.isConnected ? focused : lines.get(kept)?.node.querySelector("th > :first-child");
    if (again && document.activeElement !== again) again.focus({ preventScroll: true });
  };
  const stops = () => [...section.querySelectorAll("tbody tr > th > :first-child")];

  const told = (found, note) => {
    const number = many(found.traces.length, "trace");
    const filtered = Object.values(wanted).some((each) => each && each !== "newest");
    if (!found.traces.length) return filtered ? "No trace is like that." : "No traces yet.";
    const order = wanted.sort === "slowest" ? "slowest first" : "newest first";
    return [`${found.more ? "The first " : ""}${number}, ${order}.`, note, explorer.documents.live ? null : closed(found.traces)]
      .filter(Boolean)
      .join(" ");
  };
  const closed = (traces) =>
    traces.every((each) => explorer.documents.has(each.id)) ? null : "Those with a link are kept whole in this file.";
  const say = (text) => (section.querySelector(":scope > .about").textContent = text);

  const find = async () => {
    const turn = ++asked;
    try {
      const found = await explorer.documents.search(wanted);
      if (turn !== asked) return;
      paint(found.traces);
      say(explorer.words.plain(told(found, found.note)));
    } catch (error) {
      if (turn === asked) say(explorer.words.plain(error.message));
    }
  };

  const fields = () => section.querySelector("form").elements;
  const read = () => {
    const form = fields();
    const found = {
      service: form.service.value,
      span: form.span.value.trim(),
      tag: form.tag.value.trim(),
      sort: form.sort.value === "newest" ? "" : form.sort.value,
      failed: form.failed.checked ? "1" : "",
    };
    for (const name of ["min", "max"]) {
      const us = form[name].value.trim() ? microseconds(form[name].value) : "";
      form[name].setCustomValidity(us === null ? "Write 250us, 5ms or 2s." : "");
      found[`${name}_us`] = us === null ? "" : String(us);
    }
    return found;
  };
  const write = () => {
    const form = fields();
    if (wanted.service && ![...form.service.options].some((each) => each.value === wanted.service))
      form.service.append(element("option", { value: wanted.service }, wanted.service));
    for (const name of ["service", "span", "tag"]) form[name].value = wanted[name] ?? "";
    for (const name of ["min", "max"]) form[name].value = wanted[`${name}_us`] ? time(Number(wanted[`${name}_us`])) : "";
    form.sort.value = wanted.sort || "newest";
    form.failed.checked = Boolean(wanted.failed);
  };
  const submit = () => {
    const found = read();
    if (section.querySelector("form").reportValidity()) location.hash = explorer.routes.search(found);
  };

  // The search that the address holds; null when it holds none.
  const apply = (found) => {
    const before = JSON.stringify(wanted);
    wanted = found ?? {};
    write();
    if (JSON.stringify(wanted) === before && asked) return;
    find();
  };
  const draw = (_, found) => {
    const chosen = fields().service;
    const services = [...found.services].sort();
    if (
      [...chosen.options]
        .slice(1)
        .map((each) => each.value)
        .join("\n") !== services.join("\n")
    ) {
      chosen.replaceChildren(element("option", { value: "" }, "any"), ...services.map((each) => element("option", { value: each }, each)));
      chosen.value = wanted.service ?? "";
    }
    if (Object.values(wanted).some(Boolean)) return asked ? null : find();
    asked++;
    paint(found.traces);
    say(explorer.words.plain(told(found)));
  };

  const mark = (id) => {
    if (marked && marked !== id) location.hash = explorer.routes.difference(marked, id);
    marked = marked ? null : id;
    for (const each of section.querySelectorAll("tr[data-id]")) each.classList.toggle("marked", each.dataset.id === marked);
    if (marked) say(`${marked.slice(0, 12)} is marked: press c on another to compare the two.`);
  };
  const step = (event) => {
    finish();
    const links = stops();
    const at = links.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const next = {
      j: at + 1,
      ArrowDown: at + 1,
      k: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: links.length - 1,
      PageDown: at + 15,
      PageUp: at - 15,
    }[event.key];
    if (event.key === "c") mark(links[at].closest("tr").dataset.id);
    else if (next === undefined) return;
    else {
      const chosen = links[Math.max(0, Math.min(links.length - 1, next))];
      links[at].tabIndex = -1;
      chosen.tabIndex = 0;
      chosen.focus();
      chosen.scrollIntoView({ block: "nearest" });
    }
    event.preventDefault();
  };

  const listen = (place) => {
    section = place;
    const form = section.querySelector("form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      location.hash = explorer.routes.search({});
    });
    form.addEventListener("change", submit);
    section.querySelector(".lines").addEventListener("keydown", step);
    section.querySelector(".lines").addEventListener("focusin", (event) => {
      if (event.target.tabIndex >= 0) return;
      for (const each of stops()) each.tabIndex = each === event.target ? 0 : -1;
    });
    section.querySelector(".lines").addEventListener("click", (event) => {
      if (event.target.closest("a") || String(getSelection())) return;
      event.target.closest("tr")?.querySelector("a")?.click();
    });
  };
  const focus = () => (stops().find((each) => each.tabIndex === 0) ?? fields().service).focus();

  return { draw, listen, apply, focus, whole: () => finish() };
})();
