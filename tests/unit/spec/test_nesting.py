"""A function may be a whole chain: what becomes of it, and what it may not be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from toolkit import catalog, plan
from toolkit.contract import ENTRY_METHOD
from toolkit.errors import SpecError, UsageError
from toolkit.spec import parse
from toolkit.spec.model import Broker, ChainSpec
from toolkit.spec.nesting import Source

INNER = """
name: inner
parameters: {size: 1KiB, pause: 10ms, level: {default: 3, max: 9}}
functions:
  first: {handler: "handlers.py:first", env: {LEVEL: "${level}"}}
  second: {handler: "handlers.py:second", about: Does more.}
edges: [{from: first, to: second, via: call, method: prodcon.ProducerConsumer/ConsumeByte, retry: 2}]
requires: ["pillow>=11"]
"""
OUTER = """
name: outer
parameters: {size: 4KiB, pause: 250ms}
functions:
  start: {handler: "handlers.py:start"}
  part: {chain: inner}
edges: [{from: start, to: part, via: call}]
requires: [numpy]
"""


def read(text: str, folder: str = "/chains/outer", **files: str) -> ChainSpec:
    def resolve(name: str, asking: str) -> Source:
        if name not in files:
            raise UsageError(f"no chain named '{name}'")
        return Source(files[name].encode(), f"{name}.yaml", f"/chains/{name}")

    return parse(text.encode(), origin="outer.yaml", folder=folder, resolve=resolve)


def refusal(text: str, **files: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(text, **files)
    return str(caught.value).splitlines()


def links(chain: ChainSpec) -> list[tuple[str, str, str | None]]:
    return [(edge.source, edge.to, edge.alias) for edge in chain.edges]


def test_its_functions_take_its_place_with_its_name_before_theirs() -> None:
    chain = read(OUTER, inner=INNER)
    assert [each.name for each in chain.functions] == ["start", "part-first", "part-second"]
    assert links(chain) == [("start", "part-first", "part"), ("part-first", "part-second", "second")]
    assert [edge.method for edge in chain.edges] == [ENTRY_METHOD, "prodcon.ProducerConsumer/ConsumeByte"]
    assert chain.edges[1].retry == 2


def test_its_functions_know_where_they_come_from() -> None:
    second = read(OUTER, inner=INNER).function("part-second")
    assert (second.folder, second.chain, second.about, second.handler) == (
        *("/chains/inner", "part", "Does more."),
        "handlers.py:second",
    )


def test_its_handlers_have_their_own_parameters() -> None:
    made = plan.make(read(OUTER, inner=INNER), "run")
    assert made.wirings["start"].parameters == {"size": 4096, "pause": 0.25}
    assert made.wirings["part-second"].parameters == {"size": 1024, "pause": 0.01, "level": 3}


def test_parameters_are_set_by_values_and_by_those_of_the_outer_chain() -> None:
    setting = 'chain: inner, set: {size: "${size}", pause: "${pause}", level: 9}'
    chain = read(OUTER.replace("chain: inner", setting), inner=INNER)
    assert plan.make(chain, "run").wirings["part-first"].parameters == {"size": 4096, "pause": 0.25, "level": 9}
    assert chain.function("part-first").env == {"LEVEL": "9"}


def test_what_it_requires_is_required() -> None:
    assert read(OUTER, inner=INNER).requires == ("numpy", "pillow>=11")


def test_copies_of_it_stand_side_by_side() -> None:
    chain = read(OUTER.replace("chain: inner", "chain: inner, parallel: 2"), inner=INNER)
    assert [each.name for each in chain.functions] == [
        *("start", "part-1-first", "part-1-second", "part-2-first", "part-2-second")
    ]
    assert links(chain)[:2] == [("start", "part-1-first", "part-1"), ("start", "part-2-first", "part-2")]
    assert chain.function("part-2-second").parallel == 2


def test_chains_nest() -> None:
    middle = 'name: middle\nfunctions: {m: {handler: "m.py:f"}, deep: {chain: inner}}\n'
    middle += "edges: [{from: m, to: deep, via: call}]\n"
    chain = read(OUTER.replace("chain: inner", "chain: middle"), inner=INNER, middle=middle)
    assert [each.name for each in chain.functions][1:] == ["part-m", "part-deep-first", "part-deep-second"]
    assert links(chain)[1:] == [
        ("part-m", "part-deep-first", "deep"),
        ("part-deep-first", "part-deep-second", "second"),
    ]
    assert chain.function("part-deep-first").chain == "part-deep"
    assert chain.function("part-deep-first").folder == "/chains/inner"


def test_it_may_be_the_entry_and_what_stands_in_for_a_function() -> None:
    text = """
name: outer
functions: {a: {chain: inner}}
"""
    assert read(text, inner=INNER).entry == "a-first"
    assert read(text + "entry: a\n", inner=INNER).entry == "a-first"
    backed = OUTER.replace("  part:", "  spare: {chain: inner}\n  part:").replace(
        "via: call}]", "via: call}, {from: start, to: spare, via: call, fallback: part}]"
    )
    assert [edge.fallback for edge in read(backed, inner=INNER).edges] == [None, "part-first", None, None]


def test_its_events_go_through_the_outer_broker() -> None:
    events = INNER.replace("via: call, method: prodcon.ProducerConsumer/ConsumeByte, retry: 2", "via: event")
    chain = read(OUTER + "broker: {acknowledge: async}\n", inner=events)
    assert chain.broker == Broker(acknowledge="async")
    assert [(edge.via, edge.type) for edge in chain.edges][1:] == [("event", "inner.first")]


@pytest.mark.parametrize(
    ("broker", "wrong"),
    [
        ("{acknowledge: async}", ["acknowledge: async, and the chain has one broker, which has sync"]),
        ("{delivery: {retry: 3}}", ["delivery.retry: 3, and the chain has one broker, which has 10"]),
        (
            "{delivery: {dead-letter: lost}}",
            ["delivery.dead-letter: part-lost, and the chain has one broker, which has None"],
        ),
    ],
)
def test_a_broker_of_its_own_is_refused_unless_it_is_the_same(broker: str, wrong: list[str]) -> None:
    events = INNER.replace("via: call, method: prodcon.ProducerConsumer/ConsumeByte, retry: 2", "via: event")
    if "lost" in broker:
        events = events.replace("  second:", '  lost: {handler: "handlers.py:lost"}\n  second:')
    events += f"broker: {broker}\n"
    place = "outer.yaml:6:17: functions.part.chain: its broker has "
    told = [line.partition(place)[2].partition(";")[0] for line in refusal(OUTER, inner=events) if place in line]
    assert told == wrong
    same = broker.replace("lost", "part-lost")
    assert read(OUTER + f"broker: {same}\n", inner=events).broker is not None


def test_its_store_must_be_the_outer_one() -> None:
    stored = INNER + "store: {bucket: mine, region: here}\n"
    assert read(OUTER + "store: {bucket: mine}\n", inner=stored).store == {"bucket": "mine", "region": "here"}
    assert refusal(OUTER + "store: {bucket: ours}\n", inner=stored) == [
        "outer.yaml:6:17: functions.part.chain: its store has bucket 'mine', and the chain's is 'ours'; "
        "give them the same store"
    ]


def test_its_own_problems_are_told_with_its_own_file() -> None:
    assert refusal(OUTER, inner=INNER.replace("via: call", "via: cal")) == [
        "inner.yaml:7:40: edges[0].via: expected call or event, found the text 'cal' — did you mean 'call'?"
    ]


def test_what_is_set_wrong_is_told_where_it_is_set() -> None:
    setting = 'chain: inner, set: {level: 10, sise: 3, pause: "${paus}"}'
    assert refusal(OUTER.replace("chain: inner", setting), inner=INNER) == [
        "outer.yaml:6:30: functions.part.set.level: 10 is above its max, which is 9",
        "outer.yaml:6:41: functions.part.set.sise: no parameter named 'sise' — did you mean 'size'?",
        "outer.yaml:6:57: functions.part.set.pause: no parameter named 'paus' — did you mean 'pause'?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        (
            "edges: [",
            "edges: [{from: part, to: start, via: call, loop: 3}, ",
            "7:16: edges[0].from: 'part' is a sub-chain, and none of its handlers knows of an edge out of it; "
            "let who calls it send on its answer",
        ),
        (
            "to: part, via: call",
            "to: part, via: event",
            "7:38: edges[0].via: 'part' is a sub-chain, which is called as its callers call it; write call",
        ),
        (
            "to: part, via: call",
            "to: part, via: call, method: link.Link/Send",
            "7:52: edges[0].method: 'part' is a sub-chain, and takes helloworld.Greeter/SayHello alone; leave it out",
        ),
        ("chain: inner", "chain: iner", "6:17: functions.part.chain: no chain named 'iner'"),
        (
            "start: {",
            "part-first: {handler: 'm:f'}\n  start: {",
            "7:3: functions.part: its function 'part-first' has the name of another; rename one of them",
        ),
    ],
)
def test_what_a_sub_chain_cannot_be_is_said(old: str, new: str, wrong: str) -> None:
    assert f"outer.yaml:{wrong}" in refusal(OUTER.replace(old, new), inner=INNER)


def test_a_circle_of_chains_is_refused() -> None:
    middle = "name: middle\nfunctions: {m: {chain: inner}}\n"
    inner = "name: inner\nfunctions: {i: {chain: middle}}\n"
    assert refusal(OUTER, inner=inner, middle=middle) == [
        "middle.yaml:2:24: functions.m.chain: the chains hold each other in a circle: "
        "outer.yaml → inner.yaml → middle.yaml → inner.yaml"
    ]


def test_chains_nest_to_a_bound() -> None:
    files: Mapping[str, str] = {f"c{n}": f"name: c\nfunctions: {{f: {{chain: c{n + 1}}}}}\n" for n in range(20)}
    assert "nested deeper than 8 levels" in refusal(OUTER.replace("inner", "c0"), **files)[0]


def test_thousands_of_sub_chains_are_refused_before_they_are_built() -> None:
    many = "".join(f"  f{number}: {{chain: inner, parallel: 1000}}\n" for number in range(3))
    assert any("more than 1,000 functions" in line for line in refusal(f"name: outer\nfunctions:\n{many}", inner=INNER))


def test_a_gateway_is_the_outermost_chains() -> None:
    wrong = refusal(OUTER, inner=INNER.replace("functions:\n", "functions:\n  front: {gateway: /go}\n"))
    assert wrong == [
        "outer.yaml:6:17: functions.part.chain: 'inner' cannot be a sub-chain: its function 'front' takes "
        "HTTP requests, which only the outermost chain does"
    ]


def test_the_name_of_the_ledger_cannot_come_about() -> None:
    inner = INNER.replace("second", "ledger")
    wrong = refusal(OUTER.replace("part", "toolkit"), inner=inner)
    assert any("'toolkit-ledger' is what remembers tasks and joins" in line for line in wrong)


def test_handlers_are_found_where_their_chain_was_packed() -> None:
    inside = parse(
        OUTER.encode(),
        origin="outer.yaml",
        folder="/chains/outer",
        resolve=lambda name, folder: Source(INNER.encode(), "i", f"{folder}/{name}"),
    )
    assert plan.make(inside, "run").wirings["part-first"].handler == "inner/handlers.py:first"
    beside = plan.make(read(OUTER, inner=INNER), "run")
    assert beside.wirings["part-first"].handler == ".chains/inner/handlers.py:first"
    assert beside.wirings["start"].handler == "handlers.py:start"


def test_a_folder_inside_goes_before_the_catalogue_and_nothing_lies_outside(tmp_path: Path) -> None:
    for folder in ("aes", "deep/er"):
        (tmp_path / "chain" / folder).mkdir(parents=True)
        (tmp_path / "chain" / folder / "chain.yaml").write_text("name: mine\nfunctions: {f: {handler: 'm:f'}}\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "chain.yaml").write_text("name: outside\n")
    (tmp_path / "chain" / "link").symlink_to(tmp_path / "outside")
    here = str(tmp_path / "chain")
    assert b"mine" in catalog.find_inner("aes", here).data
    assert b"mine" in catalog.find_inner("deep/er", here).data
    assert b"AES" in catalog.find_inner("aes", str(tmp_path)).data
    for name in ("link", "deep/other", "nothing"):
        with pytest.raises(UsageError, match=r"no chain, folder or file named|there is no folder"):
            catalog.find_inner(name, here)


def test_a_missing_handler_of_a_sub_chain_is_told_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "chain.yaml").write_text(INNER)
    (tmp_path / "chain.yaml").write_text(OUTER)
    (tmp_path / "handlers.py").write_text("")
    with pytest.raises(SpecError) as caught:
        catalog.load(str(tmp_path))
    assert f"there is no file 'handlers.py' in {tmp_path / 'inner'}, where 'part-first' has its handler" in str(
        caught.value
    )
