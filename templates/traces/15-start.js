// Puts the parts together: follows the address, asks again while the traces are live, and hears the keys.
explorer.start = (() => {
  const { element, tips } = explorer.drawing;
  const { plain, many, count, whole } = explorer.words;
  const THEME = "kn-bench-theme";
  const here = (name) => document.getElementById(`traces-${name}`);

  // The colours somebody chose, as long as the browser keeps such things; `report/script.js` has the switch.
  const remember = () => {
    const html = document.documentElement;
    try {
      const chosen = localStorage.getItem(THEME);
      if (chosen === "dark" || chosen === "light") html.dataset.theme = chosen;
      new MutationObserver(() => localStorage.setItem(THEME, html.dataset.theme)).observe(html, { attributeFilter: ["data-theme"] });
    } catch {
      return; // no storage here: the switch works, and is forgotten
    }
  };

  const parts = () => [
    [explorer.chain, "chain"],
    [explorer.spread, "spread"],
    [explorer.bands, "bands"],
    [explorer.hops, "hops"],
    [explorer.fans, "fans"],
    [explorer.versus, "against"],
    [explorer.list, "list"],
  ];
  let overview = null;
  let view = null; // what is shown instead of the overview
  let paused = false;
  let heard = 0;
  let behind = false; // what is drawn is older than what is known
  let opener = null;
  let turn = 0;
  let title = document.title;

  const chip = (text, tone = "") => element("span", { class: `chip ${tone}` }, text);
  const state = (silence) => {
    if (!overview?.live) return [];
    if (silence) return [chip(`◌ stale: no answer for ${silence} s`, "warn")];
    return [paused ? chip("❙❙ paused", "warn") : chip("● live", "good")];
  };
  const sayChips = (silence = 0) => {
    const { analysis, emulated } = overview;
    here("chips").replaceChildren(
      ...state(silence),
      chip(many(whole(analysis), "trace")),
      ...(analysis.failed ? [chip(`✗ ${count(analysis.failed)} failed`, "bad")] : []),
      ...(analysis.cold ? [chip(`❄ ${count(analysis.cold)} cold`, "cold")] : []),
      ...(emulated ? [chip("local engine (emulated)")] : []),
    );
    here("pause").hidden = !overview.live;
  };
  const sayHead = () => {
    if (here("title")) {
      title = plain([overview.chain, overview.title].find(Boolean));
      here("title").textContent = title;
      here("subject").replaceChildren(`${overview.source} `, element("code", {}, overview.subject));
      if (!view) document.title = title;
    }
    here("note").hidden = !overview.note || Boolean(view);
    here("note").textContent = plain(overview.note ?? "");
  };
  const draw = () => {
    behind = false;
    sayHead();
    sayChips();
    for (const [part, name] of parts()) part.draw(here(name), overview);
  };
  const fail = (error) => {
    here("trouble").hidden = !error;
    here("trouble").textContent = error ? plain(error.message) : "";
  };

  const poll = async () => {
    if (!paused && !document.hidden) {
      try {
        overview = await explorer.documents.overview();
        heard = Date.now();
        fail(null);
        behind = Boolean(view);
        if (view) sayChips();
        else draw();
      } catch (error) {
        sayChips(Math.max(1, Math.round((Date.now() - heard) / 1e3)));
        fail(new Error(`The server does not answer (${error.message}). What is shown is as old as that.`));
      }
    }
    setTimeout(poll, overview.every_ms ?? 2000);
  };

  const swap = (next) => {
    view = next;
    here("overview").hidden = Boolean(next);
    here("view").hidden = !next;
    here("note").hidden = !overview.note || Boolean(next);
    here("view").replaceChildren(...(next ? [next.node] : []));
    document.title = next ? `${plain(next.title)} · ${title}` : title;
  };
  // What a view was opened from: the link itself or, when it was drawn anew or a row was clicked, the one that leads there.
  const openerOf = (hash) => {
    const node = document.activeElement;
    return { node, hash, section: node.closest("section")?.id ?? "traces-list" };
  };
  const opened = () => {
    if (!opener) return null;
    if (opener.node.isConnected && !isNowhere(opener.node)) return opener.node;
    explorer.list.whole();
    const link = `a[href="${CSS.escape(opener.hash)}"]`;
    return document.getElementById(opener.section)?.querySelector(link) ?? here("overview").querySelector(link);
  };
  const route = async (first) => {
    const found = explorer.routes.here();
    const mine = ++turn;
    if (found.view === "overview") {
      const wasElsewhere = Boolean(view);
      swap(null);
      if (wasElsewhere && behind) draw();
      if (found.wanted || !first) explorer.list.apply(found.wanted);
      if (wasElsewhere) (opened() ?? here("h-list")).focus();
      else if (found.wanted && Object.keys(found.wanted).length === 0) toSearch();
      else if (found.wanted && !here("list").contains(document.activeElement)) here("list").scrollIntoView({ block: "start" });
      return;
    }
    if (!view) opener = openerOf(location.hash);
    let next;
    try {
      if (found.view === "none") throw new Error(`There is no such trace: ${found.words}. The id of a trace is 1 to 32 hex digits.`);
      else if (found.view === "trace") next = explorer.trace.make(await explorer.documents.trace(found.id, found.from), overview, found.from);
      else next = explorer.trace.compare(await explorer.documents.difference(found.one, found.other, found.otherFrom), found);
    } catch (error) {
      next = explorer.trace.trouble(error);
    }
    if (mine !== turn) return;
    swap(next);
    next.begin?.();
    here("h-trace").focus({ preventScroll: true });
    (here("title") ? document.documentElement : here("view")).scrollIntoView({ block: "start" });
  };
  const toSearch = () => {
    here("list").scrollIntoView({ block: "start" });
    here("list").querySelector("[name=service]").focus({ preventScroll: true });
  };

  const leave = () => {
    if (view) location.hash = explorer.routes.back();
    else document.activeElement?.blur();
  };
  // On a page of its own keys are heard wherever one is; inside a report only within the traces (WCAG 2.1.4).
  const isOurs = (target) => Boolean(here("title")) || Boolean(target.closest(".explorer"));
  const isNowhere = (target) => target === document.body || target.id === "main";
  const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
  const keys = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || here("help").open) return;
    if (!isOurs(event.target)) return;
    if (isNowhere(event.target) && event.key.startsWith("Arrow")) return; // they scroll
    if (event.key === "Escape") return void (view?.close() || leave());
    if (typing(event.target) || view?.keys(event)) return;
    if (event.key === "/") {
      if (view) location.hash = "#q=";
      toSearch();
    } else if (event.key === "?") here("help").showModal();
    else if (event.key === "j" && !view && (isNowhere(event.target) || event.target === here("h-list"))) explorer.list.focus();
    else if (event.key === "j" && view && (isNowhere(event.target) || event.target === here("h-trace"))) view.focus?.();
    else return;
    event.preventDefault();
  };

  const listen = () => {
    tips(here("list").closest(".explorer"));
    explorer.bands.listen(here("bands"));
    explorer.list.listen(here("list"));
    here("keys").addEventListener("click", () => here("help").showModal());
    here("pause").addEventListener("click", () => {
      paused = !paused;
      here("pause").textContent = paused ? "Go on" : "Pause";
      sayChips();
    });
    addEventListener("keydown", keys);
    addEventListener("hashchange", () => route(false));
    addEventListener("resize", () => {
      view?.repaint?.();
      if (view) behind = true;
      else if (overview) explorer.chain.draw(here("chain"), overview);
    });
  };

  const start = async () => {
    remember();
    if (!here("overview")) return; // a page without traces
    listen();
    try {
      overview = await explorer.documents.overview();
    } catch (error) {
      fail(new Error(`The traces could not be fetched: ${error.message}`));
      return;
    }
    heard = Date.now();
    draw();
    await route(true);
    if (overview.live) setTimeout(poll, overview.every_ms ?? 2000);
  };
  return start;
})();
explorer.start();
