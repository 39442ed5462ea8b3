"""`toolkit run CHAIN --trials N [--vary key=v1,v2]`: the run again and again, one run of its own each."""

from __future__ import annotations

import argparse
import asyncio
import copy
import dataclasses
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say, speaks_unicode
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.measure.comparison import Sample
    from toolkit.run import Order, Outcome
    from toolkit.trials import Planned, Until
    from toolkit.verdicts import Group, Spread

    Prepare = Callable[[argparse.Namespace], Order]
    Make = Callable[
        [Order, argparse.Namespace, asyncio.Event], Coroutine[None, None, tuple[Outcome, UsageError | None]]
    ]

WORST = (Exit.INTERRUPTED, Exit.CHECK, Exit.INVALID)  # of all trials, the first of these that one of them had


def configure(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("trials", "the run again and again, each time with a fresh deployment")
    group.add_argument("--trials", type=arguments.count, metavar="N", help="how often, of each variant")
    group.add_argument(
        "--vary",
        type=arguments.setting,
        action="append",
        default=[],
        metavar="KEY=V1,V2",
        help="with --trials: one variant for each of these values of a parameter, in random order (repeatable)",
    )
    group.add_argument(
        "--until",
        metavar="GOAL",
        help="with --trials, such as p99±5%%: fewer are enough once this interval is so tight (3 at least)",
    )


def wanted(options: argparse.Namespace) -> bool:
    """Whether trials are asked for. Raises UsageError for what goes with them only."""
    if options.trials is None:
        for flag in ("vary", "until"):
            if getattr(options, flag):
                raise UsageError(f"--{flag} is for trials", next_step=f"add --trials 10, or leave --{flag} away")
    return options.trials is not None


def execute(options: argparse.Namespace, prepare: Prepare, make: Make) -> int:
    """`prepare` makes the order of one trial from its options, `make` runs it and stores it."""
    from toolkit import runs, trials
    from toolkit.cli import running
    from toolkit.verdicts import Group

    if options.output == "junit":
        raise UsageError("-o junit tells the checks of one run", next_step="take text or json, and report RUN -o junit")
    if options.no_out:
        raise UsageError("--no-out: what trials say together is told from what is stored", next_step="give --out DIR")
    enough = trials.until(options.until) if options.until else None
    varied = [(key, [each.strip() for each in values.split(",")]) for key, values in options.vary]
    variants = trials.variants(varied)
    planned = trials.order(variants, options.trials, options.seed)
    for each in planned:  # what cannot be is told before the first trial
        chain = prepare(_of(options, each)).chain.name
    runs.prepare(options.out)
    name = trials.name(chain, datetime.now(UTC))
    group = Group(name, chain, options.seed, len(planned), (), partial=True, variants=tuple(variants))
    series = _Series(options, group, planned, enough)
    running.interruptible(lambda stop: series.run(prepare, make, stop))
    return series.end()


def _of(options: argparse.Namespace, planned: Planned) -> argparse.Namespace:
    """The options of one trial."""
    found = copy.copy(options)
    found.set = [*options.set, *planned.variant.items()]
    found.seed, found.output = planned.seed, "trial"  # no progress line of its own
    if "payload" in planned.variant:
        found.payload = None
    return found


class _Series:
    """One group of trials on its way; its file is written anew after each of them."""

    def __init__(
        self, options: argparse.Namespace, group: Group, planned: Sequence[Planned], enough: Until | None
    ) -> None:
        from toolkit import trials

        self._options, self._planned, self._enough = options, planned, enough
        self._group = group
        self._samples: dict[str, list[Sample]] = {trials.label(each.variant): [] for each in planned}
        self._samples = dict(sorted(self._samples.items()))
        self._exits: list[Exit] = []

    async def run(self, prepare: Prepare, make: Make, stop: asyncio.Event) -> None:
        for at, each in enumerate(self._planned):
            if stop.is_set() or (self._enough and self._whole_blocks(at) and self._is_enough(self._enough)):
                break
            options = _of(self._options, each)
            outcome, trouble = await make(prepare(options), options, stop)
            if trouble is not None:
                raise trouble
            if stop.is_set():  # it is stored, partial, and no trial
                break
            self._add(each, outcome, at)
        self._finish(interrupted=stop.is_set())

    def _whole_blocks(self, at: int) -> bool:
        return at % len(self._samples) == 0

    def _is_enough(self, enough: Until) -> bool:
        from toolkit import trials

        return trials.enough(enough, self._told())

    def _add(self, planned: Planned, outcome: Outcome, at: int) -> None:
        from toolkit import samples, trials
        from toolkit.cli import printing
        from toolkit.measure.rows import table
        from toolkit.verdicts import Trial

        report = outcome.report
        made = (*self._group.trials, Trial(report.run, planned.block, planned.variant))
        self._group = dataclasses.replace(self._group, trials=made)
        asynchronous = any(via == "event" for _, _, via in report.edges)
        rows = table(outcome.calls, outcome.evidence.receipts).rows
        self._samples[trials.label(planned.variant)].append(samples.of_rows(rows, completing=asynchronous))
        self._exits.append(printing.verdict(report, measuring=True))
        trials.keep(self._options.out, self._group, {})
        p50 = report.measurement.latency_us.p50 if report.measurement.latency_us else None
        median = "" if p50 is None else f" · p50 {p50 / 1000:.3g} ms"
        words = f"trial {at + 1} of {len(self._planned)} · {trials.label(planned.variant)}{median} · {report.run}"
        note(words + ("" if self._exits[-1] == Exit.OK else f" · exit {int(self._exits[-1])}"))

    def _told(self) -> Mapping[str, Sequence[Spread]]:
        from toolkit import trials

        return trials.told(self._samples)

    def _finish(self, *, interrupted: bool) -> None:
        from toolkit import trials

        self._group = dataclasses.replace(self._group, partial=interrupted)
        if interrupted:
            self._exits.append(Exit.INTERRUPTED)
        if self._group.trials:
            trials.keep(self._options.out, self._group, self._told())

    def end(self) -> int:
        """Prints what the trials say together; the exit code of all of them."""
        if not self._group.trials:
            note("interrupted before the first trial was over")
            return Exit.INTERRUPTED
        self._show()
        return next((each for each in WORST if each in self._exits), Exit.OK)

    def _show(self) -> None:
        from toolkit import trials

        if self._options.output == "json":
            say(json.dumps(trials.as_json(self._group, self._told()), indent=2, allow_nan=False))
            return
        from toolkit.report.trials import text

        say(text(self._group, self._told(), unicode=speaks_unicode()))
