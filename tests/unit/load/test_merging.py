"""Records of several generators become one load, on one clock, and none is missed in silence."""

from __future__ import annotations

from dataclasses import replace

from toolkit.load import share
from toolkit.load.clocks import Offset
from toolkit.load.identity import identities
from toolkit.load.merging import Part, merged
from toolkit.load.share import Share
from toolkit.results import CallRecord, Load

LOAD = Load(requests=6, rate=1000.0)  # due 0, 1 … 5 ms after the start
MS = 1_000_000
START = 50 * MS


def call(seq: int, *, ahead_ns: int = 0, load: Load = LOAD) -> CallRecord:
    """As its generator records it, whose clock is ahead."""
    who = next(each for each in identities("run-1", load) if each.seq == seq)
    due = START + seq * MS + ahead_ns
    return CallRecord(seq, who.call, who.trace, True, due, due + 1, due + MS, "OK", digest="d", size=1)


def whole() -> list[CallRecord]:
    return [call(seq) for seq in range(6)]


def test_calls_come_together_in_their_order() -> None:
    parts = [Part(Share(1, 2), [call(5), call(1), call(3)]), Part(Share(0, 2), [call(0), call(2), call(4)])]
    assert merged(parts, LOAD, "run-1", START, None) == whole()


def test_times_are_moved_to_our_clock_and_a_lost_call_stays_lost() -> None:
    ahead = 7_000 * MS
    theirs = [replace(call(1, ahead_ns=ahead), done_ns=None, status=None), call(3, ahead_ns=ahead)]
    parts = [Part(Share(0, 2), [call(0), call(2)]), Part(Share(1, 2), theirs, Offset(ahead, 5))]
    found = merged(parts, LOAD, "run-1", START, None)
    assert [each.due_ns for each in found] == [START + seq * MS for seq in range(4)]
    assert found[1].done_ns is None
    assert found[3] == call(3)


def test_what_a_generator_that_is_gone_did_not_tell_of_was_lost_or_never_sent() -> None:
    gone = Part(Share(1, 2), [call(1)], ended_ns=START + 4 * MS, why="it was killed")
    found = merged([Part(Share(0, 2), [call(0), call(2), call(4)]), gone], LOAD, "run-1", START, None)
    assert [each.call for each in found] == [each.call for each in whole()]
    lost, unsent = found[3], found[5]
    assert (lost.status, lost.done_ns, lost.refused, lost.error) == (None, None, False, "it was killed")
    assert (unsent.refused, unsent.sampled, unsent.error) == (True, False, "it was killed")
    assert unsent.due_ns == START + 5 * MS


def test_a_generator_that_is_gone_without_a_word_leaves_all_of_its_calls_on_the_record() -> None:
    gone = Part(Share(1, 2), [], ended_ns=START - 1, why="it was killed")
    found = merged([Part(Share(0, 2), [call(0), call(2), call(4)]), gone], LOAD, "run-1", START, None)
    assert [each.refused for each in found] == [False, True] * 3


def test_what_was_due_after_a_stop_is_not_missed() -> None:
    gone = Part(Share(0, 1), [call(0)], ended_ns=START + 4 * MS, why="it was killed")
    found = merged([gone], LOAD, "run-1", START, START + 2 * MS)
    assert [each.seq for each in found] == [0, 1, 2]


def test_in_a_closed_loop_the_order_is_that_of_sending_and_known_calls_are_lost_with_their_generator() -> None:
    load = Load(requests=8, concurrency=2)
    first = [replace(call(seq, load=load), sent_ns=START + when) for seq, when in ((0, 1), (2, 3))]
    other = [replace(call(1, load=load), sent_ns=START + 2)]
    gone = Part(Share(1, 2), other, sent=3, ended_ns=START + 9, why="it was killed")
    found = merged([Part(Share(0, 2), first), gone], load, "run-1", START, None)
    assert [each.seq for each in found] == [0, 1, 2, 3, 4]
    assert [each.call for each in found[:3]] == [call(seq, load=load).call for seq in (0, 1, 2)]
    assert [each.done_ns for each in found[3:]] == [None, None]
    assert {each.call for each in found[3:]} == {call(seq, load=load).call for seq in (3, 5)}


def test_one_generator_that_told_everything_is_just_itself() -> None:
    assert merged([Part(share.WHOLE, whole())], LOAD, "run-1", START, None) == whole()
