"""Traces for tests of the page: of a chain that emits an event, of strangers, of hostile names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit.gathered import Gathered, gather
from toolkit.report.traces.graph import Chain
from toolkit.report.traces.overview import Subject
from toolkit.traced import Traced, timed
from toolkit.traces.model import Annotation, Kind, Span

SCHEMA = json.loads((Path(__file__).parents[4] / "schemas" / "traces-page.schema.json").read_text())
START = 1_714_557_600_000_000
CHAIN = Chain("chained-eventing", "producer", (("producer", "consumer", "event"),), ("producer", "consumer"))
HOSTILE = "</script><!--<img src=x onerror=alert(1)>\u2028\u2029&\u202e\x1b[31m"


def problems(kind: str, document: object) -> list[str]:
    """What is wrong with a document of this kind (a name in the schema's `$defs`)."""
    schema = {"$ref": f"#/$defs/{kind}", "$defs": SCHEMA["$defs"]}
    found = Draft202012Validator(schema).iter_errors(json.loads(json.dumps(document)))
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message[:200]}" for each in found]


def span(
    trace: int,
    number: int,
    service: str,
    kind: Kind | None,
    parent: int | None,
    start: int,
    duration: int,
    message: str | None = None,
    remote: str | None = None,
    tags: Mapping[str, str] | None = None,
    name: str = "work",
) -> Span:
    """`start` counts from the trace's own beginning, which is 10 ms after the one before."""
    said = {**({"toolkit.message": message, "toolkit.replica": "r"} if message else {}), **(tags or {})}
    above = None if parent is None else f"{parent:016x}"
    at = START + trace * 10_000 + start
    return Span(f"{'a' * 16}{trace + 1:016x}", f"{number:016x}", name, service, above, kind, at, duration, remote, said)


def eventing(trace: int, slower: int = 1, tags: Mapping[str, str] | None = None) -> list[Span]:
    """caller → producer (a call), producer → consumer (an event); 1,300 µs, each part `slower` times as long."""
    one, two = f"{trace:08x}a", f"{trace:08x}b"
    us = slower
    return [
        span(trace, 1, "caller", "CLIENT", None, 0, 1000 * us, one, "producer", name="sayhello"),
        span(trace, 2, "producer", "SERVER", 1, 100 * us, 800 * us, one, "caller", tags, name="sayhello"),
        span(trace, 3, "producer", "PRODUCER", 2, 200 * us, 300 * us, two, "broker", name="emit"),
        span(trace, 4, "consumer", "CONSUMER", 3, 700 * us, 600 * us, two, "broker", name="take"),
    ]


def strangers(trace: int) -> list[Span]:
    """A shop that calls a bank; nobody there knows of us."""
    return [
        span(trace, 1, "shop", "SERVER", None, 0, 900, None, None),
        span(trace, 2, "shop", "CLIENT", 1, 100, 500, None, "bank", {"error": "no money"}),
        span(trace, 3, "bank", "SERVER", 2, 200, 300, None, "shop"),
    ]


def hostile(trace: int) -> list[Span]:
    spans = eventing(trace, tags={HOSTILE: HOSTILE, "error": HOSTILE})
    notes = (Annotation(START, HOSTILE),)
    return [replace(each, name=HOSTILE, service=f"{each.service}{HOSTILE}", annotations=notes) for each in spans]


def gathered(traces: Sequence[Sequence[Span]], chain: Chain | None = CHAIN) -> Gathered:
    return gather(traces, chain)


def traced(traces: Sequence[Sequence[Span]], chain: Chain | None = CHAIN) -> Traced:
    return timed(Subject("eventing", "run", "run-1", chain.name if chain else None, True), chain, gather(traces, chain))


def edge(graph: Mapping[str, Any], source: str, to: str) -> dict[str, Any]:
    """The edge between the nodes of these labels."""
    ids = {node["label"]: node["id"] for node in graph["nodes"]}
    (found,) = [each for each in graph["edges"] if (each["from"], each["to"]) == (ids[source], ids[to])]
    return dict(found)


def labels(graph: Mapping[str, Any]) -> list[str]:
    return [node["label"] for node in graph["nodes"]]
