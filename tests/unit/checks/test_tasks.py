"""The check `tasks`: every way in which ledger and receipts can disagree turns it red."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.unit.checks.simulation import SINK, Run
from tests.unit.checks.story import Story, chain
from toolkit.checks import judge
from toolkit.results import Check, Incident, TaskRecord
from toolkit.spec.model import Edge

Records = list[TaskRecord]


def event(source: str, to: str, kind: str, **more: object) -> Edge:
    return Edge(source, to, "event", type=kind, **more)  # type: ignore[arg-type]


CHAIN = chain(
    event("a", "b", "first", least=0, most=None, tasks=1),
    event("b", "b", "next", least=0, most=None, tasks=3),
    event("b", "c", "end", done=True),
)


def ran() -> tuple[Run, Records]:
    """a spawned one task, which spawned two; the last one told that all were done."""
    story = Story(CHAIN)
    (first,) = story.call().emits("first")
    first.emits("next")
    (right,) = first.emits("next")
    right.emits("end")
    run = story.run()
    first_receipt, left_receipt, right_receipt = (each for each in run.receipts if each.function == "b")
    entry = next(each for each in run.receipts if each.function == "a")
    records = [
        TaskRecord(entry.call, first_receipt.message, entry.message, "a", "b", "done", 0, 1, 1, 2),
        TaskRecord(entry.call, left_receipt.message, first_receipt.message, "b", "b", "done", 1, 1, 1, 2),
        TaskRecord(entry.call, right_receipt.message, first_receipt.message, "b", "b", "done", 1, 1, 1, 2),
    ]
    return run, records


def judged(run: Run, records: Sequence[TaskRecord] | None) -> Check:
    checks = judge(run.chain, run.calls, replace(run.evidence, tasks=records), bound=run.bound, sink=SINK)
    (found,) = (check for check in checks if check.name == "tasks")
    return found


def test_tasks_that_were_all_done_keep_the_promise() -> None:
    check = judged(*ran())
    assert (check.passed, check.got) == (True, "3 tasks done once")


def test_only_chains_with_tasks_are_judged_by_it() -> None:
    story = Story(chain(event("a", "b", "t")))
    story.call().emits("t")
    run = story.run()
    checks = judge(run.chain, run.calls, run.evidence, bound=run.bound, sink=SINK)
    assert "tasks" not in {check.name for check in checks}


def test_a_ledger_that_could_not_be_asked_proves_nothing() -> None:
    check = judged(ran()[0], None)
    assert (check.passed, check.got) == (False, "nobody knows: the ledger could not be asked")


def becomes(state: str) -> Callable[[Run, Records], None]:
    def mutate(_: Run, records: Records) -> None:
        records[1] = replace(records[1], state=state)  # type: ignore[arg-type]

    return mutate


def lost(_: Run, records: Records) -> None:
    del records[1]


def invented(_: Run, records: Records) -> None:
    records[1] = replace(records[1], task="f" * 32)


def twice(_: Run, records: Records) -> None:
    records.append(records[1])


def adopted(_: Run, records: Records) -> None:
    records[1] = replace(records[1], parent="f" * 32)


def astray(_: Run, records: Records) -> None:
    records[1] = replace(records[1], to="c")


def unproven(run: Run, records: Records) -> None:
    run.receipts = [replace(each, waits=True) if each.message == records[1].task else each for each in run.receipts]


def failed_though_done(run: Run, records: Records) -> None:
    run.receipts = [
        replace(each, error="it broke") if each.message == records[1].task else each for each in run.receipts
    ]


def untold(run: Run, _: Records) -> None:
    run.receipts = [
        replace(each, sent=tuple(sent for sent in each.sent if sent.type != "end"))
        for each in run.receipts
        if each.function != "c"
    ]


def told_twice(run: Run, records: Records) -> None:
    (end,) = (sent for each in run.receipts for sent in each.sent if sent.type == "end")
    again = replace(end, message="e" * 32)
    run.receipts = [
        replace(each, sent=(*each.sent, again)) if each.message == records[2].task else each for each in run.receipts
    ]


def begun_elsewhere(run: Run, records: Records) -> None:
    """Another handling of the entry's spawned one of them."""
    entry = next(each for each in run.receipts if each.function == "a")
    moved = replace(entry.sent[0], message="d" * 32)
    run.receipts.append(replace(entry, message="c" * 32, seq=7, sent=(moved,)))


@pytest.mark.parametrize(
    ("mutate", "told"),
    [
        (becomes("failed"), "1 of 3 tasks failed"),
        (becomes("cancelled"), "1 of 3 tasks were cancelled"),
        (becomes("waiting"), "1 of 3 tasks never began"),
        (becomes("running"), "1 of 3 tasks never ended"),
        (lost, "the ledger knows nothing of task"),
        (invented, "no receipt tells of its event"),
        (twice, "1 tasks are in the ledger twice"),
        (adopted, "and the ledger says ffffffffffff"),
        (astray, "where no edge has tasks"),
        (unproven, "is done, says the ledger, and no receipt of b does"),
        (failed_though_done, "is done, says the ledger, and no receipt of b does"),
        (untold, "the end of all tasks was told never, not once"),
        (begun_elsewhere, "tasks began in 2 handlings"),
        (told_twice, "the end of all tasks was told 2 times, not once"),
    ],
)
def test_each_disagreement_is_told(mutate: Callable[[Run, Records], None], told: str) -> None:
    run, records = ran()
    mutate(run, records)
    check = judged(run, records)
    assert not check.passed
    assert any(told in text for text in check.details), check.details


def test_more_tasks_than_an_edge_allows_are_told() -> None:
    run, records = ran()
    run.chain = replace(CHAIN, edges=tuple(replace(each, tasks=1) if each.tasks else each for each in CHAIN.edges))
    assert "2 tasks from b to b, which may be 1" in judged(run, records).got


def test_what_a_killed_process_could_not_tell_is_the_ledgers_word() -> None:
    run, records = ran()
    unproven(run, records)
    run.incidents.append(Incident("restart", "b", "was ended by SIGKILL"))
    assert judged(run, records).passed


def test_a_task_that_was_begun_again_is_mentioned() -> None:
    run, records = ran()
    records[1] = replace(records[1], attempts=2)
    assert judged(run, records).got == "3 tasks done once; 1 task begun more than once"
