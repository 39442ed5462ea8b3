"""How arrivals are written in one word, and the moments they mean. Pure.

`constant`, `poisson` and `uniform` say how calls follow each other, `burst`, `ramp` and `step` how the rate changes
meanwhile, `recorded` that somebody else's calls are followed. Arrivals are a process of one call per unit of *expected*
calls (`gaps`), laid over time by the integral of the rate: a Poisson process stays one under every shape.

May live here: the text, the draws, the integrals. May not: how many calls are sent or for how long (`pacing`), what a
recording holds (`recorded`), files.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.contract import units
from toolkit.errors import UsageError

SECOND = 1_000_000_000
MOST_TOLD = 10  # things wrong with one text
HIGHEST = 1e7  # calls a second
GAPS = ("constant", "poisson", "uniform")
EXAMPLES = {
    "constant": "constant",
    "poisson": "poisson",
    "uniform": "uniform",
    "burst": "burst:on=1s,off=4s",
    "ramp": "ramp:to=200",
    "step": "step:by=10,every=5s",
    "recorded": "recorded:FILE",
}
THINKING = "write a time, such as 100ms, or exponential:100ms for times with that mean"


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One text, read. What a kind does not have is None. Times are seconds, `to` and `by` calls per second.

    `gaps`: how calls follow each other where the rate is what it is: at equal distances, as a Poisson process, or at
    distances drawn uniformly from 0 to twice the mean one. `file` and the rest say what is taken of a recording.
    """

    kind: str
    gaps: str = "constant"
    on: float | None = None
    off: float | None = None
    to: float | None = None
    over: float | None = None
    by: float | None = None
    every: float | None = None
    file: str = ""
    row: str | None = None
    column: str | None = None
    unit: str | None = None
    minutes: tuple[int, int] | None = None
    time: float = 1.0
    rate: float = 1.0


def parse(text: str) -> Arrivals:
    """What `burst:on=1s,off=4s` and its like mean. Raises UsageError that tells all that is wrong with it at once."""
    if not isinstance(text, str):
        raise UsageError(f"--arrivals {text!r:.60}: unknown", next_step=f"give one of {', '.join(EXAMPLES)}")
    kind, colon, rest = text.partition(":")
    if kind not in EXAMPLES:
        near = difflib.get_close_matches(kind.lower(), EXAMPLES, n=1)
        hint = f" — did you mean '{EXAMPLES[near[0]]}'?" if near else ""
        raise UsageError(
            f"--arrivals {units.shown(text)}: unknown{hint}", next_step=f"give one of {', '.join(EXAMPLES.values())}"
        )
    problems: list[str] = []
    if kind == "recorded":
        rest, values = _of_recording(rest, problems)
        values["file"] = rest
    else:
        values = _options(rest.split(",") if colon else [], _OPTIONS[kind], problems)
    problems += [f"{key}= is missing" for key in _NEEDED[kind] if key not in values and f"{key}=" not in rest]
    if problems:
        raise UsageError(
            "\n".join(f"--arrivals {units.shown(text)}: {each}" for each in problems[:MOST_TOLD]),
            next_step=f"write for example --arrivals {EXAMPLES[kind]}",
        )
    return Arrivals(kind, **{"gaps": _GAPS_OF[kind], **values})


def _of_recording(rest: str, problems: list[str]) -> tuple[str, dict[str, Any]]:
    """The file, which may have commas in its name, and what follows it."""
    words = rest.split(",")
    first = next((at for at, word in enumerate(words) if at and "=" in word), len(words))
    file = ",".join(words[:first])
    if not file:
        problems.append("which file?")
    return file, _options(words[first:], _OPTIONS["recorded"], problems)


def _options(words: list[str], known: Mapping[str, Callable[[str], Any]], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" — did you mean '{near[0]}='?" if near else f"; {_list(known)}"
            problems.append(f"{units.shown(key)} means nothing here{hint}")
        elif not equals or not text:
            problems.append(f"{key}= has no value")
        elif key in found:
            problems.append(f"{key}= is there twice")
        else:
            try:
                found[key] = known[key](text)
            except ValueError as error:
                problems.append(f"{key}={units.shown(text)}: {error}")
    return found


def _list(known: Mapping[str, object]) -> str:
    return f"known are {', '.join(f'{key}=' for key in known)}" if known else "it has no options"


def _time(text: str) -> float:
    value = units.seconds(text)
    if not 1e-6 <= value <= HIGHEST:
        raise ValueError("not a time from 1us to 10 000 000 s")
    return value


def _number(text: str) -> float:
    if not text.isascii() or "_" in text:
        raise ValueError("not a number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError("not a number") from None
    if not abs(value) <= HIGHEST:
        raise ValueError("not a number up to 10 000 000")
    return value


def _change(text: str) -> float:
    if (value := _number(text)) == 0:
        raise ValueError("not a change")
    return value


def _positive(text: str) -> float:
    if (value := _number(text)) <= 0:
        raise ValueError("not above 0")
    return value


def _one_of_gaps(text: str) -> str:
    if text not in GAPS:
        raise ValueError(f"not {', '.join(GAPS[:-1])} or {GAPS[-1]}")
    return text


def _minutes(text: str) -> tuple[int, int]:
    """`A-B`, counted from 1, both included; `A` is that one minute."""
    first, dash, last = text.partition("-")
    if not text.isascii() or not first.isdigit() or (dash and not last.isdigit()) or len(text) > 20:
        raise ValueError("write minutes=481-540")
    found = int(first), int(last or first)
    if not 1 <= found[0] <= found[1]:
        raise ValueError("they count from 1, and the first comes first")
    return found


def _unit(text: str) -> str:
    if text not in ("s", "ms", "us", "ns"):
        raise ValueError("not s, ms, us or ns")
    return text


_SHAPED: Mapping[str, Callable[[str], Any]] = {"gaps": _one_of_gaps}
_OPTIONS: Mapping[str, Mapping[str, Callable[[str], Any]]] = {
    "constant": {},
    "poisson": {},
    "uniform": {},
    "burst": {"on": _time, "off": _time, **_SHAPED},
    "ramp": {"to": _positive, "over": _time, **_SHAPED},
    "step": {"by": _change, "every": _time, "to": _positive, **_SHAPED},
    "recorded": {
        "row": str,
        "column": str,
        "unit": _unit,
        "minutes": _minutes,
        "time": _positive,
        "rate": _positive,
        **_SHAPED,
    },
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(EXAMPLES, ()),
    "burst": ("on", "off"),
    "ramp": ("to",),
    "step": ("by", "every"),
}
_GAPS_OF = {**dict.fromkeys(EXAMPLES, "constant"), "poisson": "poisson", "uniform": "uniform", "recorded": "poisson"}


def draws(seed: int, of: str) -> random.Random:
    """Seeded by text, which Python hashes with SHA-512: the same draws on every version and machine."""
    return random.Random(f"{seed}/{of}")  # noqa: S311 - draws that anyone can make again, no secret


def expected_calls(gaps: str, seed: int) -> Iterator[float]:
    """How many calls are expected before each call, from 0 on, without end: what a shape lays over time."""
    if gaps == "constant":
        place = 0
        while True:
            yield place
            place += 1
    random, at = draws(seed, "arrivals").random, 0.0
    while True:
        yield at
        at += -math.log(1.0 - random()) if gaps == "poisson" else 2.0 * random()


def think(text: str) -> tuple[str, float]:
    """`constant` or `exponential`, and the mean in seconds. Raises UsageError."""
    kind, colon, rest = text.partition(":") if isinstance(text, str) else ("", "", "")
    try:
        if not colon:
            return "constant", _time(kind)
        if kind == "exponential":
            return "exponential", _time(rest)
        raise ValueError("only exponential stands before a colon")
    except ValueError as error:
        raise UsageError(f"--think {text!s:.60}: {error}", next_step=THINKING) from error


def thoughts(text: str, seed: int, index: int) -> Iterator[int]:
    """How long a worker waits between an answer and its next call, in nanoseconds, in the order they are asked for."""
    kind, mean_s = think(text)
    random = draws(seed, f"think/{index}").random
    while True:
        yield round(mean_s * SECOND * (1.0 if kind == "constant" else -math.log(1.0 - random())))
