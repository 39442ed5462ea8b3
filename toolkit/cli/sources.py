"""Which traces a command is about: `--run`, `--file`, `--store` or `--zipkin`, named the same way by every command.

May live here: these options, and which of them counts. May not: reading what they name.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolkit.cli import options as arguments
from toolkit.errors import UsageError

SOURCES = ("run", "file", "store", "zipkin")
ENVIRONMENT = "TOOLKIT_"


def configure(parser: argparse.ArgumentParser) -> None:
    """Whoever calls this calls `settle` once the words are read."""
    where = parser.add_argument_group("where the traces are (default: the newest run)")
    where.add_argument("--run", metavar="RUN", help="a stored run: its id, or its folder")
    where.add_argument("--file", type=Path, metavar="SPANS", help="a file of Zipkin v2 spans (JSON; .gz too)")
    where.add_argument("--store", type=Path, metavar="FILE", help="the file of a 'toolkit trace serve --store'")
    where.add_argument(
        "--zipkin", type=arguments.web_address, metavar="URL", help="a Zipkin, or a 'toolkit trace serve' that is up"
    )
    where.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where runs are stored")


def settle(options: argparse.Namespace, positional: str | None = None) -> None:
    """Leaves the one source that counts in `options`, and None in the others.

    What was typed beats what the environment says; `positional` is the argument that names one too. Raises UsageError
    when two are left.
    """
    given = [each for each in SOURCES if getattr(options, each) is not None]
    typed = [each for each in given if not came_from_environment(options, each)]
    words = [f"--{each}" for each in typed]
    if positional is not None and getattr(options, positional) is not None:
        words.insert(0, positional.upper())
    if len(words) > 1:
        raise UsageError(f"{_listed(words)} exclude each other", next_step="name one of them")
    if not words and len(given) > 1:
        names = [ENVIRONMENT + each.upper() for each in given]
        raise UsageError(
            f"{_listed(names)} are set, and exclude each other",
            next_step="unset all but one of them, or name a source with an option, which counts more",
        )
    for each in SOURCES:
        if words and each not in typed:
            setattr(options, each, None)


def came_from_environment(options: argparse.Namespace, name: str) -> bool:
    """Whether this option's value is the one that its `TOOLKIT_*` variable has, and nobody typed it."""
    known = getattr(options, "of_environment", {})
    return name in known and known[name] is getattr(options, name)


def only_of(options: argparse.Namespace, sources: Sequence[str], *flags: str) -> None:
    """Raises UsageError when one of `flags` (whose default is None) was typed and the source is none of `sources`."""
    if any(getattr(options, each) is not None for each in sources):
        return
    for flag in flags:
        if getattr(options, flag) is not None and not came_from_environment(options, flag):
            raise UsageError(
                f"--{flag} says nothing without {_listed([f'--{each}' for each in sources], 'or')}",
                next_step=f"leave --{flag} away, or name a store",
            )


def _listed(words: Sequence[str], between: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {between} {words[-1]}"
