// What the page shows is in the hash of its address, so that a view can be shared and Back works.
explorer.routes = (() => {
  const hash = (parameters) =>
    `#${new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null))}`.replaceAll("%2C", ",");
  const trace = (id, from) => hash({ trace: id, from });
  const difference = (one, other, otherFrom) => hash({ diff: `${one},${other}`, b_from: otherFrom });
  const search = (wanted) => hash({ q: new URLSearchParams(Object.entries(wanted).filter(([, value]) => value)).toString() });
  const ID = /^[0-9a-f]{1,32}$/i;

  // Where "all traces" leads: to the search that one came from.
  let left = "#";
  const back = () => left;

  const here = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    const [one, other] = (found.get("diff") ?? "").split(",");
    const wrong = (words) => ({ view: "none", words });
    if (ID.test(found.get("trace") ?? "")) return { view: "trace", id: found.get("trace"), from: found.get("from") };
    if (ID.test(one) && ID.test(other ?? "")) return { view: "difference", one, other, otherFrom: found.get("b_from") };
    if (found.has("trace")) return wrong(`trace=${found.get("trace").slice(0, 40)}`);
    if (found.has("diff")) return wrong(`diff=${found.get("diff").slice(0, 80)}`);
    left = location.hash || "#";
    return { view: "overview", wanted: found.has("q") ? Object.fromEntries(new URLSearchParams(found.get("q"))) : null };
  };
  return { trace, difference, search, back, here };
})();
