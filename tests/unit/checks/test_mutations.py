"""One broken thing turns exactly one check red; a healthy run turns none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.simulation import DIAMOND, EVENT_PAIR, FAN_OUT, MIXED, PAIR, SINK, Run, chain_of, healthy
from toolkit.checks import judge
from toolkit.contract import Receipt
from toolkit.results import Incident
from toolkit.spec.model import ChainSpec

CHAINS = {"pair": PAIR, "event pair": EVENT_PAIR, "mixed": MIXED, "diamond": DIAMOND, "fan-out": FAN_OUT}


def red(run: Run) -> set[str]:
    checks = judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=SINK)
    return {check.name for check in checks if not check.passed}


def fail_a_call(run: Run, chance: Random) -> None:
    at = chance.randrange(len(run.calls))
    run.calls[at] = replace(run.calls[at], status="INTERNAL", error="it broke")


def lose_a_call(run: Run, chance: Random) -> None:
    at = chance.randrange(len(run.calls))
    run.calls[at] = replace(run.calls[at], status=None, done_ns=None)


def send_nothing(run: Run, chance: Random) -> None:
    sender = chance.choice([each for each in run.receipts if each.sent])
    run.forget([each for child in run.below(sender)[1:] for each in run.below(child)])
    messages = {each.message for each in sender.sent}
    run.spans = [span for span in run.spans if span.tags["toolkit.message"] not in messages]
    run.replace_receipt(sender, sent=())


def send_twice(run: Run, chance: Random) -> None:
    """The same message over the same edge, reported twice: its receiver knew it by its id."""
    sender = chance.choice([each for each in run.receipts if each.sent])
    run.replace_receipt(sender, sent=(*sender.sent, sender.sent[0]))
    span = next(each for each in run.spans if _is_sending(each, sender.sent[0].message))
    run.spans.append(replace(span, id=f"f{span.id[1:]}"))


def _is_sending(span: object, message: str) -> bool:
    return span.kind in ("CLIENT", "PRODUCER") and span.tags["toolkit.message"] == message  # type: ignore[attr-defined]


def point_elsewhere(run: Run, chance: Random) -> None:
    sender = chance.choice([each for each in run.receipts if each.sent])
    at = chance.randrange(len(sender.sent))
    sent = [*sender.sent]
    sent[at] = replace(sent[at], address="http://127.0.0.1:1/elsewhere")
    run.replace_receipt(sender, sent=tuple(sent))


def point_into_the_void(run: Run, chance: Random) -> None:
    """A wrong address where nobody listens: the sender fails, and its caller with it."""
    sender = chance.choice([each for each in run.receipts if each.via != "event" and each.sent])
    run.forget([each for child in run.below(sender)[1:] for each in run.below(child)])
    void = tuple(replace(each, address="127.0.0.1:1", accepted=False) for each in sender.sent)
    run.spans += [  # sending left its spans, though nobody was there
        replace(span, id=f"f{at:015x}")
        for at, span in enumerate(healthy(run.chain, len(run.calls)).spans)
        if any(_is_sending(span, each.message) for each in void) and span not in run.spans
    ]
    run.replace_receipt(sender, sent=void, error="UNAVAILABLE")
    at = next(at for at, call in enumerate(run.calls) if call.call == sender.call)
    run.calls[at] = replace(run.calls[at], status="UNAVAILABLE")


def lose_a_receipt(run: Run, chance: Random) -> None:
    run.receipts.remove(chance.choice(run.receipts))


def drop_a_trigger(run: Run, chance: Random) -> None:
    """No event reaches one subscriber: neither receipts nor spans of it."""
    edge = chance.choice([edge for edge in run.chain.edges if edge.via == "event"])
    lost = [each for each in run.receipts if each.function == edge.to and each.via == "event"]
    run.forget([below for each in lost for below in run.below(each)])


def deliver_twice(run: Run, chance: Random) -> None:
    """A handling and everything below it happens again, spans included."""
    first = chance.choice([each for each in run.receipts if each.via != "entry"])
    again(run, first, replica=None)


def again(run: Run, first: Receipt, replica: str | None) -> None:
    followed = run.below(first)
    for each in followed:
        top = each is first
        run.receipts.append(replace(each, seq=each.seq + 1000, replica=replica if replica and top else each.replica))
    handled = {(each.message, each.function) for each in followed}
    messages = {sent.message for each in followed for sent in each.sent}
    copied = [
        span
        for span in run.spans
        if (
            (span.tags["toolkit.message"], span.service) in handled
            and (span.kind in ("SERVER", "CONSUMER") or span.tags["toolkit.message"] in messages)
        )
        or (_is_sending(span, span.tags["toolkit.message"]) and span.tags["toolkit.message"] in messages)
    ]
    names = {span.id: f"{int(span.id, 16) + (1 << 60):016x}" for span in copied}
    run.spans += [replace(span, id=names[span.id], parent=names.get(span.parent or "", span.parent)) for span in copied]


def flip_a_byte(run: Run, chance: Random) -> None:
    run.replace_receipt(chance.choice(run.receipts), digest="f" * 16)


def cut_a_byte(run: Run, chance: Random) -> None:
    receipt = chance.choice(run.receipts)
    run.replace_receipt(receipt, size=receipt.size - 1)


def change_the_callers_answer(run: Run, chance: Random) -> None:
    at = chance.randrange(len(run.calls))
    run.calls[at] = replace(run.calls[at], reply_digest="f" * 16)


def change_an_answer(run: Run, chance: Random) -> None:
    """What came back over a call edge is not what left."""
    _change_an_answer(run, chance, reply="f" * 16)


def cut_an_answer(run: Run, chance: Random) -> None:
    _change_an_answer(run, chance, reply_size=0)


def change_an_answer_so_that_its_call_fails(run: Run, chance: Random) -> None:
    call = _change_an_answer(run, chance, reply="f" * 16)
    at = next(at for at, each in enumerate(run.calls) if each.call == call)
    run.calls[at] = replace(run.calls[at], status="INTERNAL", error="not a Reply", reply_digest=None)


def _change_an_answer(run: Run, chance: Random, **changes: object) -> str:
    caller = chance.choice([each for each in run.receipts if any(sent.via == "call" for sent in each.sent)])
    sent = [replace(each, **changes) if each.via == "call" else each for each in caller.sent]  # type: ignore[arg-type]
    return run.replace_receipt(caller, sent=tuple(sent)).call


def lose_a_span(run: Run, chance: Random) -> None:
    run.spans.remove(chance.choice(run.spans))


def move_a_span(run: Run, chance: Random) -> None:
    """Below a span of its trace that is not its parent."""
    span = chance.choice([each for each in run.spans if each.parent])
    others = [each.id for each in run.spans if each.trace == span.trace and each.id not in (span.id, span.parent)]
    run.replace_span(span, parent=chance.choice([*others, "abcdefabcdefabcd"]))


def rename_a_span(run: Run, chance: Random) -> None:
    run.replace_span(chance.choice(run.spans), service="stranger")


def drop_the_trace_header(run: Run, chance: Random) -> None:
    """A receiver that got no context starts a trace of its own."""
    span = chance.choice([each for each in run.spans if each.kind in ("SERVER", "CONSUMER")])
    run.replace_span(span, trace="e" * 32, parent=None)


def restart_a_function(run: Run, chance: Random) -> None:
    run.incidents.append(Incident("restart", chance.choice(run.chain.functions).name, "left with status 1"))


def kill_a_consumer(run: Run, chance: Random) -> None:
    """It handled an event, was killed before it answered, took its spans with it, and the broker tried again."""
    first = chance.choice([each for each in run.receipts if each.via == "event"])
    again(run, first, replica="replica-2")
    killed = [each for each in run.receipts if each.message == first.message and each.replica == first.replica]
    run.incidents.append(Incident("restart", first.function, "was killed", replica=first.replica))
    lost = next(each for each in run.spans if each.kind == "CONSUMER" and each.tags["toolkit.message"] == first.message)
    run.spans.remove(lost)
    assert killed


def give_up_an_event(run: Run, chance: Random) -> None:
    event = chance.choice([each for each in run.receipts if each.via == "event"])
    run.forget(run.below(event))
    run.incidents.append(
        Incident("dead-letter", f"{event.sender}-to-{event.function}", "gave up", message=event.message)
    )


def warn(run: Run, chance: Random) -> None:
    run.incidents.append(Incident("warning", "broker", "an error body of more than 768 bytes"))


Mutation = Callable[[Run, Random], None]
ANYWHERE: dict[Mutation, str] = {
    fail_a_call: "answered",
    lose_a_call: "answered",
    lose_a_receipt: "delivered",
    flip_a_byte: "intact",
    cut_a_byte: "intact",
    change_the_callers_answer: "intact",
    lose_a_span: "traced",
    move_a_span: "traced",
    rename_a_span: "traced",
    drop_the_trace_header: "traced",
    restart_a_function: "steady",
    warn: "clean",
}
ON_EDGES: dict[Mutation, str] = {
    send_nothing: "followed",
    send_twice: "followed",
    point_elsewhere: "routed",
    deliver_twice: "once",
}
ON_EVENT_EDGES: dict[Mutation, str] = {
    drop_a_trigger: "delivered",
    kill_a_consumer: "steady",
    give_up_an_event: "clean",
}
ON_CALL_EDGES: dict[Mutation, str] = {
    change_an_answer: "intact",
    cut_an_answer: "intact",
    change_an_answer_so_that_its_call_fails: "intact",
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_a_healthy_run_keeps_every_promise(chain: ChainSpec) -> None:
    assert red(healthy(chain)) == set()


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("mutation", ANYWHERE | ON_EDGES, ids=lambda each: each.__name__)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_broken_thing_turns_exactly_its_own_check_red(mutation: Mutation, chain: ChainSpec, seed: int) -> None:
    run = healthy(chain)
    mutation(run, Random(seed))
    assert red(run) == {(ANYWHERE | ON_EDGES)[mutation]}


@pytest.mark.parametrize("chain", [PAIR, DIAMOND, FAN_OUT], ids=["pair", "diamond", "fan-out"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_call_that_failed_at_a_wrong_address_is_only_routeds(chain: ChainSpec, seed: int) -> None:
    run = healthy(chain)
    point_into_the_void(run, Random(seed))
    assert red(run) == {"routed"}


@pytest.mark.parametrize("chain", [EVENT_PAIR, MIXED, FAN_OUT], ids=["event pair", "mixed", "fan-out"])
@pytest.mark.parametrize("mutation", ON_EVENT_EDGES, ids=lambda each: each.__name__)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_happens_to_events_turns_exactly_its_own_check_red(
    mutation: Mutation, chain: ChainSpec, seed: int
) -> None:
    run = healthy(chain)
    mutation(run, Random(seed))
    assert red(run) == {ON_EVENT_EDGES[mutation]}


@pytest.mark.parametrize("chain", [PAIR, MIXED, DIAMOND, FAN_OUT], ids=["pair", "mixed", "diamond", "fan-out"])
@pytest.mark.parametrize("mutation", ON_CALL_EDGES, ids=lambda each: each.__name__)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_happens_to_answers_turns_exactly_its_own_check_red(
    mutation: Mutation, chain: ChainSpec, seed: int
) -> None:
    run = healthy(chain)
    mutation(run, Random(seed))
    assert red(run) == {ON_CALL_EDGES[mutation]}


@st.composite
def chains(draw: st.DrawFn) -> ChainSpec:
    """A random graph without cycles of up to seven functions, all of them reachable from the entry."""
    names = "abcdefg"[: draw(st.integers(1, 7))]
    edges: list[tuple[str, str, str]] = []
    for at, to in enumerate(names[1:], 1):
        via = draw(st.sampled_from(["call", "event"]))
        sources = draw(st.lists(st.sampled_from(names[:at]), min_size=1, max_size=2, unique=True))
        edges += [(source, to, via) for source in sources]
    return chain_of(*edges)


@settings(max_examples=60, deadline=None)
@given(chain=chains(), calls=st.integers(1, 3))
def test_every_graph_that_ran_well_keeps_every_promise(chain: ChainSpec, calls: int) -> None:
    assert red(healthy(chain, calls)) == set()


@settings(max_examples=150, deadline=None)
@given(chain=chains(), mutation=st.sampled_from(list(ANYWHERE)), seed=st.integers(0, 10_000))
def test_in_any_graph_one_broken_thing_turns_one_check_red(chain: ChainSpec, mutation: Mutation, seed: int) -> None:
    run = healthy(chain, 2)
    mutation(run, Random(seed))
    assert red(run) == {ANYWHERE[mutation]}
