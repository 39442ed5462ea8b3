"""However many names, copies and edges a chain gives its sub-chains, reading it is little work."""

from __future__ import annotations

import dataclasses

import pytest

from tests.unit.spec.test_nesting import OUTER, read, refusal
from toolkit.spec import nesting, yamltree
from toolkit.spec.draft import Link


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all files that were parsed."""
    sizes: list[int] = []
    read_tree = yamltree.read

    def counted(data: bytes) -> yamltree.Node:
        sizes.append(len(data))
        return read_tree(data)

    monkeypatch.setattr(yamltree, "read", counted)
    return sizes


def row(length: int) -> str:
    functions = "".join(f"  f{number}: {{handler: 'handlers.py:f'}}\n" for number in range(length))
    edges = "".join(f"  - {{from: f{number}, to: f{number + 1}, via: call}}\n" for number in range(length - 1))
    knob = "parameters: {size: 1KiB}\n"
    return f"name: inner\n{knob}functions:\n{functions}" + (f"edges:\n{edges}" if edges else "")


def parts(count: int, more: str = "") -> str:
    lines = (f"  c{number}: {{chain: inner{more.replace('N', str(number + 1))}}}\n" for number in range(count))
    return "name: outer\nfunctions:\n" + "".join(lines)


@pytest.mark.parametrize("more", ["", ", set: {size: NKiB}"], ids=["alike", "each set otherwise"])
def test_a_large_sub_chain_of_many_names_is_refused_at_the_second(parsed: list[int], more: str) -> None:
    told = refusal(parts(500, more), inner=row(900))
    assert told == ["outer.yaml:4:15: functions.c1.chain: the chain would have more than 1,000 functions"]
    assert len(parsed) <= 3


def test_a_sub_chain_of_many_names_is_parsed_once_for_its_settings(parsed: list[int]) -> None:
    chain = read(parts(8) + "  start: {handler: 'h.py:h'}\nedges:\n" + to_each(8), inner=row(100))
    assert (len(chain.functions), len(parsed)) == (801, 2)


def test_a_broken_sub_chain_of_many_names_is_parsed_once(parsed: list[int]) -> None:
    told = refusal(parts(3000), inner=row(900).replace("to: f1,", "to: nobody,"))
    assert len([line for line in told if "nobody" in line]) == 1
    assert len(parsed) == 2


def test_sub_chains_are_read_up_to_a_bound_of_their_size(parsed: list[int]) -> None:
    broken = "name: inner\nfunctions: 1\n" + "#" * (1 << 20 >> 1)
    told = refusal(parts(500, ", set: {size: NKiB}"), inner=broken)
    assert any("the sub-chains are more than 4 MiB together" in line for line in told)
    assert len(parsed) < 10


def test_the_same_chain_may_stand_at_several_depths_and_the_bound_counts_for_each() -> None:
    files = {f"c{n}": f"name: c\nfunctions: {{f: {{chain: c{n + 1}}}}}\n" for n in range(7)}
    files["c7"] = row(1)
    assert len(read(OUTER.replace("inner", "c1"), **files).functions) == 2
    shallow_first = (
        "name: o\nentry: a\nfunctions: {a: {chain: c1}, b: {chain: c0}}\nedges: [{from: a, to: b, via: call}]\n"
    )
    assert "nested deeper than 8 levels" in refusal(shallow_first, **files)[0]


def test_copies_of_a_sub_chain_multiply_its_edges_to_a_bound_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(link: Link, **changes: object) -> Link:
        made.append(changes)
        return dataclasses.replace(link, **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(nesting, "replace", counted)
    many = "  - {from: a, to: c, via: call}\n" * 1000
    functions = "  a: {handler: 'h.py:h'}\n  c: {chain: inner, parallel: 900}\n"
    told = refusal(f"name: o\nentry: a\nfunctions:\n{functions}edges:\n{many}", inner=row(1))
    assert any("the chain would have more than 10,000 edges" in line for line in told)
    assert len(made) < 20_000


def to_each(count: int) -> str:
    return "".join(f"  - {{from: start, to: c{number}, via: call}}\n" for number in range(count))
