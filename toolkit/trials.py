"""Trials: the same thing run again and again, each with a fresh deployment, in an order that chance decides.

May live here: the order of trials, the file that keeps a group together, and when enough of them were made. May not:
how one run is made (`run`), arguments.

One long run is one sample of a deployment, however many calls it has. Variants are interleaved in blocks, each of which
has each variant once in a random order, so that a machine which slowly changes changes all variants alike.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.measure.comparison import Sample
from toolkit.measure.hierarchy import FEWEST, spreads
from toolkit.results import SCHEMA
from toolkit.samples import TRIALS
from toolkit.verdicts import Group, Spread

MOST = 1000  # trials of a group
UNTIL = re.compile(r"(p50|p95|p99)\s*(?:±|\+-|\+/-)\s*(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial that is to be made. `seed` is that of its block: variants of one block meet the same arrivals."""

    block: int
    variant: Mapping[str, str]
    seed: int


@dataclass(frozen=True, slots=True)
class Until:
    """Enough: the interval of this quantile is within this share of its middle, for each variant."""

    metric: str
    share: float


def until(text: str) -> Until:
    """`p99±5%` (or `p99+-5%`). Raises UsageError."""
    found = UNTIL.fullmatch(text.strip())
    if found is None or not 0 < float(found[2]) < 100:
        raise UsageError(f"--until {text!r}: not such as 'p99±5%'", next_step="name p50, p95 or p99 and a share")
    return Until(f"latency {found[1]}", float(found[2]) / 100)


def variants(varied: Sequence[tuple[str, Sequence[str]]]) -> Sequence[Mapping[str, str]]:
    """Every combination of the values; one without anything set where nothing varies. Raises UsageError."""
    names = [name for name, _ in varied]
    if len(set(names)) != len(names):
        raise UsageError("--vary names a parameter twice", next_step="give its values at once: --vary key=v1,v2")
    for name, values in varied:
        if len(values) < 2 or len(set(values)) != len(values):
            raise UsageError(
                f"--vary {name}={','.join(values)}: not two or more different values",
                next_step="write --vary key=v1,v2",
            )
    return [dict(zip(names, values, strict=True)) for values in itertools.product(*(each for _, each in varied))]


def order(found: Sequence[Mapping[str, str]], trials: int, seed: int) -> Sequence[Planned]:
    """`trials` blocks of every variant, each block shuffled by the seed."""
    if not 1 <= trials * len(found) <= MOST:
        raise UsageError(f"{trials * len(found):,} trials: at most {MOST:,}", next_step="lower --trials")
    draw = random.Random(f"{seed}/trials")  # noqa: S311 - an order that anyone can make again, no secret
    planned = []
    for block in range(trials):
        planned += [Planned(block, each, seed + block) for each in draw.sample(list(found), len(found))]
    return planned


def name(chain: str, started: datetime) -> str:
    """A group's id: sortable by time, and never the same twice."""
    return f"{chain}-trials-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def keep(out: Path, group: Group, told: Mapping[str, Sequence[Spread]]) -> Path:
    """Writes the group's file, whole, over what it was after the trial before. Raises UsageError when it cannot."""
    folder = out / group.group
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f".{TRIALS}"
        beside.write_text(json.dumps(as_json(group, told), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        beside.replace(folder / TRIALS)
    except OSError as error:
        raise UsageError(
            f"the group cannot be stored in {folder}: {error.strerror or error}",
            next_step="give a folder that can be written with --out",
        ) from error
    return folder


def as_json(group: Group, told: Mapping[str, Sequence[Spread]]) -> Mapping[str, Any]:
    """One object: the trials, and what they say together, a list a variant. Times are microseconds."""
    spread = {variant: [dataclasses.asdict(each) for each in rows] for variant, rows in told.items()}
    return {"schema": SCHEMA, "kind": "trials", **dataclasses.asdict(group), "spreads": spread}


def told(found: Mapping[str, Sequence[Sample]]) -> Mapping[str, Sequence[Spread]]:
    """What the trials of each variant say together."""
    return {variant: spreads(each) for variant, each in found.items()}


def label(variant: Mapping[str, str]) -> str:
    """`payload=1KiB, length=2`; without anything that varies: `all`."""
    return ", ".join(f"{key}={value}" for key, value in variant.items()) or "all"


def enough(wanted: Until, found: Mapping[str, Sequence[Spread]]) -> bool:
    """Whether every variant's interval is tight, and stands on enough trials to be believed."""
    rows = [next((each for each in spread if each.metric == wanted.metric), None) for spread in found.values()]
    return bool(rows) and all(each is not None and _tight(each, wanted.share) for each in rows)


def _tight(spread: Spread, share: float) -> bool:
    if spread.interval is None or spread.trials < FEWEST:
        return False
    return spread.interval.high <= spread.centre * (1 + share) and spread.interval.low >= spread.centre * (1 - share)
