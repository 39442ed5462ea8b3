"""Each message's way, the causes behind the path, and what holds for any spans whatever."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.known import Played, any_chain, microseconds
from tests.unit.traces.made import calm, span, tangled
from toolkit.traces import view
from toolkit.traces.anatomy import HopTime, anatomy
from toolkit.traces.complete import shown
from toolkit.traces.critical import critical_path
from toolkit.traces.model import Span
from toolkit.traces.passages import passages
from toolkit.traces.rows import rows
from toolkit.traces.segments import WHATS
from toolkit.traces.skew import bounds

CALL = {"toolkit.call": "c", "toolkit.replica": "j-0"}
JOIN = [  # j handles x, waits for y and z, and sends on when z is there; z is handled beside it and is over at 60
    span(1, "front", "SERVER", message="c", start=1, duration=20),
    span(2, "front", "PRODUCER", 1, message="x", start=5, duration=2),
    span(3, "front", "PRODUCER", 1, message="y", start=10, duration=2),
    span(4, "front", "PRODUCER", 1, message="z", start=15, duration=2),
    span(5, "j", "CONSUMER", 2, message="x", start=20, duration=60, tags=CALL),
    span(6, "j", "CONSUMER", 3, message="y", start=30, duration=5, tags=CALL),
    span(7, "j", "CONSUMER", 4, message="z", start=50, duration=10, tags=CALL),
    span(8, "j", "PRODUCER", 5, message="on", start=70, duration=2),
    span(9, "last", "CONSUMER", 8, message="on", start=90, duration=10),
]


def path(spans: list[Span]) -> list[tuple[str, str, int, int]]:
    return [(each.label, each.what, each.start, each.end) for each in critical_path(spans)]


def test_a_join_is_led_to_by_the_last_event_that_arrived() -> None:
    assert path(JOIN)[-6:] == [
        ("front", "work", 12, 15),
        ("front → j (event)", "network", 15, 50),
        ("j", "work", 50, 60),
        ("j", "work", 60, 70),
        ("j → last (event)", "network", 70, 90),
        ("last", "work", 90, 100),
    ]
    assert [each.span for each in critical_path(JOIN)][-4:-2] == [f"{7:016x}", f"{5:016x}"]


def test_a_function_that_calls_after_it_waited_was_led_there_by_what_it_waited_for() -> None:
    called = [
        dataclasses.replace(JOIN[7], kind="CLIENT", duration=9),
        span(9, "last", "SERVER", 8, message="on", start=72, duration=5),
    ]
    assert path([*JOIN[:7], *called])[-5:] == [
        ("j", "work", 60, 70),
        ("j → last (call)", "network", 70, 72),
        ("last", "work", 72, 77),
        ("j → last (call)", "network", 77, 79),
        ("j", "work", 79, 80),
    ]


def changed(at: int, **changes: object) -> list[Span]:
    return [*JOIN[:at], dataclasses.replace(JOIN[at], **changes), *JOIN[at + 1 :]]  # type: ignore[arg-type]


def test_two_triggers_for_one_function_are_two_deliveries_and_a_retry_is_none() -> None:
    def delivered(number: int, name: str) -> list[Span]:
        return [
            span(number, "broker.filter", None, 1, start=number * 10, duration=90, name=name),
            span(number + 1, "s", "CONSUMER", number, message="m", start=number * 10 + 5, tags={"error": "x"}),
        ]

    sent = span(1, "a", "PRODUCER", message="m", start=10, tags={"error": "503"})
    two = [sent, *delivered(10, "trigger:one.ns"), *delivered(20, "trigger:two.ns")]
    assert [(each.attempt, each.timed, each.failed) for each in anatomy(two)] == [(1, True, False)] * 2
    again = [sent, *delivered(10, "trigger:one.ns"), *delivered(20, "trigger:one.ns")]
    assert [(each.attempt, each.timed) for each in anatomy(again)] == [(1, True), (2, False)]


def test_a_call_that_somebody_sent_again_was_at_work_in_every_attempt() -> None:
    spans = [
        span(1, "caller", "CLIENT", message="m", start=1000, duration=1000),
        span(2, "a", "SERVER", 1, message="m", start=1100, duration=300, tags={"error": "x"}),
        span(3, "a", "SERVER", 1, message="m", start=1500, duration=400),
    ]
    (hop,) = anatomy(spans)
    assert dict(hop.parts) == {"work": 700, "network": 300}
    on_path = Counter[str]()
    for each in critical_path(spans):
        on_path[each.what] += each.duration_us
    assert on_path == dict(hop.parts)


def guessed(*between: Span, other: Sequence[Span] = ()) -> list[tuple[str, int, str | None]]:
    """The path of a handling of one event that sends on when another one's handling is over; with what it did between,
    and what the other one did."""
    spans = [
        span(1, "a", "SERVER", message="c", start=1000, duration=200),
        span(2, "a", "PRODUCER", 1, message="e1", start=1020, duration=10),
        span(3, "a", "PRODUCER", 1, message="e2", start=1040, duration=10),
        span(4, "j", "CONSUMER", 2, message="e1", start=1100, duration=4900),
        span(5, "j", "CONSUMER", 3, message="e2", start=1300, duration=4500),
        span(6, "j", "CLIENT", 4, message="o", start=5900, duration=50),
        *between,
        *other,
    ]
    return [(each.what, each.duration_us, each.span and each.span.lstrip("0")) for each in critical_path(spans)]


def test_a_guess_never_overrides_what_is_known_to_have_been_waited_for() -> None:
    call = span(7, "j", "CLIENT", 4, message="p", start=1150, duration=4550)  # until 5700
    served = span(8, "db", "SERVER", 7, message="p", start=1200, duration=4400)
    path = guessed(call, served)
    assert ("work", 4400, "8") in path
    assert ("work", 100, "5") in path  # until 5800, when the other one was over
    assert sum(us for _, us, _ in path) == 5000


def test_who_called_somebody_is_not_waited_for_by_another() -> None:
    assert "5" in {who for _, _, who in guessed()}
    asks = span(7, "j", "CLIENT", 5, message="p", start=1350, duration=10)
    assert "5" not in {who for _, _, who in guessed(other=[asks])}


def test_what_no_join_can_be_is_none() -> None:
    other_replica = changed(6, tags={**JOIN[6].tags, "toolkit.replica": "j-1"})
    other_instance = changed(6, tags={**JOIN[6].tags, "service.instance.id": "j-1"})
    other_call = changed(6, tags={**JOIN[6].tags, "toolkit.call": "d"})
    other_function = changed(6, service="k")
    again = changed(6, tags={**JOIN[6].tags, "toolkit.message": "x"})
    for spans in (other_replica, other_instance, other_call, other_function, again):
        assert ("front → j (event)", "network", 10, 30) in path(spans)  # y, not z
    side_by_side = [*JOIN, span(10, "j", "PRODUCER", 7, message="too", start=55, duration=1)]
    assert ("front → j (event)", "network", 10, 30) in path(side_by_side)


@pytest.mark.parametrize("tag", ["toolkit.joined", "toolkit.task"])
def test_where_a_span_says_why_it_began_nothing_is_guessed(tag: str) -> None:
    """The last part of a join brings its handler to run; a task waits for none beside it."""
    assert ("front → j (event)", "network", 15, 50) in path(JOIN)
    assert ("front → j (event)", "network", 5, 20) in path(changed(4, tags={**JOIN[4].tags, tag: "3"}))


def test_a_link_names_what_led_to_a_span() -> None:
    linked = {"otlp.link.0": f"{JOIN[0].trace}|{6:016x}||{{}}|0", "otlp.link.1": f"{'9' * 32}|{7:016x}||{{}}|0"}
    spans = [dataclasses.replace(each, service="k") if each.id == f"{7:016x}" else each for each in JOIN]
    spans[5] = dataclasses.replace(spans[5], service="other")
    spans[7] = dataclasses.replace(spans[7], tags={**spans[7].tags, **linked})
    assert ("front → other (event)", "network", 10, 30) in path(spans)
    assert ("j", "work", 35, 70) in path(spans)


def test_nothing_waits_for_what_it_led_to() -> None:
    mine = {"otlp.link.0": f"{JOIN[0].trace}|{3:016x}||{{}}|0"}
    spans = [
        span(1, "a", "SERVER", start=1, duration=100),
        span(2, "a", "CLIENT", 1, start=10, duration=50),
        span(3, "b", "SERVER", 2, start=20, duration=10),
        span(4, "a", "CLIENT", 1, start=70, duration=10, tags=mine),
    ]
    assert view.of(spans).waits == {}
    assert path(spans) == path([*spans[:3], dataclasses.replace(spans[3], tags={})])


def test_an_event_beside_a_function_that_goes_on_is_not_on_its_path() -> None:
    spans = [
        span(1, "a", "SERVER", start=1, duration=100),
        span(2, "a", "PRODUCER", 1, start=11, duration=5),
        span(3, "b", "CONSUMER", 2, start=30, duration=50),
    ]
    assert path(spans) == [
        ("a", "work", 1, 11), ("a → ? (event)", "network", 11, 16), ("a", "work", 16, 101),
    ]  # fmt: skip
    longer = [*spans[:2], dataclasses.replace(spans[2], duration=100)]
    assert path(longer) == [
        ("a", "work", 1, 11), ("a → b (event)", "network", 11, 30), ("b", "work", 30, 130),
    ]  # fmt: skip
    assert critical_path(longer, until_answer=True) == critical_path(spans)


def test_a_call_that_was_left_behind_is_no_cause_of_what_the_function_did_meanwhile() -> None:
    spans = [
        span(1, "a", "SERVER", start=1, duration=100),
        span(2, "a", "CLIENT", 1, start=11, duration=290, remote="log"),
        span(3, "a", "CLIENT", 1, start=21, duration=40, remote="db"),
    ]
    assert [(each.label, each.duration_us) for each in critical_path(spans, until_answer=True)] == [
        ("a", 20), ("a → db (call)", 40), ("a", 40),
    ]  # fmt: skip
    assert [(each.label, each.duration_us) for each in critical_path(spans)] == [("a", 10), ("a → log (call)", 290)]


def test_a_server_whose_clock_is_late_is_still_what_its_client_waited_for() -> None:
    spans = [
        span(1, "a", "CLIENT", message="m", start=1, duration=100),
        span(2, "b", "SERVER", 1, message="m", start=51, duration=90),
    ]
    assert path(spans) == [("a → b (call)", "network", 1, 51), ("b", "work", 51, 141)]
    assert critical_path(spans, until_answer=True)[-1].end == 101
    assert path(spans)[0] == ("a → b (call)", "network", 1, 51)


def test_the_server_that_answered_is_the_last_of_a_call_that_was_tried_again() -> None:
    spans = [
        span(1, "a", "CLIENT", message="m", start=100, duration=100),
        span(2, "b", "SERVER", 1, message="m", start=110, duration=10, tags={"error": "UNAVAILABLE"}),
        span(3, "c", "SERVER", 1, message="m", start=130, duration=50),
    ]
    (hop,) = anatomy(spans)
    assert (hop.to, dict(hop.parts)) == ("c", {"network": 40, "work": 60})


def test_a_bypassed_activator_has_no_cold_wait_and_lost_nothing() -> None:
    random = Random(3)
    found = Played(microseconds(random), "1.23", activator=False)
    found.play(any_chain(random))
    assert not [each for each in critical_path(found.spans) if each.what == "cold wait"]
    assert all(each.whole for each in anatomy(found.spans))
    assert not any(each.lost or each.guessed for each in rows(found.spans))


def test_a_call_that_nobody_served_is_told_as_far_as_the_platform_does() -> None:
    spans = [
        span(1, "a", "CLIENT", message="m", start=100, duration=100, remote="b", tags={"error": "UNAVAILABLE"}),
        span(2, "activator", "SERVER", 1, start=110, duration=80),
        span(3, "activator", None, 2, start=115, duration=60, name="throttler_try"),
    ]
    (hop,) = anatomy(spans)
    assert (hop.to, hop.failed, hop.timed, hop.whole) == ("b", True, False, True)
    assert dict(hop.parts) == {"network": 20, "proxy": 20, "cold wait": 60}
    (alone,) = anatomy([dataclasses.replace(spans[0], remote=None)])
    assert (alone.to, alone.parts) == ("?", (("network", 100),))


def test_of_two_calls_with_one_message_each_has_its_own_server() -> None:
    spans = [
        span(1, "a", "CLIENT", message="m", start=100, duration=100),
        span(2, "b", "SERVER", 1, message="m", start=110, duration=10),
        span(3, "a", "CLIENT", message="m", start=300, duration=100),
        span(4, "b", "SERVER", 3, message="m", start=310, duration=20),
    ]
    assert sorted(dict(each.parts)["work"] for each in anatomy(spans)) == [10, 20]


def test_a_second_delivery_is_the_second() -> None:
    spans = [
        span(1, "a", "PRODUCER", message="m", start=100, duration=10),
        span(2, "b", "CONSUMER", 1, message="m", start=300, duration=10, tags={"error": "500"}),
        span(3, "b", "CONSUMER", 1, message="m", start=500, duration=10),
        span(4, "c", "CONSUMER", 1, message="m", start=400, duration=10),
    ]
    assert [(each.to, each.attempt, each.duration_us, each.timed) for each in anatomy(spans)] == [
        ("b", 1, 200, True), ("c", 1, 300, True), ("b", 2, 400, False),
    ]  # fmt: skip


def test_a_stranger_on_the_way_is_on_the_network() -> None:
    spans = [
        span(1, "a", "PRODUCER", message="m", start=100, duration=10),
        span(2, "rabbit", "SERVER", 1, start=120, duration=50),
        span(3, "b", "CONSUMER", 2, message="m", start=300, duration=10),
    ]
    (hop,) = anatomy(spans)
    assert (hop.parts, hop.whole) == ((("network", 200),), True)


seeds = st.integers(0, 2**32)


# whatever the spans


def hold(spans: list[Span]) -> None:
    for until_answer in (False, True):
        segments = critical_path(spans, until_answer=until_answer)
        assert all(one.end == other.start for one, other in itertools.pairwise(segments))
        assert all(each.duration_us > 0 and each.what in WHATS for each in segments)
        if segments:
            seen = view.of(spans)
            assert seen.root is not None
            assert segments[0].start == seen.starts[seen.root]
            assert not until_answer or segments[-1].end == seen.ends[seen.root]
            assert segments[-1].end >= seen.ends[seen.root]
            ids = {each.id for each in spans}
            assert all((each.span is None) == (each.what == "unattributed") for each in segments)
            assert all(each.span in ids for each in segments if each.span)
    for hop in anatomy(spans):
        ways_us = sum(us for _, us in hop.parts)
        assert ways_us == (hop.duration_us if hop.duration_us > 0 else 0)
        assert all(us > 0 and what in WHATS for what, us in hop.parts)
        assert len({what for what, _ in hop.parts}) == len(hop.parts)
    assert len(list(rows(spans))) == len(view.of(spans).spans)


def everything(spans: list[Span]) -> tuple[object, ...]:
    told: list[HopTime] = anatomy(spans)
    expected = [("a", "b", "call"), ("a", "c", "event")]
    return critical_path(spans), told, list(rows(spans)), list(bounds(spans)), shown(spans, expected), passages(spans)  # type: ignore[arg-type]


@calm
@given(tangled(20))
def test_segments_and_parts_are_disjoint_and_add_up(spans: list[Span]) -> None:
    hold(spans)


@calm
@given(tangled(), st.randoms())
def test_the_order_of_the_spans_is_no_matter(spans: list[Span], random: Random) -> None:
    before = everything(spans)
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert everything(shuffled) == before


@calm
@given(seeds, st.sampled_from([None, "1.18", "1.23"]), st.data())
def test_a_trace_that_was_spoilt_still_adds_up(seed: int, generation: None, data: st.DataObject) -> None:
    random = Random(seed)
    found = Played(microseconds(random, 50), generation)
    found.play(any_chain(random))
    spans = list(found.spans)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(spans) - 1))
        some = data.draw(st.sampled_from(spans))
        spoils: list[dict[str, object]] = [
            {"timestamp": None}, {"duration": None}, {"duration": 0}, {"parent": some.id}, {"parent": "f" * 16},
            {"id": some.id}, {"shared": True}, {"timestamp": (spans[at].timestamp or 0) + 1000}, {"tags": {}},
            {"timestamp": (spans[at].timestamp or 0) - 1000}, {"duration": 10**9}, {"kind": some.kind},
            {"service": some.service}, {"tags": some.tags}, {"timestamp": 1}, {"parent": None},
        ]  # fmt: skip
        spans[at] = dataclasses.replace(spans[at], **data.draw(st.sampled_from(spoils)))  # type: ignore[arg-type]
    hold(spans)
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert everything(shuffled) == everything(spans)


def test_thousands_of_children_and_levels_are_no_trouble() -> None:
    wide = [span(1, "a", "SERVER", start=1, duration=50_000)]
    wide += [span(n, "a", "CLIENT", 1, message=str(n), start=n, duration=n % 7 + 1) for n in range(2, 5000)]
    deep = [span(n, "a", "SERVER", n - 1 or None, start=n, duration=50_000 - 2 * n) for n in range(1, 5000)]
    fan = [span(1, "a", "PRODUCER", message="m", start=1, duration=5)]
    fan += [span(n, f"f{n}", "CONSUMER", 1, message="m", start=10 + n, duration=n % 7 + 1) for n in range(2, 3000)]
    joined = [span(1, "a", "SERVER", message="c", start=1, duration=5)]
    joined += [span(n, "a", "PRODUCER", 1, message=str(n), start=2, duration=1) for n in range(2, 1000)]
    joined += [span(n + 1000, "j", "CONSUMER", n, message=str(n), start=n, duration=5) for n in range(2, 1000)]
    joined += [span(n + 2000, "j", "CLIENT", 1002, message=f"{n}s", start=n + 6, duration=1) for n in range(2, 1000)]
    for spans in (wide, deep, fan, joined, behind_gaps(500)):
        hold(spans)


def behind_gaps(subscribers: int) -> list[Span]:
    """One event for many, through a broker, with an ingress that tells nothing before each."""
    spans = [span(1, "a", "PRODUCER", message="m", start=1), span(2, "broker.ingress", "SERVER", 1, start=2)]
    for number in range(10, 10 * subscribers + 10, 10):
        to = {"server.address": f"f{number}.default"}
        spans += [
            span(number, "broker.filter", "CLIENT", 2, start=20 + number, duration=900, tags=to),
            span(number + 1, "activator", "SERVER", 10**6 + number, start=30 + number, duration=800),
            span(number + 2, f"f{number}", "CONSUMER", number + 1, message="m", start=40 + number, duration=700),
        ]
    return spans


def test_every_subscriber_behind_a_gap_is_behind_the_request_that_went_to_it() -> None:
    parents = [row.parent for row in rows(behind_gaps(50)) if row.span.service == "activator"]
    assert sorted(parents, key=str) == sorted((f"{number:016x}" for number in range(10, 510, 10)), key=str)


def test_nothing_has_no_way() -> None:
    assert (anatomy([]), list(rows([])), list(bounds([]))) == ([], [], [])
    assert shown([], []).complete
