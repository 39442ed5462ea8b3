"""What messages tell of two clocks, where the truth is known."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.traces.known import Node, Played, any_chain, gave_up
from tests.unit.traces.made import calm, span, tangled
from toolkit.traces.anatomy import anatomy
from toolkit.traces.model import Span
from toolkit.traces.rows import rows
from toolkit.traces.skew import EARLY_US, LATE_US, Clocks, Offsets, bounds, host

A_TO_B = [
    span(1, "a", "CLIENT", message="m", start=1000, duration=100),
    span(2, "b", "SERVER", 1, message="m", start=1030, duration=50),
]
PAIR = Node("a", [("call", [Node("b")])])
EVENT = Node("a", [("event", [Node("b")])])


def played(node: Node, ahead_us: float, seed: int = 1, most_ns: int = 40_000) -> list[Span]:
    """Lengths are nanoseconds, so that Zipkin's whole microseconds cut something off."""
    random = Random(seed)
    found = Played(lambda: random.randrange(1, most_ns), ahead={"b": round(ahead_us * 1000)})
    found.play(node)
    return found.spans


def known(*traces: list[Span]) -> Clocks:
    offsets = Offsets()
    for spans in traces:
        offsets.add(spans)
    (found,) = [each for each in offsets.clocks() if {each.one, each.other} == {"a-0", "b-0"}]
    return found


def test_a_call_bounds_the_offset_from_both_sides_and_an_event_from_one() -> None:
    assert list(bounds(A_TO_B)) == [("a", "b", -20 - LATE_US, 30 + EARLY_US)]
    sent = [span(1, "a", "PRODUCER", message="m", start=10), span(2, "b", "CONSUMER", 1, message="m", start=15)]
    assert list(bounds(sent)) == [("a", "b", None, 5 + EARLY_US)]


def test_clocks_that_agree_are_no_disagreement_however_little_the_network_takes() -> None:
    offsets = Offsets()
    for seed in range(500):
        offsets.add(played(PAIR, 0, seed, most_ns=3))
        offsets.add(played(EVENT, 0, seed, most_ns=3))
    assert offsets.disagreeing() == []
    assert all(each.pairs == 1000 or each.pairs == 500 for each in offsets.clocks())


@calm
@given(st.floats(-1e6, 1e6), st.integers(0, 2**32))
def test_the_true_offset_is_always_within_the_bounds(ahead_us: float, seed: int) -> None:
    for one, other, least, most in bounds(played(any_chain(Random(seed)), 0, seed)):
        assert (least or 0) <= 0 <= (0 if most is None else most), (one, other)
    found = known(played(PAIR, ahead_us, seed), played(EVENT, ahead_us, seed + 1))
    ahead = ahead_us if found.other == "b-0" else -ahead_us
    assert found.least_us is not None
    assert found.most_us is not None
    assert found.least_us <= ahead <= found.most_us


def test_bounds_get_narrower_with_every_trace_and_name_the_clock_that_is_ahead() -> None:
    found = known(*(played(PAIR, 5000, seed) for seed in range(200)))
    assert (found.one, found.other) == ("a-0", "b-0")
    assert (found.pairs, found.impossible) == (200, 200)
    assert found.least_us is not None
    assert found.most_us is not None
    assert 4900 < found.least_us <= 5000 <= found.most_us < 5100
    behind = known(*(played(PAIR, -5000, seed) for seed in range(200)))
    assert (behind.one, behind.other) == ("b-0", "a-0")
    assert behind.least_us is not None
    assert 4900 < behind.least_us <= 5000


def test_a_clock_that_moves_fits_no_constant_offset() -> None:
    both_ways = Node("a", [("call", [Node("b", [("event", [Node("a")])])])])
    found = known(*(played(both_ways, ahead, ahead + 2500) for ahead in range(-2500, 2500, 100)))
    assert found.least_us is not None
    assert found.most_us is not None
    assert found.least_us > found.most_us


def test_one_way_alone_never_says_that_a_clock_moved() -> None:
    found = known(*(played(PAIR, ahead, ahead + 2500) for ahead in range(-2500, 2500, 100)))
    assert found.impossible
    assert found.least_us is not None
    assert found.most_us is None or found.least_us <= found.most_us


def test_clients_that_gave_up_say_nothing_of_clocks() -> None:
    offsets = Offsets()
    for seed in range(300):
        given_up = gave_up(played(any_chain(Random(seed)), 0, seed, most_ns=10**9), Random(seed))
        offsets.add(given_up)
        assert not any(each.skewed for each in anatomy(given_up))
        assert not any(each.skewed for each in rows(given_up))
    assert offsets.disagreeing() == []


def late(seed: int, over_us: int = 40, back_us: int = 60) -> list[Span]:
    """A call whose handler goes on for a while after its answer was read."""
    begun = 1000 + seed % 7
    return [A_TO_B[0], span(2, "b", "SERVER", 1, message="m", start=begun + back_us, duration=100 - back_us + over_us)]


def test_a_server_that_outlasts_its_client_a_little_is_no_clock() -> None:
    for n in (1, 200):
        offsets = Offsets()
        for seed in range(n):
            offsets.add(late(seed))
            offsets.add(late(seed, over_us=2, back_us=5))
        assert offsets.disagreeing() == []
        assert not any(each.skewed for seed in range(n) for each in anatomy(late(seed)))
        assert not any(each.skewed for seed in range(n) for each in rows(late(seed)))


def test_ends_alone_accuse_a_clock_only_when_many_agree() -> None:
    few, many = Offsets(), Offsets()
    for seed in range(9):
        few.add(played(PAIR, 5000, seed))
    for seed in range(10):
        many.add(played(PAIR, 5000, seed))
    assert few.disagreeing() == []
    assert [each.other for each in many.disagreeing()] == ["b-0"]


def test_an_event_that_arrives_before_it_was_sent_says_who_is_ahead_at_least() -> None:
    found = known(played(EVENT, -5000))
    assert (found.one, found.other, found.impossible, found.most_us) == ("b-0", "a-0", 1, None)
    assert found.least_us is not None
    assert found.least_us > 4800


def test_two_that_counted_apart_are_one_that_counted_all() -> None:
    traces = [played(PAIR, 70 * seed - 500, seed) for seed in range(20)]
    whole, one, other = Offsets(), Offsets(), Offsets()
    for at, spans in enumerate(traces):
        whole.add(spans)
        (one if at % 3 else other).add(spans)
    one.merge(other)
    assert one.clocks() == whole.clocks()


def test_a_host_is_the_replica_else_the_instance_or_pod_else_the_service_or_part() -> None:
    told = {"k8s.pod.name": "p", "service.instance.id": "i", "toolkit.replica": "r"}
    assert host(span(1, "a", tags=told)) == "r"
    assert host(span(1, "a", tags={"k8s.pod.name": "p", "service.instance.id": "i"})) == "i"
    assert host(span(1, "a", tags={"k8s.pod.name": "p"})) == "p"
    assert host(span(1, "a")) == "a"
    assert host(span(1, "activator-service"), "activator") == "activator"
    assert host(span(1, "a"), "queue-proxy") == "queue-proxy of a"
    assert host(span(1, None)) == "?"


def test_the_platform_has_clocks_too() -> None:
    spans = [
        *A_TO_B[:1],
        span(3, "activator", "SERVER", 1, start=900, duration=100),
        span(4, "activator", "CLIENT", 3, start=920, duration=60),
        span(2, "b", "SERVER", 4, message="m", start=1030, duration=50),
    ]
    assert list(bounds(spans)) == [
        ("a", "b", -23, 31), ("activator", "b", 97, 111), ("a", "activator", -103, -99),
    ]  # fmt: skip


def test_who_speaks_to_himself_has_one_clock_and_who_tells_no_time_none() -> None:
    assert list(bounds([A_TO_B[0], span(2, "a", "SERVER", 1, message="m", start=900)])) == []
    assert list(bounds([A_TO_B[0], span(2, "b", "SERVER", 1, message="m", start=None)])) == []
    assert list(bounds([A_TO_B[0], span(2, "b", "SERVER", 1, message="m", start=1030, duration=None)])) == [
        ("a", "b", None, 31)
    ]


def test_a_call_between_two_clocks_keeps_its_duration_and_goes_by_durations() -> None:
    early = [A_TO_B[0], span(2, "b", "SERVER", 1, message="m", start=400, duration=50)]
    (hop,) = anatomy(early)
    assert (hop.skewed, hop.duration_us, hop.timed) == (True, 100, True)
    assert dict(hop.parts) == {"work": 50, "network": 50}
    assert [each.skewed for each in rows(early)] == [False, True]
    within = [
        A_TO_B[0],
        span(2, "b", "SERVER", 1, message="m", start=1000 - EARLY_US, duration=100 + EARLY_US + LATE_US),
    ]
    assert not anatomy(within)[0].skewed
    assert not any(each.skewed for each in rows(within))


def test_an_event_before_its_sending_has_no_parts_and_is_not_timed() -> None:
    (hop,) = anatomy([span(1, "a", "PRODUCER", message="m"), span(2, "b", "CONSUMER", 1, message="m", start=900)])
    assert (hop.skewed, hop.timed, hop.parts, hop.duration_us) == (True, False, (), 900 - 1_000_000)


@calm
@given(tangled())
def test_anything_has_bounds(spans: list[Span]) -> None:
    offsets = Offsets()
    offsets.add(spans)
    assert all(each.pairs >= max(1, each.impossible) for each in offsets.clocks())
    assert all(each.one != each.other for each in offsets.clocks())
