"""Every benchmark can judge its own answer: the right one is right, and no other is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.benchmarks.works import BENCHMARKS, Answer, work
from toolkit.contract import INPUTS

NONSENSE = (
    "",
    " ",
    "0",
    "-1",
    "null",
    "[]",
    "{}",
    '{"job": []}',
    '{"job": "words"}',
    "\0",
    "ä" * 100,
    "9" * 5000,
    "[" * 5000,
)
EVERY = [pytest.param(*row, id=name) for name, row in BENCHMARKS.items()]


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_the_right_answer_is_right_for_every_input_of_a_run(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    own = work(name)
    for size in sizes:
        for seed in range(1, 1 + INPUTS):
            assert own.validate_output(answer(own, seed, size), seed, size) is None, (seed, size)


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_an_answer_that_differs_in_one_character_is_wrong(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    own, size = work(name), sizes[-1]
    right = answer(own, 1, size)
    # Of how long it slept, only the sentence is known; what pads base64 has bits that say nothing.
    places = range(5) if name == "sleeping" else {0, len(right) // 3, len(right) // 2, len(right) - 1}
    for at in places:
        other = "7" if right[at] != "7" else "8"
        wrong = own.validate_output(right[:at] + other + right[at + 1 :], 1, size)
        assert wrong, f"{right[at]!r} at {at} became {other!r}"


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_nonsense_is_wrong_in_a_few_words(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    for nonsense in NONSENSE:
        wrong = work(name).validate_output(nonsense, 1, sizes[-1])
        assert wrong, nonsense[:80]
        assert len(wrong) < 10_000, nonsense[:80]


@pytest.mark.parametrize(("name", "answer", "sizes"), EVERY)
def test_another_input_has_another_answer(name: str, answer: Answer, sizes: tuple[int, ...]) -> None:
    if name == "sleeping":
        assert work(name).validate_output(
            "slept 49 ns", 1, 50
        )  # all its inputs are alike, but one may sleep too little
    else:
        assert work(name).validate_output(answer(work(name), 2, sizes[-1]), 1, sizes[-1])


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
