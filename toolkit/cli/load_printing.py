"""Prints a load's report in the form that was asked for, and turns it into an exit code."""

from __future__ import annotations

import json
import shutil

from toolkit.cli.output import note, say, speaks_unicode
from toolkit.errors import Exit
from toolkit.report import junit
from toolkit.report import load as report
from toolkit.results import LoadReport


def show(found: LoadReport, form: str) -> None:
    say(told(found, form))


def told(found: LoadReport, form: str) -> str:
    """The report as text, JSON or JUnit, newline at the end."""
    if form == "json":
        return json.dumps(report.to_json(found), indent=2, allow_nan=False) + "\n"
    if form == "junit":
        return junit.of_load(found)
    width = max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
    return report.text(found, width=width, unicode=speaks_unicode())


def verdict(found: LoadReport) -> Exit:
    """The exit code of a load. What is not valid is no measurement, whatever else it is."""
    if found.partial:
        return Exit.INTERRUPTED
    numbers = found.numbers
    if numbers.failed or numbers.lost:
        note(f"{numbers.failed + numbers.lost:,} of {numbers.sent:,} calls were not answered OK")
        return Exit.CHECK
    return Exit.INVALID if numbers.invalid else Exit.OK
