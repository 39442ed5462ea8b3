// An invoice as HTML, the dearest position first: the same text as `render` in work.py makes.
'use strict';

const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#x27;' };
const escape = (text) => text.replace(/[&<>"']/g, (each) => ESCAPES[each]);
const money = (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;

function render({ number, rows }) {
  const sorted = [...rows].sort((a, b) => b[1] * b[2] - a[1] * a[2]); // stable, as Python's is
  const lines = sorted.map(([what, n, each]) => `<tr><td>${escape(what)}</td><td>${n}</td><td>${money(n * each)}</td></tr>`);
  const total = money(sorted.reduce((sum, [, n, each]) => sum + n * each, 0));
  const last = `<tr><th>Total</th><th></th><th>${total}</th></tr>`;
  return [`<h1>Invoice ${number}</h1>`, '<table>', ...lines, last, '</table>'].join('\n');
}

module.exports = { render };
