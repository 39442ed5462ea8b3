"""Documents for the trace explorer: of an eventing chain on Knative, and an analysis of many such traces.

The shapes are the back end's; the numbers are drawn from a seed. Analyses are made here in the plainest way, so that a
page can be looked at without anything behind it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from toolkit.analysis import (
    Analysis,
    Band,
    Bin,
    Completeness,
    Exemplar,
    Extent,
    FanSpread,
    HopAnatomy,
    HopPart,
    MissingEdge,
    Share,
    Skew,
)
from toolkit.coldness import Quantiles
from toolkit.traces.segments import What

Document = dict[str, Any]
EPOCH = 1_714_557_600_000_000
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e\x1b[31m{{ 7*7 }}"
LONG = "日本語" * 40
QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
BANDS = ((0.0, 1.0), (0.0, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.0))


@dataclass
class Drawn:
    """A trace as it is drawn: rows and pieces of the critical path, filled from the start to the end."""

    id: str
    at: int = 0
    rows: list[Document] = field(default_factory=list)
    path: list[Document] = field(default_factory=list)
    fans: list[Document] = field(default_factory=list)

    def row(self, depth: int, service: str, name: str, start: int, duration: int, **more: Any) -> str:
        span = f"{len(self.rows) + 1:016x}"
        above = next((each["span"] for each in reversed(self.rows) if each["depth"] < depth), None)
        usual: Document = {
            "kind": None,
            "part": None,
            "what": None,
            "error": None,
            "skewed": False,
            "tags": {},
            "annotations": [],
        }
        self.rows.append(
            {"span": span, "parent": above, "depth": depth, "service": service, "name": name}
            | {"start_us": start, "duration_us": duration}
            | usual
            | more
        )
        return span

    def wait(self, us: int, label: str, what: What, span: str | None) -> None:
        piece = {"start_us": self.at, "end_us": self.at + us, "label": label, "what": what, "span": span}
        if us > 0:
            self.path.append(piece)
        self.at += us

    def fan(self, span: str, source: str, to: str | None, at_once: int = 16) -> None:
        edge = {"span": span, "source": source, "to": to, "via": None if to is None else "call"}
        told = {"branches": 16, "at_once": at_once, "share": 0.962 if at_once > 1 else 0.0}
        self.fans.append(edge | told | {"wall_us": 103_000, "slowest_us": 101_000, "stretch": 103 / 101})

    def document(self, failed: bool = False) -> Document:
        total: dict[tuple[str, str], int] = defaultdict(int)
        for each in self.path:
            total[each["label"], each["what"]] += each["end_us"] - each["start_us"]
        by_label = [
            {"label": label, "what": what, "us": us, "share": us / max(self.at, 1)}
            for (label, what), us in sorted(total.items(), key=lambda each: -each[1])
        ]
        number = int(self.id, 16)
        return {
            "id": self.id,
            "start_us": EPOCH + (number % 5000) * 12_000,
            "duration_us": self.at,
            "failed": failed,
            "rows": self.rows,
            "more_rows": 0,
            "path": self.path,
            "by_label": by_label,
            "fans": self.fans,
        }


def eventing(number: int, draw: random.Random, slower: float = 1.0) -> Document:
    """caller → producer (call), producer → consumer (event through the broker), with all that Knative tells of it."""
    made = Drawn(f"{number + 0x4BF92F3577B34DA6A3CE929D0E0E0000:032x}")
    tail = draw.random()
    cold = int(draw.uniform(900_000, 1_900_000)) if tail > 0.985 else 0
    burst = draw.paretovariate(2.2)

    def took(us: float) -> int:
        return max(20, int(us * slower * draw.lognormvariate(0, 0.3)))

    ingress, dispatch = took(900 * burst), took(1800 * burst)
    work, used = took(900), took(600)
    failed = number % 97 == 13
    call, event = "caller → producer (call)", "producer → consumer (event)"
    tags = {
        "toolkit.message": f"{number:08x}-1",
        "toolkit.payload_bytes": "1024",
        "faas.coldstart": str(bool(cold)).lower(),
    }
    began = made.row(
        0, "caller", "sayhello", 0, 0, kind="CLIENT", tags={"rpc.system": "grpc", "net.peer.name": "producer"}
    )
    made.wait(took(120), call, "network", None)
    gateway = made.row(1, "kourier-knative", "ingress", made.at, 0, part="gateway", what="gateway", kind="SERVER")
    made.wait(took(90), "gateway (platform)", "gateway", gateway)
    made.row(2, "producer", "POST", made.at, 0, part="queue-proxy", what="proxy", kind="SERVER")
    waited = made.row(3, "producer", "kn.queueproxy.wait", made.at, took(15), part="queue-proxy", what="queue")
    made.wait(took(60), "queue-proxy (platform)", "queue", waited)
    made.row(3, "producer", "kn.queueproxy.proxy", made.at, 0, part="queue-proxy", what="proxy", kind="CLIENT")
    served = made.row(4, "producer", "greeter/sayhello", made.at, 0, kind="SERVER", what="work", tags=tags)
    made.rows[-1]["annotations"] = [{"at_us": made.at + work // 2, "value": "payload checked"}]
    start = made.at
    made.wait(work, "producer", "work", served)
    sent = made.row(5, "producer", "toolkit.event send", made.at, 0, kind="PRODUCER", tags=tags)
    came = made.row(
        6, "broker.ingress", "POST", made.at + 80, ingress, part="broker ingress", what="broker ingress", kind="SERVER"
    )
    made.wait(80, event, "network", None)
    made.wait(ingress, "broker ingress (platform)", "broker ingress", came)
    for at in range(1, len(made.rows)):  # whoever waited for the answer waited until now
        if made.rows[at]["duration_us"] == 0:
            made.rows[at]["duration_us"] = made.at - made.rows[at]["start_us"] + (7 - made.rows[at]["depth"]) * 12
    made.rows[4]["start_us"] = max(made.rows[4]["start_us"], start - 30)
    passed = made.row(
        7,
        "inmemorychannel-dispatcher",
        "send http://broker-filter…",
        made.at,
        dispatch,
        part="channel dispatcher",
        what="dispatch",
    )
    made.wait(dispatch, "channel dispatcher (platform)", "dispatch", passed)
    made.row(
        8,
        "broker.filter",
        "trigger:audit.default",
        made.at,
        took(150),
        part="broker filter",
        what="filter",
        kind="SERVER",
    )
    filtered = made.row(
        8, "broker.filter", "trigger:consumer.default", made.at, 0, part="broker filter", what="filter", kind="SERVER"
    )
    at_filter = len(made.rows) - 1
    made.wait(took(260), "broker filter (platform)", "filter", filtered)
    door = made.row(9, "kourier-knative", "ingress", made.at, 0, part="gateway", what="gateway", kind="SERVER")
    made.wait(took(110), "gateway (platform)", "gateway", door)
    active = made.row(10, "activator", "POST", made.at, 0, part="activator", what="proxy", kind="SERVER")
    if cold:
        asleep = made.row(11, "activator", "throttler_try", made.at, cold, part="activator", what="cold wait")
        made.wait(cold, "activator (platform)", "cold wait", asleep)
    made.wait(took(140), "activator (platform)", "proxy", active)
    before = made.row(11, "consumer", "POST", made.at, 0, part="queue-proxy", what="proxy", kind="SERVER")
    made.wait(took(90), "queue-proxy (platform)", "proxy", before)
    heard = made.row(
        12,
        "consumer",
        "toolkit.event process",
        made.at,
        used,
        kind="CONSUMER",
        what="work",
        tags=tags,
        error="INTERNAL: no room left on device" if failed else None,
        skewed=number % 211 == 7,
    )
    made.wait(used, "consumer", "work", heard)
    made.wait(took(30), "unattributed", "unattributed", None)
    for at in range(at_filter, len(made.rows)):
        if made.rows[at]["duration_us"] == 0:
            made.rows[at]["duration_us"] = made.at - made.rows[at]["start_us"] - made.rows[at]["depth"]
    made.rows[0]["duration_us"] = next(each["duration_us"] for each in made.rows if each["span"] == gateway) + 260
    assert began
    assert sent
    return made.document(failed)


def line(trace: Document) -> Document:
    services = sorted({each["service"] for each in trace["rows"]})
    return {
        "id": trace["id"],
        "start_us": trace["start_us"],
        "duration_us": trace["duration_us"],
        "spans": len(trace["rows"]),
        "services": services,
        "root": f"{trace['rows'][0]['service']}: {trace['rows'][0]['name']}",
        "failed": trace["failed"],
        "cold": any(each["what"] == "cold wait" for each in trace["path"]),
    }


def quantile(values: Sequence[float], part: float) -> float:
    return values[min(len(values) - 1, int(part * len(values)))]


def _known(values: Sequence[float], part: float) -> float | None:
    return quantile(values, part) if (1 - part) * len(values) >= 10 else None


def _quantiles(values: Sequence[float]) -> Quantiles:
    p50, p90, p95, p99, p999 = (_known(values, part) for part in QUANTILES[:-1])
    mean = sum(values) / len(values)
    return Quantiles(len(values), values[0], p50, p90, p95, p99, p999, values[-1], mean)


def _band(traces: Sequence[Document], low: float, high: float) -> Band:
    mine = traces[int(low * len(traces)) : max(int(high * len(traces)), int(low * len(traces)) + 1)]
    spent: dict[tuple[str, What], list[int]] = defaultdict(list)
    for trace in mine:
        for each in trace["by_label"]:
            spent[each["label"], each["what"]].append(each["us"])
    mean = sum(each["duration_us"] for each in mine) / len(mine)
    shares = [
        Share(
            label,
            what,
            len(us),
            sum(us) / len(mine),
            quantile(sorted(us), 0.5),
            _known(sorted(us), 0.99),
            sum(us) / len(mine) / max(mean, 1e-9),
        )
        for (label, what), us in spent.items()
    ]
    ordered = tuple(sorted(shares, key=lambda each: -each.mean_us))
    return Band(low, high, len(mine), mine[0]["duration_us"], mine[-1]["duration_us"], mean, ordered)


def _bins(traces: Sequence[Document]) -> tuple[Bin, ...]:
    low, high = max(traces[0]["duration_us"], 1), traces[-1]["duration_us"]
    count = 48 if high > low else 1
    ratio = (high * 1.0001 / low) ** (1 / count)
    edges = [round(low * ratio**at) for at in range(count)] + [high + 1]
    held = [[each for each in traces if start <= each["duration_us"] < end] for start, end in pairwise(edges)]
    return tuple(
        Bin(start, end, len(mine), sum(each["failed"] for each in mine), mine[len(mine) // 2]["id"] if mine else "")
        for (start, end), mine in zip(pairwise(edges), held, strict=True)
    )


def _hop(source: str, to: str, via: str, traces: int, parts: dict[What, float]) -> HopAnatomy:
    mean = sum(parts.values())
    made = tuple(HopPart(what, max(traces - 2, 0), us, us * 0.8, us * 5, us / mean) for what, us in parts.items())
    return HopAnatomy(
        source, to, via, max(traces - 2, 0), 2, 3 if via == "event" else 0, mean, mean * 0.8, mean * 6, made
    )


def analysis(traces: Sequence[Document]) -> Analysis:
    ranked = sorted(traces, key=lambda each: each["duration_us"])
    if not ranked:
        return Analysis(0, 0, 0, None, (), (), (), (), (), None)
    durations = [float(each["duration_us"]) for each in ranked]
    examples = [ranked[min(len(ranked) - 1, int(part * len(ranked)))] for part in QUANTILES]
    exemplars = tuple(
        Exemplar(part, each["id"], each["duration_us"]) for part, each in zip(QUANTILES, examples, strict=True)
    )
    bands = tuple(_band(ranked, low, high) for low, high in BANDS) if len(ranked) > 100 else (_band(ranked, 0.0, 1.0),)
    hops = (
        _hop("caller", "producer", "call", len(ranked), {"work": 2900, "network": 320, "gateway": 95, "queue": 60}),
        _hop(
            "producer",
            "consumer",
            "event",
            len(ranked),
            {
                "dispatch": 3300,
                "broker ingress": 1650,
                "cold wait": 20_500,
                "filter": 270,
                "network": 160,
                "proxy": 240,
                "gateway": 115,
            },
        ),
    )
    whole = Completeness(
        len(ranked), max(len(ranked) - 4, 0), (MissingEdge("producer", "consumer", "event", 4),), (), 2
    )
    fan = FanSpread(
        *("producer", "consumer", "event", len(ranked)),
        branches=Extent(2, 16.0, 16),
        at_once=Extent(1, 15.0, 16),
        share=Extent(0.31, 0.962, 1.0),
        wall_us=Extent(98_000, 103_000.0, 240_000),
        slowest_us=Extent(97_000, 101_000.0, 130_000),
        stretch=Extent(1.0, 1.02, 2.4),
        trace=ranked[-1]["id"],
    )
    skew = Skew("node-a", "node-b", 2 * len(ranked), 12, 2100, 2400)
    return Analysis(
        traces=len(ranked),
        spans=sum(len(each["rows"]) for each in ranked),
        unusable=1,
        durations_us=_quantiles(durations),
        exemplars=exemplars,
        bins=_bins(ranked),
        bands=bands,
        hops=hops,
        skews=(skew,),
        completeness=whole,
        failed=sum(each["failed"] for each in ranked),
        fans=(fan, replace(fan, to=None, via=None, at_once=Extent(1, 1.0, 1))),
    )
