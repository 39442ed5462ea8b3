"""`toolkit report RUN`: prints a stored run again, in any form."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli import options as arguments


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or its folder")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")
    arguments.output(parser, "text", "json", "junit")


def execute(options: argparse.Namespace) -> int:
    from toolkit import runs
    from toolkit.cli import printing

    report = runs.load(options.run, options.out)
    printing.show(report, options.output)
    return printing.verdict(report, measuring=True)
