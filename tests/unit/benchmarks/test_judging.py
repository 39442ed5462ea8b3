"""Every benchmark can judge its own answer: the right one is right, and no other is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.benchmarks.works import BENCHMARKS, Answer, verdict, work
from toolkit.contract import INPUTS

NONSENSE = (
    "",
    " ",
    "0",
    "-1",
    "3/0",
    "1/2/3",
    "1e999999999",
    "NaN",
    "pending",
    "counting",
    "null",
    "[]",
    "{}",
    '{"job": []}',
    '{"job": "words"}',
    '{"job": "words", "found": [[1, 2]]}',
    '{"job": {}, "found": {}}',
    '{"rounds": []}',
    '{"limit": "x", "counted": "x"}',
    "\0",
    "ä" * 100,
    "9" * 5000,
    "[" * 5000,
)
EVERY = [pytest.param(name, *row[1:], id=name) for name, row in BENCHMARKS.items()]


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_the_right_answer_is_right_for_every_input_of_a_run(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    own = work(BENCHMARKS[name][0])
    for size in sizes:
        for seed in range(1, 1 + INPUTS):
            assert verdict(name, answer(own, seed, size), seed, size) is None, (seed, size)


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_an_answer_that_differs_in_one_character_is_wrong(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    size = sizes[-1]
    right = answer(work(BENCHMARKS[name][0]), 1, size)
    # Of how long it slept, only the sentence is known; what pads base64 has bits that say nothing.
    places = range(5) if name == "sleeping" else {0, len(right) // 3, len(right) // 2, len(right) - 1}
    for at in places:
        other = "7" if right[at] != "7" else "8"
        wrong = verdict(name, right[:at] + other + right[at + 1 :], 1, size)
        assert wrong, f"{right[at]!r} at {at} became {other!r}"


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_nonsense_is_wrong_in_a_few_words(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    for nonsense in NONSENSE:
        wrong = verdict(name, nonsense, 1, sizes[-1])
        assert wrong, nonsense[:80]
        assert len(wrong) < 10_000, nonsense[:80]


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_another_input_has_another_answer(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    if name == "sleeping":
        assert verdict(name, "slept 49 ns", 1, 50)  # all its inputs are alike, but one may sleep too little
    else:
        assert verdict(name, answer(work(BENCHMARKS[name][0]), 2, sizes[-1]), 1, sizes[-1])


@pytest.mark.parametrize("name", sorted({name for name, _, _ in BENCHMARKS.values()}))
def test_an_input_is_decided_by_seed_and_size_alone_also_in_another_process(name: str) -> None:
    size = next(sizes[-1] for own, _, sizes in BENCHMARKS.values() if own == name)
    code = (
        "import hashlib, sys; from tests.unit.benchmarks.works import work;"
        f"print(hashlib.sha256(repr(work({name!r}).generate_input(3, {size})).encode()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hashing}
        ).stdout
        for hashing in ("1", "2")
    }
    assert len(told) == 1
    assert work(name).generate_input(3, size) == work(name).generate_input(3, size)


def test_a_counter_that_counts_to_fewer_than_it_was_asked_for_is_wrong() -> None:
    counter = work("counter")
    for limit in (0, 1, 99, 101):
        told = counter.trail(range(first := counter.generate_input(1) + 1, first + limit), limit)
        assert "when one counts 100 numbers" in str(counter.validate_output(told, 1, None, {"limit": 100}))


def test_the_sums_of_another_job_are_wrong_however_right_they_are() -> None:
    revenue = BENCHMARKS["map-reduce revenue"][1](work("map-reduce"), 1, 2000)
    assert verdict("map-reduce revenue", revenue, 1, 2000) is None
    assert verdict("map-reduce words", revenue, 1, 2000) == "the job was words, not 'revenue'"


def test_checksums_of_fewer_rounds_than_asked_for_are_wrong() -> None:
    fewer = BENCHMARKS["polyglot"][1](work("polyglot"), 1, 10)
    assert str(work("polyglot").validate_output(fewer, 1, 10, {"rounds": 4})).startswith("wanted {")
