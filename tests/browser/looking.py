"""What is asked of a page, as scripts that run in it."""

from __future__ import annotations

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

# Every piece of visible text: its contrast with the nearest background that is painted behind it (WCAG 2.2, 1.4.3).
POOR_CONTRAST = """() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => {
    const even = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((v) => even(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || ["SCRIPT", "STYLE", "title"].includes(node.tagName)) continue;
    if (node.getClientRects().length === 0) continue;
    const style = getComputedStyle(node);
    const ink = parse(node.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const [one, two] = [light(ink), light(behind(node))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (two + 0.05);
    if (contrast < 4.5) poor.push(`${contrast.toFixed(2)}: ${walk.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return poor;
}"""

# Lines and fillings that carry meaning: their contrast with the card they lie on (WCAG 2.2, 1.4.11 wants 3).
FAINT_SHAPES = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (rgb) => {
    const [x, y, z] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const card = light(parse(getComputedStyle(document.querySelector("section")).backgroundColor));
  const faint = new Set();
  for (const each of document.querySelectorAll("path.line:not(.faint), rect.fill, rect.bar, circle.dot")) {
    const style = getComputedStyle(each);
    const text = style.stroke !== "none" ? style.stroke : style.fill;
    const [one, two] = [light(parse(text)), card].sort((a, b) => b - a);
    if ((one + 0.05) / (two + 0.05) < 3) faint.add(each.getAttribute("class"));
  }
  return [...faint];
}"""

# Names, labels and order, as axe's basic rules have them.
UNNAMED = """() => {
  const wrong = [];
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  if (!document.documentElement.lang) wrong.push("no language");
  if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  let level = 0;
  for (const each of document.querySelectorAll("h1, h2, h3")) {
    if (Number(each.tagName[1]) > level + 1) wrong.push("a heading too deep: " + each.textContent);
    level = Number(each.tagName[1]);
  }
  for (const each of document.querySelectorAll("svg[role=img]"))
    if (!document.getElementById(each.getAttribute("aria-labelledby"))?.textContent) wrong.push("a nameless drawing");
  for (const each of document.querySelectorAll("svg:not([role=img]):not([aria-hidden])")) wrong.push("a nameless svg");
  for (const each of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(each.getAttribute("aria-labelledby"))) wrong.push("a label that is nowhere");
  for (const each of document.querySelectorAll("table")) {
    if (!each.querySelector("thead th[scope=col]")) wrong.push("a table without heads");
    const wide = each.querySelectorAll("thead th").length;
    for (const row of each.querySelectorAll("tbody tr")) {
      const cells = [...row.children].reduce((sum, cell) => sum + cell.colSpan, 0);
      if (cells !== wide) wrong.push(`a row of ${cells} in a table of ${wide}`);
    }
  }
  for (const each of document.querySelectorAll("button"))
    if (!each.textContent.trim() && !each.ariaLabel) wrong.push("a nameless button");
  return wrong;
}"""

# Areas that scroll have to be reachable by keyboard.
UNREACHABLE = """() => [...document.querySelectorAll("*")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(each).overflowX))
  .filter((each) => each.tabIndex < 0).map((each) => each.outerHTML.slice(0, 80))"""

DRAWN = """(name) => { const box = document.getElementById(name)?.getBoundingClientRect();
  return box ? [box.width, box.height] : null; }"""
OUTSIDE = """() => [...document.querySelectorAll("svg[role=img]")].flatMap((svg) => {
  const view = svg.viewBox.baseVal;
  return [...svg.querySelectorAll("path, rect, circle, text")].filter((each) => {
    const box = each.getBBox();
    return box.x < -1 || box.y < -1 || box.x + box.width > view.width + 1 || box.y + box.height > view.height + 1;
  }).map((each) => svg.id + ": " + each.outerHTML.slice(0, 90));
})"""
OVERLAPPING = """() => [...document.querySelectorAll("svg[role=img]")].flatMap((svg) => {
  const texts = [...svg.querySelectorAll("text")].map((each) => [each.textContent, each.getBBox()]).filter(([t]) => t);
  const beside = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width;
  const above = (a, b) => a.y + 3 < b.y + b.height && b.y + 3 < a.y + a.height;
  return texts.flatMap(([one, a], at) => texts.slice(at + 1)
    .filter(([, b]) => beside(a, b) && above(a, b))
    .map(([two]) => `${svg.id}: '${one}' and '${two}'`));
})"""
