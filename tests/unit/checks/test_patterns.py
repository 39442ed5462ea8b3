"""Counts, choices, retries, fallbacks, loops and joins: what keeps the promise of each, and what breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.unit.checks.simulation import Run
from tests.unit.checks.story import Story, Told, chain
from tests.unit.checks.test_judge import checks_of, red
from toolkit.checks import attempts
from toolkit.contract import scatter_id
from toolkit.sdk import attempts as scaffold
from toolkit.spec.model import Edge

DOWN = "UNAVAILABLE: down for a moment"
BROKEN = "INTERNAL: ZeroDivisionError"


def call(source: str, to: str, **more: object) -> Edge:
    return Edge(source, to, "call", method="link.Link/Send", **more)  # type: ignore[arg-type]


def event(source: str, to: str, type: str, **more: object) -> Edge:  # noqa: A002
    return Edge(source, to, "event", type=type, **more)  # type: ignore[arg-type]


def followed(run: Run) -> str:
    return checks_of(run)["followed"].got


# --- counts -----------------------------------------------------------------------------------------------------------


def scattered(times: int, least: int, most: int | None) -> Run:
    story = Story(chain(call("a", "b", least=least, most=most)))
    entry = story.call()
    for at in range(times):
        entry.calls("b", f"part {at}".encode())
    return story.run()


@pytest.mark.parametrize(("times", "least", "most"), [(16, 16, 16), (0, 0, 1), (1, 0, 1), (40, 1, None), (3, 2, 4)])
def test_any_number_within_the_count_is_right(times: int, least: int, most: int | None) -> None:
    assert red(scattered(times, least, most)) == set()


@pytest.mark.parametrize(
    ("times", "least", "most", "told"),
    [
        (15, 16, 16, "a sent a call to b 15 times, not 16"),
        (17, 16, 16, "a sent a call to b 17 times, not 16"),
        (2, 0, 1, "a sent a call to b 2 times, not 0 to 1"),
        (0, 1, None, "a sent a call to b 0 times, not 1 or more"),
    ],
)
def test_a_wrong_degree_is_not_what_the_chain_says(times: int, least: int, most: int | None, told: str) -> None:
    run = scattered(times, least, most)
    assert red(run) == {"followed"}
    assert followed(run) == f"1 wrong: {told} (call 000000000000)"


def test_one_event_for_several_receivers_counts_once() -> None:
    story = Story(chain(event("a", "b", "t", least=2, most=2), event("a", "c", "t", least=2, most=2)))
    entry = story.call()
    entry.emits("t")
    assert red(story.run()) == {"followed"}
    entry.emits("t")
    assert red(story.run()) == set()


# --- choices ----------------------------------------------------------------------------------------------------------

CHOICE = chain(
    call("a", "b", choice="way"), call("a", "c", choice="way", least=2, most=3), event("a", "d", "t", choice="other")
)


def chosen(*taken: str) -> Run:
    story = Story(CHOICE)
    entry = story.call()
    for at, each in enumerate(taken):
        entry.emits("t") if each == "d" else entry.calls(each, f"{at}".encode())
    return story.run()


@pytest.mark.parametrize("taken", ["bd", "ccd", "cccd"])
def test_one_edge_of_each_choice_is_right(taken: str) -> None:
    assert red(chosen(*taken)) == set()


@pytest.mark.parametrize(
    ("taken", "told"),
    [
        ("d", "a took no edge of the choice way"),
        ("bccd", "a took 2 edges of the choice way, not 1: a call to b and a call to c"),
        ("bbd", "a sent a call to b 2 times, not 1"),
        ("cd", "a sent a call to c 1 times, not 2 to 3"),
        ("b", "a took no edge of the choice other"),
    ],
)
def test_both_edges_of_a_choice_or_none_or_too_many_messages_are_wrong(taken: str, told: str) -> None:
    run = chosen(*taken)
    assert red(run) == {"followed"}
    assert followed(run) == f"1 wrong: {told} (call 000000000000)"


def test_a_choice_may_be_of_nothing_where_one_of_its_edges_may_carry_nothing() -> None:
    story = Story(chain(call("a", "b", choice="way", least=0), call("a", "c", choice="way")))
    story.call()
    assert red(story.run()) == set()


# --- retries ----------------------------------------------------------------------------------------------------------


def retried(*attempts: str | None, retry: int = 3, reached: bool = True) -> Run:
    """What b said of each attempt; None: it succeeded."""
    story = Story(chain(call("a", "b", retry=retry)))
    attempt_all(story.call(), "b", attempts, reached=reached)
    return story.run()


def attempt_all(
    by: Told, to: str, attempts: Sequence[str | None], body: bytes = b"same", *, reached: bool = True
) -> Told:
    """The first of them."""
    said, *others = attempts
    first = by.calls(to, body, fails=said, reached=reached or said is None)
    for number, each in enumerate(others, 1):
        by.again(first, number, fails=each, reached=reached or each is None)
    return first


@pytest.mark.parametrize("reached", [True, False])
def test_attempts_behind_failures_are_one_message_and_no_loss(reached: bool) -> None:
    run = retried(DOWN, DOWN, None, reached=reached)
    assert red(run) == set()
    assert checks_of(run)["delivered"].got == "4 messages handled; 2 attempts failed and were tried again"
    assert "failed for good" not in checks_of(run)["once"].got


def test_a_message_sent_again_though_it_had_arrived_is_wrong() -> None:
    for second in (None, DOWN):
        run = retried(None, second)
        assert "followed" in red(run)
        assert followed(run) == "1 wrong: a tried a call to b again though it had arrived (call 000000000000)"


def test_another_message_is_no_attempt_of_the_first_though_that_failed() -> None:
    """A handler that tries again by itself sends a message more than the chain says."""
    story = Story(chain(call("a", "b", retry=3)))
    entry = story.call()
    entry.calls("b", fails=DOWN)
    entry.calls("b")
    assert followed(story.run()) == "1 wrong: a sent a call to b 2 times, not 1 (call 000000000000)"


def test_more_attempts_than_the_edge_has_are_wrong() -> None:
    assert red(retried(DOWN, DOWN, None, retry=2)) == set()
    run = retried(DOWN, DOWN, None, retry=1)
    assert red(run) == {"followed"}
    assert followed(run) == "1 wrong: a tried a call to b 3 times, not 1 to 2 (call 000000000000)"


def test_what_failed_of_itself_is_not_tried_again() -> None:
    run = retried(BROKEN, None)
    assert red(run) == {"followed"}
    assert followed(run) == "1 wrong: a tried a call to b again though it failed for good (call 000000000000)"


def test_a_message_that_failed_for_good_while_its_sender_went_on_is_not_delivered() -> None:
    run = retried(DOWN, DOWN, retry=1)
    assert red(run) == {"delivered"}
    assert checks_of(run)["delivered"].got.startswith("1 wrong: a's call to b was not accepted, and a went on")


def test_an_edge_without_retry_whose_call_failed_is_as_red_as_ever() -> None:
    assert red(retried(DOWN, retry=0)) == {"delivered"}


def test_of_a_scatter_each_part_has_attempts_of_its_own() -> None:
    story = Story(chain(call("a", "b", least=4, most=4, retry=1)))
    entry = story.call()
    parts = [entry.calls("b", f"{at}".encode(), fails=DOWN if at % 2 else None) for at in range(4)]
    entry.again(parts[1], 1)
    assert red(story.run()) == {"delivered"}
    entry.again(parts[3], 1)
    assert red(story.run()) == set()


def test_a_part_that_was_tried_twice_is_no_other_part() -> None:
    """Though there were as many sendings as parts are wanted, and all say the same."""
    story = Story(chain(call("a", "b", least=4, most=4, retry=1)))
    entry = story.call()
    for _ in range(2):
        entry.calls("b")
    attempt_all(entry, "b", [DOWN, None])
    assert red(story.run()) == {"followed"}
    assert "a sent a call to b 3 times, not 4" in followed(story.run())


def test_the_ids_of_attempts_are_those_that_the_scaffold_gives_them() -> None:
    handling = SimpleNamespace(wiring=SimpleNamespace(function="a"))
    story = Story(chain(call("a", "b", retry=3)))
    entry = story.call()
    first = entry.calls("b", fails=DOWN)
    assert entry.again(first, 2).message == scaffold._derived(first.message, handling, "retry", 2)  # type: ignore[arg-type]
    assert entry.instead(first, "c").message == scaffold._derived(first.message, handling, "fallback/c", 0)  # type: ignore[arg-type]
    assert (attempts.FOR_NOW, attempts.REPLACEABLE) == (scaffold.FOR_NOW, scaffold.REPLACEABLE)


# --- fallbacks --------------------------------------------------------------------------------------------------------


def fallen_back(*said: str | None, instead: int, retry: int = 1) -> Run:
    story = Story(chain(call("a", "b", retry=retry), call("a", "c", fallback="b")))
    entry = story.call()
    first = attempt_all(entry, "b", said)
    for _ in range(instead):
        entry.instead(first, "c")
    return story.run()


def test_a_fallback_stands_in_for_what_failed_for_good_and_nothing_is_lost() -> None:
    run = fallen_back(DOWN, DOWN, instead=1)
    assert red(run) == set()
    assert checks_of(run)["delivered"].got == (
        "4 messages handled; 1 attempt failed and was tried again; 1 call failed for good and was replaced"
    )
    assert red(fallen_back("DEADLINE_EXCEEDED: too late", instead=1)) == set()


@pytest.mark.parametrize("said", [(None,), (DOWN, None)])
def test_a_fallback_that_nobody_needed_is_wrong(said: tuple[str | None, ...]) -> None:
    run = fallen_back(*said, instead=1)
    assert red(run) == {"followed"}
    assert followed(run) == ("1 wrong: a sent a call to c in the place of a call to b that arrived (call 000000000000)")


def test_a_fallback_in_the_place_of_what_failed_of_itself_is_wrong() -> None:
    assert "that nothing stands in for" in followed(fallen_back(BROKEN, instead=1))


def test_a_fallback_that_did_not_stand_in_is_wrong() -> None:
    run = fallen_back(DOWN, DOWN, instead=0)
    assert red(run) == {"followed", "delivered"}
    assert followed(run) == (
        "1 wrong: a sent nothing to c in the place of a call to b that failed for good (call 000000000000)"
    )


def test_a_fallback_in_the_place_of_nothing_is_wrong() -> None:
    story = Story(chain(call("a", "b"), call("a", "c", fallback="b")))
    entry = story.call()
    entry.calls("b")
    entry.calls("c")
    assert red(story.run()) == {"followed"}
    assert "a sent a call to c 1 times in the place of nothing" in followed(story.run())


def test_a_fallback_before_all_attempts_were_made_is_wrong() -> None:
    run = fallen_back(DOWN, instead=1, retry=3)
    assert red(run) == {"followed"}
    assert followed(run) == "1 wrong: a tried a call to b 1 times, not 4, before it gave up (call 000000000000)"


def test_a_fallback_has_one_of_its_own() -> None:
    story = Story(chain(call("a", "b"), call("a", "c", fallback="b"), call("a", "d", fallback="c")))
    entry = story.call()
    second = entry.instead(entry.calls("b", fails=DOWN), "c", fails=DOWN)
    assert red(story.run()) == {"followed", "delivered"}
    entry.instead(second, "d")
    assert red(story.run()) == set()


def test_of_a_scatter_each_part_has_a_fallback_of_its_own() -> None:
    story = Story(chain(call("a", "b", least=3, most=3), call("a", "c", fallback="b")))
    entry = story.call()
    parts = [entry.calls("b", fails=DOWN if at else None) for at in range(3)]
    entry.instead(parts[1], "c")
    entry.instead(parts[2], "c")
    assert red(story.run()) == set()


def test_where_a_handling_failed_as_a_whole_its_counts_are_not_judged() -> None:
    story = Story(chain(call("a", "b", retry=1)))
    entry = story.call()
    entry.calls("b", fails=BROKEN)
    entry.error = "INTERNAL: b failed"
    run = story.run()
    run.calls[0] = replace(run.calls[0], status="INTERNAL", reply_digest=None)
    assert red(run) == {"answered"}


# --- loops ------------------------------------------------------------------------------------------------------------


def looped(rounds: int, loop: int = 10) -> Run:
    story = Story(chain(event("a", "b", "go"), event("b", "b", "again", least=0, loop=loop)))
    (at,) = story.call().emits("go")
    for _ in range(rounds):
        (at,) = at.emits("again")
    return story.run()


def test_a_loop_within_its_bound_is_right() -> None:
    assert red(looped(10)) == set()
    assert red(looped(0)) == set()


def test_a_loop_beyond_its_bound_is_wrong_and_names_the_edge() -> None:
    run = looped(11)
    assert red(run) == {"followed"}
    assert followed(run) == (
        "1 wrong: the way to a message of b led 11 times over b → b, which may loop 10 times (call 000000000000)"
    )


def test_a_loop_of_thousands_is_followed_without_recursion() -> None:
    assert red(looped(3_000, loop=3_000)) == set()
    assert red(looped(3_000, loop=2_999)) == {"followed"}


def test_a_bound_holds_for_each_way_and_not_for_all_together() -> None:
    """A tree of calls, two to each: no way is longer than two."""
    story = Story(chain(call("a", "b"), call("b", "b", least=0, most=2, loop=2)))
    top = story.call().calls("b")
    for half in (top.calls("b"), top.calls("b")):
        half.calls("b"), half.calls("b")
    assert red(story.run()) == set()
    story.told[-1].calls("b")
    assert red(story.run()) == {"followed"}


def test_a_circle_of_two_is_bounded_where_it_leads_back() -> None:
    story = Story(chain(call("a", "b"), call("b", "c", least=0), call("c", "b", least=0, loop=2)))
    at = story.call().calls("b")
    for _ in range(2):
        at = at.calls("c").calls("b")
    assert red(story.run()) == set()
    at.calls("c").calls("b")
    assert red(story.run()) == {"followed"}


# --- joins ------------------------------------------------------------------------------------------------------------

MAP = chain(
    event("a", "m", "part", least=1, most=None), event("m", "r", "done"), event("r", "z", "sum"), joins={"r": 0}
)


def mapped(width: int) -> tuple[Story, list[Told]]:
    """Scattered and mapped; the handlings of r, of which none has joined the others."""
    story = Story(MAP)
    entry = story.call()
    parts = parts_of(entry, width, scatter_id(entry.message, "a", "part", 0))
    return story, parts


def parts_of(entry: Told, width: int, scatter: str) -> list[Told]:
    """The handlings of r, which wait."""
    parts = []
    for at in range(width):
        for mapper in entry.emits("part", f"{at}".encode()):
            mapper.part = f"{scatter}:{at}:{width}"
            for part in mapper.emits("done"):
                part.waits, part.part = True, mapper.part
                parts.append(part)
    return parts


def twice_scattered() -> tuple[Story, list[Told], list[Told]]:
    """Two scatters of one handling, of which none was joined."""
    story = Story(MAP)
    entry = story.call()
    one, other = (parts_of(entry, 2, scatter_id(entry.message, "a", "part", at)) for at in range(2))
    return story, one, other


def test_two_scatters_of_one_handling_are_joined_each_for_itself() -> None:
    story, one, other = twice_scattered()
    join(one)
    assert details(story) == ("the join of r never ran though all 2 came (call 000000000000)",)
    join(other)
    assert red(story.run()) == set()


def test_a_join_that_mixes_scatters_is_wrong() -> None:
    story, one, other = twice_scattered()
    join([one[0], other[1]])
    join([one[1], other[0]])
    assert details(story) == ("r joined parts of 2 scatters (call 000000000000)",) * 2


def test_a_join_that_has_one_part_twice_is_wrong() -> None:
    story, parts = mapped(2)
    join(parts)
    parts[1].part = parts[0].part
    assert details(story) == ("r joined 1 of 2, as 2 messages (call 000000000000)",)


def test_what_a_part_says_is_not_believed_alone() -> None:
    story, one, other = twice_scattered()
    for part in (*one, *other):
        _, index, total = (part.part or "").split(":")
        part.part = f"{'f' * 32}:{index}:{total}"
    join(one)
    join(other)
    assert details(story) == ("r joined 2 messages that were never a part of this scatter (call 000000000000)",) * 2


def test_a_part_that_does_not_say_which_it_is_cannot_be_joined() -> None:
    story, parts = mapped(2)
    join(parts)
    parts[0].part = None
    assert details(story) == ("r joined 1 messages that do not say which part they are (call 000000000000)",)


def test_two_of_one_edge_do_not_stand_for_one_of_another() -> None:
    story = Story(
        chain(event("a", "b", "x"), event("a", "c", "x"), event("b", "d", "y"), event("c", "d", "z"), joins={"d": 2})
    )
    left, right = story.call().emits("x")
    first, again = (left.emits("y")[0] for _ in range(2))
    (last,) = right.emits("z")
    first.waits = last.waits = True
    again.joined = (first.message, again.message)
    assert details(story)[:2] == (
        "d joined 2 of 1 of b y (call 000000000000)",
        "d joined 0 of 1 of c z (call 000000000000)",
    )


def details(story: Story) -> tuple[str, ...]:
    return tuple(checks_of(story.run())["delivered"].details)


def join(parts: list[Told]) -> None:
    last = parts[-1]
    last.waits, last.joined = False, tuple(part.message for part in parts)
    last.emits("sum")


@pytest.mark.parametrize("width", [1, 2, 16])
def test_a_join_of_all_parts_is_right_and_sends_once(width: int) -> None:
    story, parts = mapped(width)
    join(parts)
    assert red(story.run()) == set()


def test_a_join_that_never_ran_is_not_delivered_and_names_what_it_lacks() -> None:
    story, parts = mapped(16)
    join(parts)
    run = story.run()
    gone = [each for each in run.receipts if each.function in ("m", "r")][-4:]  # two parts, and what followed from them
    run.forget([*gone, *(each for each in run.receipts if each.function == "z")])
    assert red(run) == {"delivered"}
    assert "the join of r waits for 2 of 16" in " ".join(checks_of(run)["delivered"].details)


def test_a_join_that_had_all_and_did_not_run_says_so() -> None:
    story, _ = mapped(4)
    run = story.run()
    assert red(run) == {"delivered"}
    assert checks_of(run)["delivered"].got == ("1 wrong: the join of r never ran though all 4 came (call 000000000000)")


def test_a_join_that_ran_without_a_part_is_wrong() -> None:
    story, parts = mapped(16)
    join(parts[1:])
    run = story.run()
    assert red(run) == {"delivered"}
    assert checks_of(run)["delivered"].details == (
        "r joined 15 of 16 (call 000000000000)",
        "the join of r waits for 15 of 16 (call 000000000000)",
    )


def test_a_part_that_was_joined_twice_was_handled_twice() -> None:
    story, parts = mapped(2)
    join(parts)
    run = story.run()
    ran = next(each for each in run.receipts if each.joined)
    run.receipts.append(replace(ran, seq=99, sent=()))
    assert red(run) >= {"once"}


def test_parts_that_nobody_received_cannot_have_been_joined() -> None:
    story, parts = mapped(4)
    join(parts)
    parts[-1].joined = (*parts[-1].joined[:3], "f" * 32)
    run = story.run()
    assert red(run) == {"delivered"}
    assert "r joined 1 messages that never came" in " ".join(checks_of(run)["delivered"].details)


def test_a_part_that_sends_while_it_waits_is_wrong() -> None:
    story, parts = mapped(2)
    join(parts)
    parts[0].emits("sum")
    run = story.run()
    assert red(run) == {"followed"}
    assert followed(run) == "1 wrong: r sent an event sum 1 times, not 0, while it waited (call 000000000000)"


def test_a_diamond_that_joins_runs_once() -> None:
    story = Story(
        chain(event("a", "b", "x"), event("a", "c", "x"), event("b", "d", "y"), event("c", "d", "z"), joins={"d": 2})
    )
    left, right = (branch.emits(kind)[0] for branch, kind in zip(story.call().emits("x"), "yz", strict=True))
    left.waits, right.joined = True, (left.message, right.message)
    assert red(story.run()) == set()
    right.joined = (right.message,)
    assert checks_of(story.run())["delivered"].details == (
        "d joined 1 of 2 (call 000000000000)",
        "the join of d waits for 1 of 2 (call 000000000000)",
    )


def test_several_joins_of_one_call_each_have_parts_of_their_own() -> None:
    """Two rounds of a scatter of three."""
    story = Story(
        chain(
            event("a", "s", "go"),
            event("s", "m", "part", least=3, most=3),
            event("m", "r", "done"),
            event("r", "s", "go", least=0, loop=1),
            joins={"r": 3},
        )
    )
    (splitter,) = story.call().emits("go")
    for again in (True, False):
        parts = [part for _ in range(3) for mapper in splitter.emits("part") for part in mapper.emits("done")]
        for part in parts[:2]:
            part.waits = True
        parts[2].joined = tuple(part.message for part in parts)
        if again:
            (splitter,) = parts[2].emits("go")
    assert red(story.run()) == set()


def test_a_task_that_was_done_before_is_acknowledged_and_no_repetition() -> None:
    story = Story(chain(event("a", "b", "t")))
    (done,) = story.call().emits("t")
    run = story.run()
    run.receipts.append(replace(run.receipts[-1], seq=99, waits=True))
    run.spans.append(replace(next(each for each in run.spans if each.id == done.span), id="f" * 16))
    assert red(run) == set()
    run.receipts[-1] = replace(run.receipts[-1], waits=False)
    assert red(run) == {"once"}


# --- tasks and gateways -----------------------------------------------------------------------------------------------


def test_that_all_tasks_are_done_may_be_said_by_any_of_them() -> None:
    story = Story(
        chain(
            event("a", "b", "t"), event("b", "b", "t", least=0, most=None, tasks=9), event("b", "c", "end", done=True)
        )
    )
    (first,) = story.call().emits("t")
    (second, *_) = first.emits("t")
    second.emits("end")
    assert red(story.run()) == {"tasks"}  # nobody asked the ledger
    second.emits("end")
    assert red(story.run()) == {"followed", "tasks"}


def test_a_gateway_may_ask_the_chain() -> None:
    story = Story(chain(event("a", "front", "answer"), gateway="front"))
    (front,) = story.call().emits("answer")
    front.calls("a").emits("answer")
    assert "followed" not in red(story.run())
