// Numbers, units and names as people read them. No data is a dash.
explorer.words = (() => {
  const NONE = "—";
  const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu;

  // Controls, escapes and what turns the direction of writing round become a visible mark.
  const PRINTABLE = /^[\x20-\x7e]*$/; // of most texts there is nothing to ask
  const plain = (text) => {
    const said = String(text);
    return PRINTABLE.test(said) ? said : said.replace(HIDDEN, (each) => (/[\t\r\n]/.test(each) ? " " : "\ufffd"));
  };

  const digits = (value) => {
    if (value === 0) return "0";
    if (Math.abs(value) >= 99.95) return Math.round(value).toLocaleString("en-US");
    return value.toPrecision(Math.abs(value) < 0.1 ? 1 : 3);
  };
  const count = (value) => (value == null ? NONE : value.toLocaleString("en-US"));
  const share = (part) => (part == null ? NONE : part > 0 && part < 0.001 ? "< 0.1 %" : `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`);
  const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

  // Microseconds in the unit that fits: 940 µs, 3.14 ms, 2.50 s, 3 min 20 s.
  const time = (us) => {
    if (us == null) return NONE;
    const size = Math.abs(us);
    if (size < 999.5) return `${Number.isInteger(us) ? us : digits(us)} µs`;
    if (size < 999_500) return `${digits(us / 1e3)} ms`;
    if (size < 60e6) return `${digits(us / 1e6)} s`;
    return `${Math.trunc(us / 60e6)} min ${Math.round((size % 60e6) / 1e6)} s`;
  };
  const round = (us) =>
    time(us)
      .replace(/(\.\d*?)0+ /, "$1 ")
      .replace(". ", " "); // of a tick: 5 ms, not 5.00 ms
  const signed = (us) => (us == null ? NONE : us > 0 ? `+${time(us)}` : us < 0 ? `−${time(-us)}` : "±0");
  const milliseconds = (us) => (us == null ? NONE : digits(us / 1e3));

  const rate = (perSecond) => (perSecond == null ? null : `${digits(perSecond)}/s`);
  const moment = (us) => new Date(us / 1e3).toISOString().replace("T", " ").replace("Z", "");
  const clock = (us) => moment(us).slice(11);

  const hop = (edge) => `${edge.source ?? edge.from} → ${edge.to}`;
  const percentile = (quantile) => (quantile >= 1 ? "max" : quantile <= 0 ? "min" : `p${+(quantile * 100).toFixed(3)}`);
  const short = (text, most) => (text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}…`);
  const listed = (parts) => (parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);

  // "5ms", "1.5 s", "250us" or a number of milliseconds, as microseconds; null when it is none of them.
  const microseconds = (text) => {
    const found = /^\s*(\d+(?:\.\d+)?)\s*(us|µs|ms|s|m|min)?\s*$/i.exec(text);
    if (!found) return null;
    const unit = { us: 1, µs: 1, ms: 1e3, s: 1e6, m: 60e6, min: 60e6 }[(found[2] ?? "ms").toLowerCase()];
    return Math.round(Number(found[1]) * unit);
  };

  // "a → b (event)" of which "broker ingress" takes longer: who does what, for a sentence.
  const doing = (label, what) => {
    if (!what || what === "unattributed") return "what no span explains";
    if (what === "work") return `the work in ${label}`;
    const place = label.replace(/ \(platform\)$/, "");
    return place === what ? what : `${what} in ${place}`;
  };

  // Of which traces an analysis is; cold and failed ones are counted beside them unless they are pooled.
  const apart = (analysis) => ["cold", "failed"].filter((each) => analysis[each] && !(analysis.pooled ?? ["cold", "failed"]).includes(each));
  const whole = (analysis) => analysis.traces + apart(analysis).reduce((sum, each) => sum + analysis[each], 0);
  const population = (analysis) => {
    const pooled = analysis.pooled ?? ["cold", "failed"];
    const among = pooled.filter((each) => analysis[each]).map((each) => `${count(analysis[each])} ${each}`);
    const kind = pooled.includes("cold") ? "" : "warm ";
    const ending = pooled.includes("failed") ? "" : analysis.traces === 1 ? " that was answered" : " that were answered";
    const beside = apart(analysis).map((each) => `${count(analysis[each])} ${each}`);
    return `${many(analysis.traces, `${kind}trace`)}${ending}${among.length ? `, ${listed(among)} among them` : ""}${beside.length ? `; ${listed(beside)} beside` : ""}`;
  };

  return {
    NONE,
    whole,
    population,
    plain,
    digits,
    count,
    share,
    many,
    time,
    round,
    signed,
    milliseconds,
    rate,
    moment,
    clock,
    hop,
    percentile,
    short,
    listed,
    microseconds,
    doing,
  };
})();
