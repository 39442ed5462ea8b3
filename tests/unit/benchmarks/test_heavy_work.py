"""The work of benchmarks that bring libraries of their own: what must hold for any version of these."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.benchmarks.works import work
from toolkit import catalog
from toolkit.engines import requirements
from toolkit.errors import EngineError
from toolkit.judging import SITE

NONSENSE = (
    "",
    "0",
    "-1",
    "null",
    "[]",
    "{}",
    '{"winner": 1}',
    '{"predicted": []}',
    "[[]]",
    "\0",
    "9" * 5000,
    "[" * 5000,
)
HEAVY = ("stacking-training", "tuning-halving", "video-analytics", "text-search")


def done(benchmark: str, code: str) -> Any:
    """What `code` leaves in `answer`, in a process that finds what the benchmark requires, as its functions do."""
    chain = catalog.load(benchmark)
    try:
        requirements.see_that_they_are_here(chain)
    except EngineError as missing:
        pytest.skip(f"{missing}: toolkit verify {benchmark} --install")
    libraries = {"PYTHONPATH": requirements.environment(chain).get(SITE, "")}
    alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    program = f"import json, work\n{code}\nprint(json.dumps(answer))"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(chain.folder),
        env={**os.environ, **alone, **libraries},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("benchmark", HEAVY)
def test_nonsense_is_wrong_in_a_few_words(benchmark: str) -> None:
    verdicts = done(benchmark, f"answer = [work.validate_output(each, 1, 200) for each in {NONSENSE!r}]")
    assert [(said, verdict) for said, verdict in zip(NONSENSE, verdicts, strict=True) if not verdict] == []
    assert max(map(len, verdicts)) < 2000


# --- stacking-training ------------------------------------------------------------------------------------------------

TRAIN = """
def trained(seed):
    return [work.train(model, seed, 200) for model in work.MODELS]
"""


def test_the_stacked_answer_is_right_whatever_the_order_in_which_models_come() -> None:
    code = """
answer = []
for seed in range(1, 5):
    models = trained(seed)
    told = work.stack(models, seed, 200)
    answer.append([work.validate_output(told, seed, 200), told == work.stack(models[::-1], seed, 200)])
"""
    assert done("stacking-training", TRAIN + code) == [[None, True]] * 4


def test_training_again_with_the_same_seed_predicts_the_same() -> None:
    assert done("stacking-training", TRAIN + "answer = trained(3) == trained(3)")


def test_a_model_that_did_not_learn_and_a_wrong_count_are_told() -> None:
    code = """
said = json.loads(work.stack(trained(1), 1, 200))
guessed = said | {"right": said["right"] | {"forest": 20}}
answer = [work.validate_output(json.dumps(each), 1, 200) for each in (said | {"stacked": said["stacked"] - 1}, guessed)]
"""
    miscounted, weak = done("stacking-training", TRAIN + code)
    assert "of the predictions are right" in miscounted
    assert "'forest': 20" in weak


# --- tuning-halving ---------------------------------------------------------------------------------------------------

TUNE = """
def tuned(seed, size):
    left, rounds = work.generate_input(seed), []
    for budget in work.budgets(size):
        scores = [work.score(settings, budget, seed) for settings in left]
        rounds.append({"budget": budget, "trials": [*zip(left, scores)]})
        left = work.better_half(left, scores)
    return json.loads(json.dumps({"winner": left[0], "rounds": rounds}))
"""


def test_the_candidate_that_is_good_wins_for_every_seed() -> None:
    code = "answer = [work.validate_output(json.dumps(tuned(seed, 400)), seed, 400) for seed in range(1, 9)]"
    assert done("tuning-halving", TUNE + code) == [None] * 8


def test_another_winner_a_worse_half_and_a_made_up_score_are_told() -> None:
    code = """
right = tuned(1, 400)
other, half, made_up = (json.loads(json.dumps(right)) for _ in range(3))
other["winner"] = next(each for each, _ in right["rounds"][0]["trials"] if each != right["winner"])
half["rounds"][0]["trials"][:] = [[settings, 400 - score] for settings, score in half["rounds"][0]["trials"]]
made_up["rounds"][2]["trials"] = [[settings, score + 1] for settings, score in made_up["rounds"][2]["trials"]]
answer = [work.validate_output(json.dumps(each), 1, 400) for each in (other, half, made_up)]
"""
    other, half, made_up = done("tuning-halving", TUNE + code)
    assert "is better than" in other
    assert "left after round 1 are not its better half" in half
    assert "the winner tells" in made_up


# --- video-analytics --------------------------------------------------------------------------------------------------

WATCH = """
def watched(seed, size):
    frames = map(work.decoded, work.images(work.generate_input(seed, size)))
    return [work.read(work.unpacked(work.packed(frame))) for frame in frames]
"""


def test_plates_are_found_and_read_in_every_frame() -> None:
    code = "answer = [work.validate_output(json.dumps(watched(seed, 4)), seed, 4) for seed in range(1, 9)]"
    assert done("video-analytics", WATCH + code) == [None] * 8


def test_a_frame_without_a_plate_has_no_digits() -> None:
    code = "answer = [work.read(work._photograph(name)[:360, :480]) for name in ('china.jpg', 'flower.jpg')]"
    assert done("video-analytics", code) == ["", ""]


def test_other_digits_and_a_frame_too_few_are_told() -> None:
    code = """
right = watched(1, 4)
wrong = ["".join(str(9 - int(digit)) for digit in plate) for plate in right]
answer = [work.validate_output(json.dumps(each), 1, 4) for each in (wrong, right[:3])]
"""
    digits, frames = done("video-analytics", WATCH + code)
    assert "digits are right" in digits
    assert "4 frames" in frames


# --- text-search ------------------------------------------------------------------------------------------------------


def test_most_passages_are_found_by_what_their_questions_mean() -> None:
    code = """
questions = [passage.question for passage in work.passages()]
vectors = work.embedded(questions)
shards = [work.nearest(vectors, shard, 3) for shard in range(3)]
candidates = [[number for shard in shards for number in shard[place]] for place in range(len(questions))]
answer = [place in found for place, found in enumerate(work.ranked(questions, candidates))]
"""
    found = done("text-search", code)
    assert sum(found) >= 0.9 * len(found)


def test_a_question_is_about_a_passage_and_not_made_of_its_words() -> None:
    own = work("text-search")
    passages = own.passages()
    assert len({each.title for each in passages}) == len({each.question for each in passages}) == len(passages) >= 50
    shared = [own._words(each.question) & own._words(each.text) for each in passages]
    assert sum(len(words) for words in shared) / sum(len(own._words(each.question)) for each in passages) < 0.35


def test_a_passage_that_is_not_shown_is_missed_by_name_and_a_quarter_may_be() -> None:
    own = work("text-search")
    asked = own._asked(1, 8)
    others = [number for number in range(len(own.passages())) if number not in asked]
    shown = [[number, *others[:2]] for number in asked]
    assert own.validate_output(json.dumps(shown), 1, 8) is None
    shown[:2] = [others[:3], others[3:6]]
    assert own.validate_output(json.dumps(shown), 1, 8) is None
    shown[2] = others[:3]
    assert own.passages()[asked[2]].title in str(own.validate_output(json.dumps(shown), 1, 8))
