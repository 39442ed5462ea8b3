"""Every benchmark of the catalogue, run as its users run it: it keeps its promises, and what it answers is right."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.chains.running import outcome, red
from tests.unit.benchmarks.works import work
from toolkit import answers, catalog
from toolkit.contract import input_seed
from toolkit.engines import requirements
from toolkit.errors import EngineError
from toolkit.results import Load
from toolkit.run import Outcome
from toolkit.spec.model import ChainSpec, OwnLoad

CALLS = Load(requests=8, concurrency=4, timeout_s=30)
RUNS: dict[str, Outcome] = {}

Degrees = Callable[[ChainSpec, int], Mapping[str, int]]


def without(chain: ChainSpec) -> list[str]:
    """Programs that build functions of the chain, and are not here."""
    built = {each.prepare[0] for each in chain.functions if each.prepare}
    return sorted(program for program in built if shutil.which(program) is None)


async def ran(name: str) -> Outcome:
    """A few calls of the chain, sent once however many tests look at them."""
    chain = catalog.load(name)
    try:
        requirements.see_that_they_are_here(chain)
    except EngineError as missing:
        pytest.skip(f"{missing}: toolkit verify {name} --install")
    if programs := without(chain):
        pytest.skip(f"needs {' and '.join(programs)}, which build functions in other languages")
    if name not in RUNS:
        RUNS[name] = await outcome(chain, load=asked(chain))
    return RUNS[name]


def asked(chain: ChainSpec) -> Load:
    """What the chain itself says is sent to it, which `toolkit run` sends too; few calls where it says nothing."""
    own = chain.load
    if own == OwnLoad():
        return CALLS
    return dataclasses.replace(CALLS, requests=own.requests, rate=own.rate, concurrency=own.concurrency)


@pytest.mark.parametrize("name", catalog.names())
async def test_a_benchmark_keeps_its_promises_and_its_traces_are_its_graph(name: str) -> None:
    report, sent = (await ran(name)).report, asked(catalog.load(name)).requests
    assert red(report) == set(), [check for check in report.checks if not check.passed]
    assert (report.measurement.ok, report.measurement.traces_complete) == (sent, sent)
    assert "expected" in {check.name for check in report.checks}


@pytest.mark.parametrize("name", catalog.names())
async def test_an_answer_that_differs_in_one_character_is_red(name: str) -> None:
    done, chain = await ran(name), catalog.load(name)
    assert done.evidence.judged is not None
    assert set(done.evidence.judged.values()) == {None}
    receipts = [
        dataclasses.replace(each, receipt=dataclasses.replace(each.receipt, answer=_changed(each.receipt.answer)))
        for each in done.evidence.receipts
    ]
    changed = dataclasses.replace(done.evidence, receipts=receipts)
    judged = await answers.judged(chain, done.calls, changed, seed=CALLS.seed)
    assert judged is not None
    assert [call for call, wrong in judged.items() if wrong is None] == []
    assert len(judged) == len(done.calls)


def _changed(answer: str | None) -> str | None:
    """Its first character is another: a digit stays one, so that a number stays a number."""
    if answer is None:
        return None
    return ("7" if answer[:1] != "7" else "8") + answer[1:]


def test_there_are_at_least_twenty_benchmarks() -> None:
    assert len(catalog.names()) >= 20


def test_every_benchmark_judges_its_answers() -> None:
    assert {name for name in catalog.names() if catalog.load(name).expect is None} == set()


# --- Degrees: how many messages each function handles in a call, as the data of that call says ------------------------


def _once(chain: ChainSpec, seed: int) -> dict[str, int]:
    return {each.name: 1 for each in chain.functions}


def _fan_out(chain: ChainSpec, seed: int) -> dict[str, int]:
    return {"driver": 1, "worker": 4}


def _joined(function: str) -> Degrees:
    """Everybody handles one message; the join one from each function before it."""
    return lambda chain, seed: {**_once(chain, seed), function: len(chain.into(function))}


def _map_reduce(chain: ChainSpec, seed: int) -> dict[str, int]:
    own = work("map-reduce")
    parts = own.parts(own.data("words", seed, 64 << 10), 16 << 10)
    mapped = [own.mapped("words", part) for part in parts]
    return {"driver": 1, "mapper": len(parts), "reducer": len(own.shuffled("words", mapped, 2))}


def _map_reduce_eventing(chain: ChainSpec, seed: int) -> dict[str, int]:
    parts = _map_reduce(chain, seed)["mapper"]
    return {"splitter": 1, "mapper": parts, "reducer": parts}


def _branch(chain: ChainSpec, seed: int) -> dict[str, int]:
    own = work("branch")
    return {"inbox": 1, own.kind(own.generate_input(seed, 100)): 1}


def _recursion(chain: ChainSpec, seed: int) -> dict[str, int]:
    own = work("recursion")
    state, steps = own.guess(own.generate_input(seed, 64)), 1
    while (better := own.step(*state)) is not None:
        state, steps = better, steps + 1
    return {"start": 1, "refine": steps}


def _saga(chain: ChainSpec, seed: int) -> dict[str, int]:
    return (
        {"trip": 1, "flight": 1},
        {"trip": 1, "flight": 2, "hotel": 1},
        {"trip": 1, "flight": 2, "hotel": 2, "car": 1},
        {"trip": 1, "flight": 1, "hotel": 1, "car": 1},
    )[seed % 4]


def _with(**handled: int) -> Degrees:
    """Everybody handles one message, but for those that are named."""
    return lambda chain, seed: {**_once(chain, seed), **handled}


def _online_shop(chain: ChainSpec, seed: int) -> dict[str, int]:
    own = work("online-shop")
    counts = {**_once(chain, seed), "catalogue": 5}
    if not own.luhn(own.generate_input(seed, 5)["card"]):
        del counts["email"]
    return counts


DEGREES: Mapping[str, Degrees] = {
    "fan-out": _fan_out,
    "fan-in": _once,
    "fan-in-eventing": _joined("reducer"),
    "broadcast": _once,
    "broadcast-eventing": _joined("ranking"),
    "map-reduce": _map_reduce,
    "map-reduce-eventing": _map_reduce_eventing,
    "diamond": _joined("invoice"),
    "branch": _branch,
    "branch-eventing": lambda chain, seed: {**_branch(chain, seed), "books": 1},
    "recursion": _recursion,
    "recursion-eventing": lambda chain, seed: {**_recursion(chain, seed), "finish": 1},
    "saga": _saga,
    "archive": _once,
    "online-shop": _online_shop,
    "hotel-search": _once,
    "video-analytics": _with(recogniser=6),
    "stacking-training": _with(trainer=4),
    "stacking-training-eventing": _with(trainer=4, metatrainer=4),
    "tuning-halving": _with(trial=8 + 4 + 2),
    "text-search": _with(retrieve=4),
}


@pytest.mark.parametrize("name", DEGREES)
async def test_receipts_show_exactly_as_many_messages_as_the_data_asks_for(name: str) -> None:
    done, chain = await ran(name), catalog.load(name)
    handled: dict[str, Counter[str]] = {call.call: Counter() for call in done.calls}
    for each in done.evidence.receipts:
        handled[each.receipt.call][each.receipt.function] += 1
    assert len(handled) == asked(chain).requests
    for call, counts in handled.items():
        assert counts == DEGREES[name](chain, input_seed(CALLS.seed, call)), call


async def test_a_bank_that_is_always_busy_is_asked_three_times_and_its_copy_answers() -> None:
    done = await outcome(catalog.load("retry", {"busy": "1"}), load=CALLS)
    assert red(done.report) == set(), [check for check in done.report.checks if not check.passed]
    counts = Counter(each.receipt.function for each in done.evidence.receipts)
    assert counts == {"till": 8, "bank": 24, "copy": 8}


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("map-reduce", {"job": "revenue", "reducers": "3"}),
        ("map-reduce-eventing", {"job": "revenue"}),
        ("broadcast", {"width": "16"}),
        ("fan-in-eventing", {"width": "1"}),
        ("fan-out", {"width": "16"}),
    ],
)
async def test_parameters_change_how_wide_a_chain_is_and_what_it_does(name: str, overrides: dict[str, str]) -> None:
    report = (await outcome(catalog.load(name, overrides), load=CALLS)).report
    assert red(report) == set(), [check for check in report.checks if not check.passed]
    assert report.measurement.traces_complete == 8


async def test_a_handler_that_is_wrong_by_one_breaks_the_promise_of_right_answers_and_no_other(tmp_path: Path) -> None:
    folder = shutil.copytree(catalog.benchmarks_folder() / "fan-out", tmp_path / "wrong")
    handlers = (folder / "handlers.py").read_text()
    assert handlers.count("str(sum(") == 1
    (folder / "handlers.py").write_text(handlers.replace("str(sum(", "str(1 + sum("))
    report = (await outcome(catalog.load(str(folder)), load=CALLS)).report
    assert red(report) == {"expected"}


@pytest.mark.parametrize(
    ("name", "parameter", "value", "told"),
    [("aes", "direction", "sideways", "encrypt, or decrypt"), ("map-reduce", "job", "sort", "one of words, revenue")],
)
async def test_a_parameter_that_means_nothing_is_told_to_the_caller(
    name: str, parameter: str, value: str, told: str
) -> None:
    done = await outcome(catalog.load(name, {parameter: value}), load=CALLS)
    assert "answered" in red(done.report)
    assert {call.status for call in done.calls} == {"INVALID_ARGUMENT"}
    assert all(told in (call.error or "") for call in done.calls)


def test_verify_says_on_the_command_line_that_the_answers_are_right() -> None:
    command = [sys.executable, "-m", "toolkit.cli", "verify", "archive", "--requests", "4", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["expected"]["passed"]
    assert checks["expected"]["got"] == "4 right"
