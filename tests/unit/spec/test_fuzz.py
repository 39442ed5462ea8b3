"""`parse` is total: whatever it is given, it returns a chain or raises SpecError, with every problem in its place."""

from __future__ import annotations

import math
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs of its own

from toolkit import plan
from toolkit.contract import Wiring
from toolkit.errors import SpecError, UsageError
from toolkit.report import graph, knobs
from toolkit.spec import parse, quantities, schema, yamltree
from toolkit.spec.model import ChainSpec
from toolkit.spec.nesting import Source

VALID = [file.read_bytes() for file in sorted((Path(__file__).parent / "valid").glob("*.yaml"))]
PAGE = (Path(__file__).parents[3] / "docs" / "chain-spec.md").read_text(encoding="utf-8")
PATTERNS = [
    text for text in re.findall(r"```yaml\n(.*?)```", PAGE.partition("## Patterns")[2], re.DOTALL) if "edges:" in text
]
SCHEMA = Draft202012Validator(schema.build())
SCRAPS = [
    *(b"${", b"}", b"&a ", b"*a", b"!!str ", b"\t", b"\0", b"\xff", b"'", b'"', b": ", b"- ", b"[", b"{", b"#", b"|"),
    *(b"yes", b"null", b"-1", b"1e9", b"0x10", b"\n", b"\r", b"\n---\n", b"repeat: 0", b"relay", b"producer", b"<<"),
    *("é\u2028\U0001f600".encode(), b"\xef\xbb\xbf", b"a" * 70),
]
NAMES = st.sampled_from(["a", "b", "c", "d", "drain"])
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def inner(name: str, folder: str) -> Source:
    if name not in ("inner", "aes", "compression"):
        raise UsageError(f"no chain named {name!r}")
    return Source(INNER, "inner.yaml", "inner")


def judged(data: bytes, overrides: dict[str, str] | None = None) -> ChainSpec | None:
    """The chain, or None when it was refused as it should be."""
    try:
        return parse(data, origin="chain.yaml", folder=".", overrides=overrides, resolve=inner)
    except SpecError as caught:
        error = caught
    lines = data.count(b"\n") + data.count(b"\r") + 2
    assert error.problems
    assert all(problem.message and 0 <= problem.line <= lines for problem in error.problems)
    assert str(error).encode()
    return None


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 12)))
        data = data[:start] + draw(st.sampled_from([b"", *SCRAPS])) + data[end:]
    return data


EDGES = st.fixed_dictionaries(
    {"from": NAMES, "to": NAMES, "via": st.sampled_from(["call", "event"])},
    optional={"type": st.sampled_from(["x", "y"]), "method": st.sampled_from(["link.Link/Send", "link.Link/Stream"])},
)
FUNCTIONS = st.fixed_dictionaries(
    {"handler": st.just("m:f")},
    optional={"repeat": st.integers(0, 3), "protocol": st.sampled_from(["h2c", "http1"])},
)
PODS = st.integers(-1, 4)
AMOUNTS = st.dictionaries(
    st.sampled_from(["cpu", "memory", "example.com/gpu"]), st.sampled_from([1, "100m", "1Ki", "2M", "0.5", "-1", "1MB"])
)
KNOBS = st.fixed_dictionaries(
    {"handler": st.just("m:f")},
    optional={
        "replicas": PODS,
        "scale": st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(("min", "max", "initial", "activation", "burst"), PODS),
                **{key: st.floats() for key in ("target", "utilization", "panic-window", "panic-threshold")},
                **{key: st.sampled_from(["0s", "6s", "1500ms", "2h"]) for key in ("window", "down-delay", "retention")},
                "metric": st.sampled_from(["concurrency", "rps", "cpu", "memory"]),
                "autoscaler": st.sampled_from(["kpa", "hpa"]),
            },
        ),
        "concurrency": st.integers(-1, 1001),
        "timeout": st.sampled_from(["0s", "1s", "10m", "601s", "1.5s"]),
        "resources": st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS}) | AMOUNTS,
        "node-selector": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
        "annotations": st.dictionaries(
            st.sampled_from(["serving.knative.dev/", "autoscaling.knative.dev/", ""]).flatmap(
                lambda group: st.sampled_from(["progress-deadline", "rollout-duration", "window", "a"]).map(
                    group.__add__
                )
            ),
            st.sampled_from(["", "0s", "60s", "1.5s", "x"]),
        ),
    },
)
AMOUNT = st.sampled_from([0, 1, 2, 5, "0..1", "1..", "2..4", "4..2", "${n}", "${n - 1}", "0..${n}", "..", "x"])
RICH_EDGES = st.fixed_dictionaries(
    {"from": NAMES, "to": NAMES, "via": st.sampled_from(["call", "event"])},
    optional={
        "type": st.sampled_from(["x", "y"]),
        "method": st.sampled_from(["link.Link/Send", "link.Link/Stream", "helloworld.Greeter/SayHello"]),
        "count": AMOUNT,
        "choice": st.sampled_from(["left", "right"]),
        "loop": st.sampled_from([0, 1, 3, "${n}"]),
        "retry": st.sampled_from([0, 2, 101, "${n}"]),
        "fallback": NAMES,
        "transfer": st.sampled_from(["inline", "stream", "file", "s3", "redis", "${way}"]),
        "tasks": st.sampled_from([0, 1, 9, "${n}"]),
        "when": st.just("done"),
    },
)
RICH_FUNCTIONS = st.sampled_from([{"handler": "m:f"}] * 4 + [{"gateway": "/go"}, {"image": "a/b"}, {"chain": "inner"}])
RICH_KEYS = st.fixed_dictionaries(
    {},
    optional={
        "repeat": st.integers(0, 3),
        "parallel": st.integers(0, 3),
        "join": st.sampled_from(["all", "parts", 1, 2, 3, "${n}"]),
        "set": st.dictionaries(st.sampled_from(["size", "level", "x"]), st.sampled_from([1, 9, "${n}", "${y}"])),
    },
)
INNER = b"""name: inner
parameters: {level: {default: 2, min: 1, max: 9}, size: 1KiB}
functions: {i: {handler: "m:f"}, j: {handler: "m:f", repeat: "${level}"}, k: {handler: "m:f", join: all}}
edges: [{from: i, to: j, via: call}, {from: j, to: k, via: event}, {from: i, to: k, via: event}]
"""
RICH_GRAPHS = st.fixed_dictionaries(
    {
        "name": st.just("fuzz"),
        "parameters": st.just({"n": 2, "way": "file"}),
        "functions": st.dictionaries(
            NAMES, st.builds(dict.__or__, RICH_FUNCTIONS, RICH_KEYS | st.just({})), min_size=1
        ),
        "edges": st.lists(RICH_EDGES, max_size=8),
    },
    optional={"entry": NAMES, "broker": st.just({"delivery": {"dead-letter": "drain"}})},
)
PLAIN = st.sampled_from([[], [{"from": "a", "to": "b", "via": "call"}], [{"from": "a", "to": "b", "via": "event"}]])
GRAPHS = st.fixed_dictionaries(
    {"name": st.just("fuzz"), "functions": st.dictionaries(NAMES, FUNCTIONS, min_size=1), "edges": st.lists(EDGES)},
    optional={"entry": NAMES, "broker": st.just({"delivery": {"dead-letter": "drain"}})},
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def mistyped(draw: st.DrawFn) -> dict[str, Any]:
    """A chain with anything in one place of it."""
    document = yaml.safe_load(draw(st.sampled_from(VALID)))
    place, key = document, draw(st.sampled_from(sorted(document)))
    while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
        place, key = place[key], draw(st.sampled_from(sorted(place[key])))
    place[key] = draw(ANYTHING)
    return dict(document)


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert judged(data) is None


@FUZZ
@given(st.text(max_size=200))
def test_any_text_is_judged(text: str) -> None:
    assert judged(text.encode(errors="replace")) is None


@settings(FUZZ, max_examples=200)
@given(mutations())
def test_a_mutated_chain_is_judged_and_what_is_right_is_right_for_the_schema(data: bytes) -> None:
    if chain := judged(data):
        assert SCHEMA.is_valid(
            yaml.load(data, Loader=yamltree.LOADER)
        )  # the C loader and the Python one differ on tabs
        usable(chain)


@settings(FUZZ, max_examples=200)
@given(GRAPHS)
def test_any_graph_is_judged_and_a_right_one_can_be_planned(document: dict[str, Any]) -> None:
    if chain := judged(yaml.safe_dump(document).encode()):
        usable(chain)


@settings(FUZZ, max_examples=300)
@given(KNOBS)
def test_any_knobs_are_judged_and_right_ones_do_not_contradict_themselves(record: dict[str, Any]) -> None:
    if chain := judged(yaml.safe_dump({"name": "fuzz", "functions": {"f": record}}).encode()):
        function = chain.function("f")
        scale, resources = function.scale, function.resources
        assert not scale.max or (scale.min or 0) <= scale.max
        assert scale.target is None or 0.01 <= scale.target < math.inf
        assert scale.autoscaler == "hpa" or scale.metric not in ("cpu", "memory")
        assert all(
            quantities.amount(resources.requests.get(name, most)) <= quantities.amount(most)
            for name, most in resources.limits.items()
        )
        assert not any(name.startswith("autoscaling.") for name in function.annotations)
        assert all(line.isprintable() for line in knobs.text(chain).splitlines())


@FUZZ
@given(mistyped())
def test_any_value_in_any_place_is_judged(document: dict[str, Any]) -> None:
    judged(yaml.safe_dump(document, allow_unicode=True).encode(errors="replace"))


@FUZZ
@given(st.dictionaries(st.sampled_from(["length", "payload", "x"]) | st.text(max_size=5), st.text(max_size=20)))
def test_any_override_is_judged(overrides: dict[str, str]) -> None:
    text = b'name: a\nparameters: {length: 2, payload: 1KiB, x: hello}\nfunctions: {f: {handler: "m:f"}}\n'
    chain = judged(text, overrides)
    assert chain is None or set(overrides) <= {"length", "payload", "x"}


@st.composite
def varied(draw: st.DrawFn) -> dict[str, Any]:
    """A pattern as the page of the language has it, with some keys of its edges and functions changed."""
    document = yaml.safe_load(draw(st.sampled_from(PATTERNS)))
    for _ in range(draw(st.integers(0, 3))):
        edge = draw(st.sampled_from(document["edges"]))
        said = draw(RICH_EDGES)
        key = draw(st.sampled_from(sorted({*said, *edge} - {"from", "to", "via"} or {"via"})))
        edge.pop(key, None)
        edge |= {key: said[key]} if key in said else {}
        ends = draw(st.sampled_from(["from", "to", ""]))
        edge |= {ends: draw(st.sampled_from(sorted(document["functions"])))} if ends else {}
    name = draw(st.sampled_from(sorted(document["functions"])))
    document["functions"][name] |= draw(RICH_KEYS | st.just({}))
    document["parameters"] = {**document.get("parameters", {}), "n": draw(st.integers(0, 3)), "way": "file"}
    return dict(document)


@settings(FUZZ, max_examples=300)
@given(varied())
def test_a_pattern_that_is_varied_is_judged_and_a_right_one_keeps_its_promises(document: dict[str, Any]) -> None:
    if chain := judged(yaml.safe_dump(document).encode()):
        usable(chain)
        bounded(chain)


@settings(FUZZ, max_examples=200)
@given(RICH_GRAPHS, PLAIN)
def test_any_pattern_is_judged_and_a_right_one_keeps_its_promises(
    document: dict[str, Any], first: list[dict[str, str]]
) -> None:
    known = set(document["functions"])
    document["edges"] = first + [each for each in document["edges"] if {each["from"], each["to"]} <= known]
    if chain := judged(yaml.safe_dump(document).encode()):
        usable(chain)
        bounded(chain)


def bounded(chain: ChainSpec) -> None:
    """What the scaffold and the checks take for granted of the patterns."""
    free = [edge for edge in chain.edges if edge.loop is None and edge.tasks is None]
    TopologicalSorter(
        {each.name: [edge.to for edge in free if edge.source == each.name] for each in chain.functions}
    ).prepare()
    for edge in chain.edges:
        assert edge.most is None or edge.least <= edge.most
        assert edge.loop is None or edge.loop >= 1
        called = [other.to for other in chain.out_of(edge.source) if other.via == "call" and other is not edge]
        assert edge.fallback is None or edge.fallback in called
        assert not edge.done or any(other.tasks for other in chain.into(edge.source))
    for each in chain.functions:
        assert each.join is None or all(edge.via == "event" for edge in chain.into(each.name))
        one = {
            (edge.type, edge.least, edge.most, edge.tasks, edge.done) for edge in chain.out_of(each.name) if edge.type
        }
        assert len(one) == len({told[0] for told in one})
    for wiring in plan.make(chain, "run").wirings.values():
        assert Wiring.decode(wiring.encode()) == wiring


def usable(chain: ChainSpec) -> None:
    """A chain that was let through holds what the layers below rely on."""
    made = plan.make(chain, "run")
    names = [trigger.name for trigger in made.triggers]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 63 for name in [*names, *made.wirings])
    for name, wiring in made.wirings.items():
        assert bool(wiring.serves) != wiring.consumes
        assert chain.function(name).protocol == ("http1" if wiring.consumes else "h2c")
    handled = plan.handlings(chain)
    assert handled[chain.entry] == 1
    assert graph.mermaid(chain)
    assert graph.dot(chain)
    assert graph.text(chain)


@pytest.mark.parametrize("data", VALID)
def test_the_seeds_of_the_fuzz_are_right(data: bytes) -> None:
    assert judged(data) is not None
