"""Stacked generalization (Wolpert, 1992) on the Wisconsin breast cancer table, which scikit-learn brings along.

Three quarters of the patients are learned from. Each model predicts them fold by fold, so that none is predicted by a
model that has seen it; what learns from these predictions predicts the last quarter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

FOLDS = 3
TREES = 40
LEAST_RIGHT = 0.85  # of the patients; guessing the more frequent answer has 0.63

MODELS: Mapping[str, Callable[[int], Any]] = {
    "forest": lambda seed: RandomForestClassifier(TREES, random_state=seed),
    "extra trees": lambda seed: ExtraTreesClassifier(TREES, random_state=seed),
    "support vectors": lambda seed: make_pipeline(StandardScaler(), SVC(random_state=seed)),
    "neighbours": lambda seed: make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
}

Trained = dict[str, Any]
"""`model`, and its predictions, 0 or 1: `seen` of those learned from, each by a model of other folds, and `unseen`."""


@cache
def generate_input(seed: int, size: int) -> tuple[Any, Any, Any, Any]:
    """Patients to learn from and patients to be held to, and their answers, drawn by the seed."""
    features, answers = load_breast_cancer(return_X_y=True)
    if size < len(answers):
        features, _, answers, _ = train_test_split(
            features, answers, train_size=size, random_state=seed, stratify=answers
        )
    return tuple(train_test_split(features, answers, test_size=0.25, random_state=seed, stratify=answers))


def train(model: str, seed: int, size: int) -> Trained:
    """One model's predictions. The same for the same seed, wherever it is trained."""
    seen, unseen, answers, _ = generate_input(seed, size)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    predicted = cross_val_predict(MODELS[model](seed), seen, answers, cv=folds)
    trained = MODELS[model](seed).fit(seen, answers)
    return {"model": model, "seen": predicted.tolist(), "unseen": trained.predict(unseen).tolist()}


def stack(trained: Sequence[Trained], seed: int, size: int) -> str:
    """What a model of the models' predictions makes of the unseen, and how often each was right there."""
    _, _, answers, truth = generate_input(seed, size)
    ordered = sorted(trained, key=lambda each: str(each["model"]))  # they come in any order
    meta = LogisticRegression().fit(_columns(ordered, "seen"), answers)
    predicted = meta.predict(_columns(ordered, "unseen")).tolist()
    right = {each["model"]: _right(each["unseen"], truth) for each in ordered}
    return json.dumps({"right": right, "stacked": _right(predicted, truth), "predicted": predicted})


def _columns(trained: Sequence[Trained], which: str) -> list[tuple[int, ...]]:
    return list(zip(*(each[which] for each in trained), strict=True))


def _right(predicted: Sequence[int], truth: Sequence[int]) -> int:
    return sum(bool(one == other) for one, other in zip(predicted, truth, strict=True))


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Counts again who was right, and trains nothing: that each model learned is told by what it knows of strangers."""
    try:
        return _wrong(json.loads(answer), generate_input(seed, size)[3].tolist())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        return f"that is no answer of a metatrainer: {error!r:.80}"


def _wrong(said: Mapping[str, Any], truth: list[int]) -> str | None:
    predicted, right, least = said["predicted"], said["right"], round(LEAST_RIGHT * len(truth))
    if len(predicted) != len(truth) or not set(predicted) <= {0, 1}:
        return f"{len(truth)} patients have an answer each, 0 or 1, not {len(predicted)}"
    counted = len(truth) - sum(one ^ other for one, other in zip(predicted, truth, strict=True))
    if said["stacked"] != counted:
        return f"{counted} of the predictions are right, not {said['stacked']}"
    if set(right) != set(MODELS):
        return f"the models are {', '.join(MODELS)}, not {', '.join(right)}"
    weak = {model: hits for model, hits in {**right, "stacked": counted}.items() if not least <= hits <= len(truth)}
    return f"at least {least} of {len(truth)} are right of any model that has learned, not {weak}" if weak else None
