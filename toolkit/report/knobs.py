"""What the functions of a chain ask of a cluster, in lines that a person reads. Pure.

May not live here: what a key means (`docs/chain-spec.md`), and what comes of it on a cluster (`toolkit.spec.notes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from toolkit.contract.units import show_seconds, shown
from toolkit.spec.cluster import FIELDS
from toolkit.spec.model import ChainSpec, Function, Resources, Scale
from toolkit.spec.notes import notes


def text(chain: ChainSpec) -> str:
    """The knobs that are set, by function, and what is to be known about them; empty when there is neither."""
    rows = [(name, key, said) for function in chain.functions for name, key, said in _named(function)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    lines = [f"  {name.ljust(widths[0])}  {key.ljust(widths[1])}  {said}" for name, key, said in rows]
    told = [f"  {note}" for note in notes(chain)]
    return "".join(
        f"\n{title}\n" + "\n".join(block) + "\n"
        for title, block in (("on a cluster", lines), ("to know", told))
        if block
    )


def _named(function: Function) -> Iterator[tuple[str, str, str]]:
    """(function, key, what it says) of each key that is set; the name stands in the first row."""
    name = function.name
    for key, said in _said(function):
        if said:
            yield name, key, said
            name = ""


def _said(function: Function) -> Iterator[tuple[str, str]]:
    yield "scale", _scale(function.scale)
    yield "concurrency", "" if function.concurrency is None else str(function.concurrency)
    times = {"timeout": function.timeout_s, "response-start-timeout": function.response_start_s}
    for key, seconds in {**times, "idle-timeout": function.idle_s}.items():
        yield key, "" if seconds is None else show_seconds(seconds)
    yield "resources", _resources(function.resources)
    yield "visibility", function.visibility or ""
    yield "node-selector", _pairs(function.node_selector, "=")
    yield "annotations", _pairs({**function.service_annotations, **function.annotations}, ": ")


def _scale(scale: Scale) -> str:
    values = {key: getattr(scale, field) for key, field in FIELDS.items()}
    return ", ".join(
        f"{key} {show_seconds(value) if FIELDS[key].endswith('_s') else value}"
        for key, value in values.items()
        if value is not None
    )


def _resources(resources: Resources) -> str:
    if resources.requests == resources.limits:
        return _pairs(resources.limits, " ")
    both = {"requests": resources.requests, "limits": resources.limits}
    return "; ".join(f"{key} {_pairs(amounts, ' ')}" for key, amounts in both.items() if amounts)


def _pairs(texts: Mapping[str, str], between: str) -> str:
    plain = {name: value if value.isprintable() and len(value) <= 60 else shown(value) for name, value in texts.items()}
    return ", ".join(f"{name}{between}{value}" for name, value in plain.items())
