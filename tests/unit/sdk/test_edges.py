"""Which edge a handler means, and what one handling may send over it."""

from __future__ import annotations

import pytest

from tests.unit.sdk.scaffold import event, link, wiring
from toolkit.contract import Outgoing, Wiring
from toolkit.sdk import EdgeTaken, NoSuchEdge, edges


def wired(*outgoing: Outgoing) -> Wiring:
    return wiring("f", outgoing=outgoing)


def test_a_fallback_is_nothing_a_handler_calls() -> None:
    wires = wired(link("bank"), link("copy", fallback="bank"))
    assert edges.to(wires, None).to == "bank"
    with pytest.raises(NoSuchEdge, match=r"no call edge to 'copy' \(copy stands in for another, .*; it has: bank$"):
        edges.to(wires, "copy")
    assert edges.fallback(wires, link("bank")) == link("copy", fallback="bank")
    assert edges.fallback(wires, link("copy")) is None


def test_what_the_scaffold_sends_on_its_own_no_handler_emits() -> None:
    wires = wired(event("t", tasks=9, most=None), event("d", done=True), event("e"))
    assert edges.event_types(wires) == ["e"]
    assert edges.event_type(wires, None, None) == "e"
    with pytest.raises(NoSuchEdge, match="of type: e; not 't'"):
        edges.event_type(wires, "t", None)


def test_a_broadcast_goes_over_what_every_handling_takes() -> None:
    odd = (link("a", choice="c"), link("b", fallback="x"), link("many", least=3, most=3), link("maybe", least=0))
    wires = wired(link("x"), *odd, event("e"), event("d", done=True), event("t", tasks=2), event("c", choice="c"))
    calls, types = edges.steady(wires)
    assert ([edge.to for edge in calls], types) == (["x"], ["e"])
    assert edges.steady(wired()) == ([], [])
    with pytest.raises(NoSuchEdge, match="f has none of them"):
        edges.steady(wired(*odd))


def test_scatter_takes_the_one_edge_that_is_for_many() -> None:
    wires = wired(link("log"), link("worker", most=4), link("copy", most=4, fallback="worker"))
    assert edges.scattered(wires, None, None).to == "worker"
    assert edges.scattered(wires, "log", None).to == "log"
    assert edges.scattered(wired(link("only")), None, None).to == "only"
    assert edges.scattered(wired(event("e", most=None), link("one")), None, None).type == "e"
    shared = wired(event("e", "a", most=None), event("e", "b", most=None))
    assert edges.scattered(shared, None, None).type == edges.scattered(shared, None, "e").type == "e"


@pytest.mark.parametrize(
    ("outgoing", "to", "kind", "why"),
    [
        ((), None, None, "f has no edge to scatter over"),
        ((link("a", most=2), link("b", most=2)), None, None, "f has edges to: a, b; say which with to= or type="),
        ((link("a", most=2), event("e", most=2)), None, None, r"a, other \(e\); say which"),
        ((link("a", most=2),), "z", None, "to: a; none to 'z'"),
        ((link("a", most=2),), None, "t", "to: a; none of type 't'"),
        ((link("a", most=2), event("e", "b")), "a", "e", "none to 'a' of type 'e'"),
    ],
)
def test_an_edge_that_is_not_there_or_not_said_is_refused(
    outgoing: tuple[Outgoing, ...], to: str | None, kind: str | None, why: str
) -> None:
    with pytest.raises(NoSuchEdge, match=why):
        edges.scattered(wired(*outgoing), to, kind)


def test_an_invoke_finds_a_call_or_an_event_and_lists_what_is_legal() -> None:
    wires = wired(link("add"), event("sub.wanted", "sub"), link("spare", fallback="add"), event("t", "self", tasks=3))
    assert (edges.invoked(wires, "add").via, edges.invoked(wires, "sub").type) == ("call", "sub.wanted")
    for name in ("spare", "self", "nobody", ""):
        with pytest.raises(NoSuchEdge, match=r"cannot go on to .*: it has edges to: add, sub \(sub.wanted\)$"):
            edges.invoked(wires, name)
    with pytest.raises(NoSuchEdge, match=r"several event edges to b: b \(x\), b \(y\)"):
        edges.invoked(wired(event("x", "b"), event("y", "b")), "b")


def test_an_answer_goes_to_the_gateway() -> None:
    assert edges.answer_type(wired(event("x"), event("y", answers=True))) == "y"
    assert edges.answer_type(wired(event("x"))) == "x"
    assert edges.answer_type(wired(link("a"))) is None
    with pytest.raises(NoSuchEdge, match="of type: x, y; none leads to a gateway"):
        edges.answer_type(wired(event("x"), event("y")))


def test_one_edge_of_a_choice_is_taken() -> None:
    one, two, free = link("one", choice="c", most=2), link("two", choice="c"), link("free")
    taken = edges.Taken(wired(one, two, free, event("e", "three", choice="c")))
    taken.call(one)
    taken.call(one)
    taken.call(free)
    with pytest.raises(EdgeTaken, match="one edge of its choice 'c' in a handling: it has taken that of one, and not"):
        taken.call(two)
    with pytest.raises(EdgeTaken, match=r"not also that to three \(e\)"):
        taken.event("e")


def test_no_more_leaves_over_an_edge_than_its_count() -> None:
    edge = link("a", most=3)
    taken = edges.Taken(wired(edge, event("e", "b", most=None), event("e", "c", most=2)))
    taken.call(edge, 2)
    with pytest.raises(EdgeTaken, match=r"f sends at most 3 messages to a in a handling; this would be 1,002"):
        taken.call(edge, 1000)
    taken.call(edge)  # what was refused did not count
    with pytest.raises(EdgeTaken, match="this would be 4"):
        taken.call(edge)
    taken.event("e", 2)
    with pytest.raises(EdgeTaken, match=r"at most 2 messages to c \(e\)"):  # the tightest edge of a type bounds it
        taken.event("e")


def test_what_was_refused_takes_no_choice() -> None:
    one, two = link("one", choice="c"), link("two", choice="c")
    taken = edges.Taken(wired(one, two))
    with pytest.raises(EdgeTaken, match="at most 1 message to one"):
        taken.call(one, 2)
    taken.call(two)


def test_nothing_sent_takes_no_choice() -> None:
    one, two = link("one", choice="c"), link("two", choice="c")
    taken = edges.Taken(wired(one, two))
    taken.call(one, 0)
    taken.call(two)
    with pytest.raises(EdgeTaken, match="it has taken that of two"):
        taken.call(one)
