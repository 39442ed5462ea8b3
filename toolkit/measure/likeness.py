"""Whether two runs may be compared: what of their conditions differs, and what of that is serious. Pure.

A difference of something that is compared on purpose is named with `meant`; all others stand in the way, or are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from toolkit.verdicts import Difference

NONE = "—"
HARMLESS = (  # they do not change what is measured, or their change is what people compare
    "spec", "commit", "toolkit", "load.seed", "load.requests", "load.duration_s",
)  # fmt: skip
TOLD = ("environment.libraries", "environment.python", "environment.platform")  # worth a look, and no more
MEASURED = "environment.load."  # of the load's origin most is measured anew each time, but these:
ORIGIN = ("environment.load.from", "environment.load.generators")


def differences(
    a: Sequence[Mapping[str, str]], b: Sequence[Mapping[str, str]], meant: Iterable[str] = ()
) -> tuple[Difference, ...]:
    """One row a condition that has not the same values on both sides, serious ones first."""
    meant = tuple(meant)
    names = sorted({name for each in (*a, *b) for name in each})
    found = []
    for name in names:
        one, other = (sorted({each.get(name, NONE) for each in side}) for side in (a, b))
        if one != other and not (name.startswith(MEASURED) and name not in ORIGIN):
            found.append(Difference(name, ", ".join(one), ", ".join(other), _serious(name, meant)))
    return tuple(sorted(found, key=lambda each: (not each.serious, each.what)))


def unlike(side: Sequence[Mapping[str, str]]) -> tuple[Difference, ...]:
    """What is not the same in runs that are taken for repetitions of one thing; only what is serious."""
    first = side[:1]
    found = (differences(first, [each]) for each in side[1:])
    return tuple({each.what: each for rows in found for each in rows if each.serious}.values())


def _serious(name: str, meant: Sequence[str]) -> bool:
    if name in HARMLESS or name.startswith(TOLD):
        return False
    kind, _, rest = name.partition(".")
    return not (kind in meant or name in meant or rest in meant)
