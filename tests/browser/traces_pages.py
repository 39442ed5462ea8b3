"""Pages of the trace explorer, put together as the back end does, around the documents of `traces_made`."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tests.browser.traces_made import HOSTILE, LONG, Document, Drawn, analysis, eventing, line
from toolkit import catalog
from toolkit.analysis import SegmentChange
from toolkit.report.html.sources import hashed
from toolkit.report.traces.overview import slow_ones

NODES = (("caller", "caller"), ("producer", "function"), ("default", "broker"), ("consumer", "function"))
RATE = 100.0


def node(name: str, kind: str, column: int, n: int) -> Document:
    return {"id": name, "label": name, "kind": kind, "column": column, "row": 0, "n": n, "errors": 0, "work_us": None}


def edge(source: str, to: str, via: str) -> Document:
    return {"from": source, "to": to, "via": via, "failed": 0, "missing": 0}


def graph(traces: int) -> Document:
    nodes = [
        node(name, kind, at, traces) | {"work_us": {"producer": 942.0, "consumer": 611.0}.get(name)}
        for at, (name, kind) in enumerate(NODES)
    ]
    nodes[-1]["errors"] = 12
    nodes.append(node("audit", "function", 3, 0) | {"row": 1})
    flow = {"n": traces, "per_s": RATE}
    none = {"n": 0, "per_s": None, "p50_us": None, "p99_us": None, "missing": traces}
    edges = [
        edge("caller", "producer", "call") | flow | {"p50_us": 3140.0, "p99_us": 18_200.0},
        edge("producer", "default", "event") | flow | {"p50_us": 1210.0, "p99_us": 7700.0},
        edge("default", "consumer", "event")
        | {"n": max(traces - 4, 0), "per_s": RATE, "p50_us": 3920.0, "p99_us": 1_420_000.0, "failed": 12, "missing": 4},
        edge("default", "audit", "event") | none,
    ]
    return {"nodes": nodes, "edges": edges}


def overview(traces: Sequence[Document], **more: Any) -> Document:
    found = analysis(traces)
    lines = sorted((line(each) for each in traces), key=lambda each: -each["start_us"])
    return {
        "title": "Traces of chained-eventing",
        "source": "run",
        "subject": "chained-eventing-20240501-120000-abc123",
        "chain": "chained-eventing",
        "emulated": False,
        "live": False,
        "every_ms": None,
        "window_s": None,
        "note": f"120 of {len(traces):,} traces can be opened in this file" if len(traces) > 120 else None,
        "analysis": json.loads(json.dumps(asdict(found))),
        "finding": slow_ones(found),
        "graph": graph(len(traces)) if traces else {"nodes": [], "edges": []},
        "traces": lines[:1000],
        "more": len(lines) > 1000,
        "services": sorted({each for one in lines for each in one["services"]}),
        "against": None,
    } | more


@cache
def drawn(count: int, seed: int = 7, slower: float = 1.0, first: int = 0) -> list[Document]:
    draw = random.Random(seed)
    return [eventing(first + number, draw, slower) for number in range(count)]


def embedded(traces: Sequence[Document], most: int = 120, **more: Any) -> Document:
    made = overview(traces, **more)
    wanted = [each["trace"] for each in made["analysis"]["exemplars"] + made["analysis"]["bins"] if each["trace"]]
    wanted += [each["id"] for each in traces if each["failed"]] + [each["id"] for each in made["traces"]]
    kept = set(list(dict.fromkeys(wanted))[:most])
    return {"overview": made, "details": {each["id"]: each for each in traces if each["id"] in kept}}


@cache
def ordinary() -> Document:
    return embedded(drawn(1200))


@cache
def beside() -> Document:
    other = analysis(drawn(900, seed=9, slower=0.8, first=5000))
    mine = analysis(drawn(1200))
    means = [{(each.label, each.what): each.mean_us for each in one.bands[0].shares} for one in (mine, other)]
    change = [
        SegmentChange(label, what, means[0].get((label, what)), means[1].get((label, what)))
        for label, what in {**means[0], **means[1]}
    ]
    change.append(SegmentChange("queue-proxy (platform)", "queue", None, 140.0))
    against = {
        "subject": "chained-eventing-20240501-110000-9f8e7d",
        "analysis": asdict(other),
        "change": [asdict(each) for each in change],
    }
    return embedded(drawn(1200), against=against)


@cache
def hostile() -> Document:
    """Whatever a stranger can name or say is an attack, or endless."""
    traces = []
    for number in range(40):
        made = Drawn(f"{number + 1:032x}")
        top = made.row(
            0,
            HOSTILE,
            HOSTILE,
            0,
            900 + number,
            kind="SERVER",
            what="work",
            error=HOSTILE,
            tags={HOSTILE: HOSTILE, "__proto__": "x", "long": LONG * 4},
        )
        made.rows[0]["annotations"] = [{"at_us": 10, "value": HOSTILE}]
        made.fan(top, HOSTILE, "y" * 200)
        made.fan(top, HOSTILE, None, at_once=1)
        low = made.row(1, "x" * 300, LONG, 40, 500, part=HOSTILE, what="network", skewed=True)
        made.wait(400, HOSTILE, "work", top)
        made.wait(500 + number, LONG, "unattributed", low)
        traces.append(made.document(True))
    found = overview(traces, title=HOSTILE, subject=HOSTILE, chain=HOSTILE, note=HOSTILE + LONG)
    names = ("caller", HOSTILE, LONG)
    found["graph"]["nodes"] = [
        {"id": each, "label": each, "kind": "function", "column": at, "row": 0, "n": 40, "errors": 40, "work_us": 1.5}
        for at, each in enumerate(names)
    ]
    flow = {"n": 40, "per_s": None, "p50_us": 3.0, "p99_us": None, "failed": 40, "missing": 1}
    found["graph"]["edges"] = [{"from": one, "to": other, "via": HOSTILE, **flow} for one, other in pairwise(names)]
    for each in found["analysis"]["hops"]:
        each |= {"source": HOSTILE, "to": LONG, "via": HOSTILE}
    for each in found["analysis"]["fans"]:
        each |= {"source": HOSTILE, "to": LONG, "via": HOSTILE, "trace": HOSTILE}
    found["analysis"]["skews"][0] |= {"one": HOSTILE, "other": "y" * 200}
    return {"overview": found, "details": {each["id"]: each for each in traces}}


@cache
def huge() -> Document:
    """A trace of 2,000 rows that has more, in a list of a thousand."""
    made = Drawn("f" * 32)
    draw = random.Random(3)
    depth = 0
    made.row(0, "caller", "call", 0, 4_000_000, kind="CLIENT")
    for number in range(1999):
        depth = max(1, min(24, depth + draw.choice((-2, -1, 0, 1, 1, 1))))
        start, part = number * 2000, "activator" if number % 9 == 0 else None
        span = made.row(
            depth,
            f"service-{number % 40}",
            f"step {number}",
            start,
            draw.randint(1500, 60_000),
            part=part,
            what="proxy" if part else "work",
            tags={"n": str(number)},
        )
        made.wait(2000, f"service-{number % 40}", "work", span)
        if number % 25 == 0:
            made.fan(span, f"service-{number % 40}", "elsewhere", at_once=1 + number % 2)
    made.wait(2000, "unattributed", "unattributed", None)
    whole = made.document()
    whole["more_rows"] = 345
    found = embedded(drawn(1200))
    found["overview"]["traces"] = [line(whole), *found["overview"]["traces"][:999]]
    found["details"] = {**found["details"], whole["id"]: whole}
    return found


@cache
def wide() -> Document:
    """A chain that branches, joins, leaps and turns back, whose names are long."""
    found = embedded(drawn(200))
    names = {
        "caller": (0, 0),
        "checkout-frontend-service": (1, 0),
        "recommendation": (2, 0),
        "payment": (2, 1),
        "email": (2, 2),
        "ledger": (3, 1),
        "archive": (4, 0),
    }
    found["overview"]["graph"]["nodes"] = [
        {
            "id": each,
            "label": each,
            "kind": "caller" if each == "caller" else "function",
            "column": column,
            "row": row,
            "n": 200,
            "errors": 0,
            "work_us": 1234.5,
        }
        for each, (column, row) in names.items()
    ]
    front = "checkout-frontend-service"
    ends = (
        ("caller", front),
        *((front, each) for each in ("recommendation", "payment", "email")),
        *((each, "ledger") for each in ("recommendation", "payment", "email")),
        ("ledger", "archive"),
        (front, "archive"),
        ("ledger", "payment"),
        ("archive", "recommendation"),
    )
    found["overview"]["graph"]["edges"] = [
        {
            "from": one,
            "to": other,
            "via": "event" if at % 3 == 2 else "call",
            "n": 10 + at * 100,
            "per_s": 3.5 * at,
            "p50_us": 1e3 * at + 100,
            "p99_us": 2e4 * at + 200,
            "failed": at % 4,
            "missing": 0,
        }
        for at, (one, other) in enumerate(ends)
    ]
    return found


def documents() -> Mapping[str, Document | None]:
    return {
        "ordinary": ordinary(),
        "beside": beside(),
        "hostile": hostile(),
        "huge": huge(),
        "wide": wide(),
        "nothing": embedded([]),
        "single": embedded(drawn(1)),
    }


def page(document: Document | None) -> str:
    """The whole page; None: it asks for its documents itself."""
    folder = catalog.shipped("templates")

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    scripts = [each.read_text(encoding="utf-8") for each in sorted((folder / "traces").glob("*.js"))]
    style, script = (
        "\n".join((read("report/style.css"), read("traces/explorer.css"))),
        "\n".join((*scripts, read("report/script.js"))),
    )
    templates = DictLoader({name: read(f"traces/{name}") for name in ("page.html.j2", "explorer.html.j2")})
    data = json.dumps(document).replace("<", "\\u003c")
    return (
        Environment(loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        .get_template("page.html.j2")
        .render(
            title="traces" if document is None else "Traces",
            style=Markup(style),
            script=Markup(script),
            style_hash=hashed(style),
            script_hash=hashed(script),
            connect=Markup("'self'" if document is None else "'none'"),
            data=Markup(data),
        )
    )
