"""The language and the engine are made for graphs: a diamond, a chain of twelve, a broadcast with a reply."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.chains.running import FEW, outcome, red
from toolkit import catalog

SHAPES = Path(__file__).parent / "shapes"


async def handlings(chain: str, overrides: dict[str, str] | None = None) -> dict[str, int]:
    """How many messages each function handled for one call, on average; every check has passed."""
    done = await outcome(catalog.load(chain, overrides or {}))
    assert red(done.report) == set(), [check for check in done.report.checks if not check.passed]
    assert done.report.measurement.traces_complete == FEW.requests
    counts = Counter(each.receipt.function for each in done.evidence.receipts)
    return {name: count // (FEW.requests or 1) for name, count in counts.items()}


async def test_a_diamond_meets_in_its_join_twice_a_call() -> None:
    assert await handlings(str(SHAPES / "diamond")) == {"split": 1, "left": 1, "right": 1, "join": 2}


async def test_a_chain_of_twelve_passes_every_function_once() -> None:
    counts = await handlings(str(SHAPES / "twelve"))
    assert len(counts) == 12
    assert set(counts.values()) == {1}


async def test_one_event_reaches_every_receiver_once_and_a_reply_goes_on() -> None:
    counts = await handlings(str(SHAPES / "broadcast"))
    assert counts == {"source": 1, "one": 1, "two": 1, "three": 1, "four": 1}


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])
@pytest.mark.parametrize("length", [3, 5])
async def test_the_length_of_the_chained_benchmarks_is_a_parameter(chain: str, length: int) -> None:
    assert len(await handlings(chain, {"length": str(length)})) == length


@pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing", "chained-mixed"])
@pytest.mark.parametrize("payload", ["0B", "5MiB"])
async def test_payloads_from_nothing_to_beyond_four_mebibytes_arrive_intact(chain: str, payload: str) -> None:
    assert set((await handlings(chain, {"payload": payload})).values()) == {1}


async def test_an_event_that_ends_as_a_dead_letter_breaks_the_promise_of_a_clean_run_and_no_other() -> None:
    report = (await outcome(catalog.load(str(SHAPES / "dead-letter"), {}))).report
    assert red(report) == {"clean"}
    letters = [incident for incident in report.incidents if incident.kind == "dead-letter"]
    assert sum(letter.count for letter in letters) == FEW.requests
    assert {letter.subject for letter in letters} == {"producer-to-consumer"}
