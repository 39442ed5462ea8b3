"""`toolkit compare A B`: whether B is worse than A, by how much, and how sure that is."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say, speaks_unicode
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.samples import Stored
    from toolkit.verdicts import Comparison, Difference, Side

EXITS = {"worse": Exit.REGRESSION, "too few samples": Exit.INVALID}
FEW_RUNS = 5  # a side, below which a note says what more of them would bring


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "a", metavar="A", help="what is compared with: a run, several with commas, or a group of trials"
    )
    parser.add_argument("b", metavar="B", nargs="?", help="what is judged; left away with --by")
    parser.add_argument("--by", metavar="KEY", help="split the trials of A by this parameter, which varied")
    parser.add_argument(
        "--min-effect",
        type=arguments.share,
        default=0.05,
        metavar="SHARE",
        help="the smallest ratio that matters, for example 5%% (the default)",
    )
    parser.add_argument(
        "--min-errors",
        type=arguments.share,
        default=0.001,
        metavar="SHARE",
        help="the smallest rise of the share of calls that fail, or are cold, which matters (default 0.1%%)",
    )
    parser.add_argument(
        "--across",
        metavar="WHAT",
        action="append",
        default=[],
        help="this difference is meant: chain, parameters, load, engine, environment, or one condition (repeatable)",
    )
    parser.add_argument(
        "--force", action="store_true", help="compare what is not alike, and what the generator does not trust"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    found = _compared(options)
    if options.output == "json":
        say(json.dumps(_json(found), indent=2, allow_nan=False))
    elif options.output == "junit":
        from toolkit.report.compare import junit

        say(junit(found, forced=options.force))
    else:
        from toolkit.report.compare import text

        width = shutil.get_terminal_size((120, 24)).columns
        say(text(found, width=width, unicode=speaks_unicode()))
    if any(side.invalid for side in (found.a, found.b)) and not options.force:
        note("a run is no valid measurement; --force compares it nevertheless")
        return Exit.INVALID
    return EXITS.get(found.overall, Exit.OK)


def _json(found: Comparison) -> Mapping[str, object]:
    from toolkit.report.compare import as_json

    return as_json(found)


def _compared(options: argparse.Namespace) -> Comparison:
    from toolkit.measure import comparison
    from toolkit.measure.intervals import CONFIDENCE
    from toolkit.verdicts import Comparison

    (name_a, a), (name_b, b) = _sides(options)
    differ = _differences(options, a, b)
    one, other = ([each.sample for each in side] for side in (a, b))
    rows = comparison.compare(one, other, min_effect=options.min_effect, min_errors=options.min_errors)
    return Comparison(
        a=_side(name_a, a),
        b=_side(name_b, b),
        min_effect=options.min_effect,
        confidence=CONFIDENCE,
        metrics=rows,
        overall=comparison.overall(rows),
        differences=differ,
        second=comparison.second_opinion(one, other),
        notes=(*_notes(a, b), *_unordered(options)),
    )


def _sides(options: argparse.Namespace) -> Sequence[tuple[str, Sequence[Stored]]]:
    from toolkit import samples

    if options.by is not None:
        if options.b is not None:
            raise UsageError("--by splits one group of trials, and two sides were named", next_step="leave B away")
        return _split(options)
    if options.b is None:
        raise UsageError("compare what with it? A second run is missing", next_step="toolkit compare A B")
    found = []
    for named in (options.a, options.b):
        names = [run for run, _ in samples.named(named, options.out)]
        found.append((named, [samples.stored(each, options.out) for each in names]))
    twice = {each.run for each in found[0][1]} & {each.run for each in found[1][1]}
    if twice:
        raise UsageError(f"{min(twice)} is on both sides", next_step="name different runs")
    return found


def _split(options: argparse.Namespace) -> Sequence[tuple[str, Sequence[Stored]]]:
    """The trials of a group by the value of one parameter, in the order in which the values were given."""
    from toolkit import samples

    by: dict[str, list[str]] = {}
    for run, trial in samples.named(options.a, options.out):
        if trial is None or options.by not in trial.variant:
            raise UsageError(f"{run}: --by {options.by} did not vary there", next_step="name a group of run --vary")
        by.setdefault(trial.variant[options.by], []).append(run)
    if len(by) != 2:
        values = ", ".join(by)
        raise UsageError(f"{options.by} has {len(by)} values there ({values}), and two are compared",
                         next_step="name the runs of two sides with commas")  # fmt: skip
    asked = samples.asked(options.a, options.by, options.out)
    order = sorted(by) if set(by) - set(asked) else [each for each in asked if each in by]
    return [(f"{options.by}={value}", [samples.stored(run, options.out) for run in by[value]]) for value in order]


def _unordered(options: argparse.Namespace) -> Sequence[str]:
    """A note, where a group does not know which of its values was asked for first."""
    from toolkit import samples

    if options.by is None:
        return ()
    values = {trial.variant.get(options.by) for _, trial in samples.named(options.a, options.out) if trial}
    if values <= set(samples.asked(options.a, options.by, options.out)):
        return ()
    return (
        f"the group does not know in which order {options.by} was given: its values are sorted as text; "
        "for the other order, name the runs of two sides with commas",
    )


def _differences(options: argparse.Namespace, a: Sequence[Stored], b: Sequence[Stored]) -> tuple[Difference, ...]:
    """All of them. Raises UsageError for serious ones that nobody meant, unless forced."""
    from toolkit.measure import likeness

    meant = [*options.across, *([options.by] if options.by else [])]
    found = likeness.differences([each.conditions for each in a], [each.conditions for each in b], meant)
    inside = [each for side in (a, b) for each in likeness.unlike([one.conditions for one in side])]
    serious = [each for each in (*found, *inside) if each.serious]
    if not serious or options.force:
        return found
    lines = "".join(f"\n    {each.what}: {each.a} → {each.b}" for each in serious)
    raise UsageError(
        f"not alike in {len(serious)} ways, and a difference could come from any of them:{lines}",
        next_step=f"if that is what you compare: --across {serious[0].what.partition('.')[0]}, or --force for all",
    )


def _side(name: str, runs: Sequence[Stored]) -> Side:
    from toolkit.verdicts import Side

    invalid = tuple(f"{each.run}: {reason}" for each in runs for reason in each.invalid)
    calls = sum(len(each.sample.latency) for each in runs)
    shown = name if len(name) <= 60 else f"{runs[0].what}, {len(runs)} runs"
    return Side(shown, tuple(each.run for each in runs), calls, invalid)


def _notes(a: Sequence[Stored], b: Sequence[Stored]) -> Sequence[str]:
    found = [f"{each.run} is no valid measurement: {why}" for each in (*a, *b) for why in each.invalid]
    found += [f"{each.run} is partial: it was interrupted" for each in (*a, *b) if each.partial]
    if len(a) == len(b) == 1:
        found.append(
            "one run a side: how runs differ by themselves (deployment, placement, machine) is in no interval here; "
            "toolkit run --trials measures that"
        )
    elif min(len(a), len(b)) < FEW_RUNS:
        found.append(f"few runs a side make wide intervals; with {FEW_RUNS} or more they are told apart better")
    return found
