"""Every pattern of the language, really run: every promise is kept, and what was counted is what the pattern says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.chains.running import outcome, red
from toolkit import catalog
from toolkit.results import Load
from toolkit.run import Outcome
from toolkit.traces import tree
from toolkit.traces.critical import critical_path
from toolkit.traces.overlap import Overlap, fans

PATTERNS = Path(__file__).parent / "shapes" / "patterns"
TEN = Load(requests=10, concurrency=2, timeout_s=20)
ONE = Load(requests=1, concurrency=1, timeout_s=20)


async def verified(pattern: str, load: Load = TEN, /, **parameters: object) -> Outcome:
    """The pattern, run, of which every check passed."""
    overrides = {name: str(value) for name, value in parameters.items()}
    done = await outcome(catalog.load(str(PATTERNS / f"{pattern}.chain.yaml"), overrides), load=load)
    assert red(done.report) == set(), [check for check in done.report.checks if not check.passed]
    assert done.report.measurement.traces_complete == load.requests
    return done


def handlings(done: Outcome) -> dict[str, float]:
    """How many messages each function handled for one call, on average."""
    counts = Counter(each.receipt.function for each in done.evidence.receipts)
    return {name: count / len(done.calls) for name, count in counts.items()}


def sent(done: Outcome, function: str) -> list[int]:
    """How many messages each handling of a function sent, in rising order; those that waited sent none."""
    receipts = (each.receipt for each in done.evidence.receipts)
    return sorted(len(each.sent) for each in receipts if each.function == function and not each.waits)


@pytest.mark.parametrize("width", [1, 4, 16])
async def test_a_scatter_over_calls_has_its_degree_and_gathers_in_order(width: int) -> None:
    done = await verified("scatter", size=width)
    assert handlings(done) == {"split": 1, "worker": width}
    assert sent(done, "split") == [width] * 10


async def test_a_plain_function_that_calls_itself_does_not_wait_for_its_own_threads() -> None:
    """Eighty-five handlings of a call wait for others of the same process, which has 64 that work at once."""
    done = await verified("tree", Load(requests=2, concurrency=2, timeout_s=20))
    assert handlings(done) == {"start": 1, "tree": 1 + 4 + 16 + 64 + 256}


async def test_two_branches_of_calls_meet_in_one_function() -> None:
    assert handlings(await verified("fan")) == {"split": 1, "left": 1, "right": 1, "sink": 2}


@pytest.mark.parametrize("width", [1, 2, 16])
async def test_a_map_over_events_is_reduced_once_all_parts_have_come(width: int) -> None:
    done = await verified("map", size=width)
    assert handlings(done) == {"split": 1, "mapper": width, "reducer": width}
    joins = [each.receipt for each in done.evidence.receipts if each.receipt.function == "reducer"]
    assert sum(not each.waits for each in joins) == 10
    assert {len({each.message, *each.joined}) for each in joins if not each.waits} == {width}


async def test_the_critical_path_of_a_join_goes_through_the_last_of_its_parts() -> None:
    done = await verified("map", size=4, pause="50ms")
    for spans in tree.by_trace(done.evidence.spans).values():
        (last,) = [span.id for span in spans if span.tags.get("toolkit.joined") == "4"]
        assert last in {segment.span for segment in critical_path(spans)}


async def test_a_diamond_of_events_joins_once() -> None:
    done = await verified("join")
    assert handlings(done) == {"split": 1, "left": 1, "right": 1, "last": 2}
    assert sum(not each.receipt.waits for each in done.evidence.receipts if each.receipt.function == "last") == 10


async def test_of_a_choice_one_is_called_and_both_are_over_many_calls() -> None:
    counts = handlings(await verified("choice", Load(requests=30, concurrency=2)))
    assert counts["left"] + counts["right"] == 1
    assert 0 < counts["left"] < 1


@pytest.mark.parametrize("pattern", ["loop", "circle"])
@pytest.mark.parametrize("rounds", [0, 6])
async def test_a_loop_goes_round_as_often_as_it_must(pattern: str, rounds: int) -> None:
    done = await verified(pattern, size=rounds)
    assert handlings(done)["counter"] == rounds + 1
    hops = {(hop.source, hop.to): hop.n for hop in done.report.measurement.hops}
    assert hops.get(("counter", "counter"), 0) % max(1, rounds) == 0


@pytest.mark.parametrize("pattern", ["loop", "circle"])
async def test_the_scaffold_goes_round_no_more_often_than_the_chain_allows(pattern: str) -> None:
    overrides = {"size": "6", "bound": "5"}
    done = await outcome(catalog.load(str(PATTERNS / f"{pattern}.chain.yaml"), overrides), load=ONE)
    assert "followed" not in red(done.report)
    assert red(done.report)
    assert sum(each.receipt.function == "counter" for each in done.evidence.receipts) >= 6


async def test_a_retry_succeeds_in_the_end_and_is_told() -> None:
    done = await verified("retry", refusals=2)
    assert handlings(done) == {"caller-of-it": 1, "moody": 3}
    told = {check.name: check.got for check in done.report.checks}
    assert "20 attempts failed and were tried again" in told["delivered"]
    assert done.report.measurement.retried_handlings == done.report.measurement.failed_handlings == 20


async def test_a_fallback_stands_in_after_the_retries() -> None:
    done = await verified("retry", refusals=-1, retries=2)
    assert handlings(done) == {"caller-of-it": 1, "moody": 3, "deputy": 1}
    told = {check.name: check.got for check in done.report.checks}
    assert "20 attempts failed and were tried again; 10 calls failed for good and were replaced" in told["delivered"]


async def test_a_fallback_stands_in_at_once_where_nothing_is_tried_again() -> None:
    assert handlings(await verified("retry", refusals=-1, retries=0)) == {"caller-of-it": 1, "moody": 1, "deputy": 1}


async def test_events_are_joined_and_lead_to_calls() -> None:
    assert handlings(await verified("mixed")) == {"split": 1, "echo": 3, "reducer": 3, "worker": 3}


async def test_copies_side_by_side_each_get_the_event() -> None:
    counts = handlings(await verified("parallel"))
    assert counts == {"source": 1, **{f"taker-{at}": 1 for at in range(1, 5)}}


async def test_a_chain_in_a_chain_is_verified_as_one() -> None:
    assert handlings(await verified("nested")) == {"asker": 1, "inner-split": 1, "inner-worker": 4}


def branches(done: Outcome) -> Overlap:
    """Of the one fan that the one trace has."""
    (spans,) = tree.by_trace(done.evidence.spans).values()
    (fan,) = [each for each in fans(spans) if each.overlap.n == 16]
    return fan.overlap


@pytest.mark.parametrize("pattern", ["scatter", "map"])
async def test_sixteen_branches_really_run_at_the_same_time(pattern: str) -> None:
    """Shares and ratios of one run. The branches wait for long: a busy machine begins them tenths of a second apart."""
    found = branches(await verified(pattern, ONE, size=16, pause="4s"))
    assert found.at_once == 16
    assert found.share >= 0.9
    assert found.wall_us <= 1.5 * found.slowest_us


async def test_a_broadcast_to_sixteen_copies_reaches_all_at_the_same_time() -> None:
    found = branches(await verified("parallel", ONE, width=16, pause="4s"))
    assert found.at_once == 16
    assert found.share >= 0.9
    assert found.wall_us <= 1.5 * found.slowest_us


async def test_the_benchmark_that_scatters_over_sixteen_does_so_at_the_same_time() -> None:
    chain = catalog.load("fan-out", {"width": "16", "pause": "4s", "size": "1000"})
    done = await outcome(chain, load=ONE)
    assert red(done.report) == set()
    found = branches(done)
    assert (found.at_once, found.share >= 0.9, found.wall_us <= 1.5 * found.slowest_us) == (16, True, True)
