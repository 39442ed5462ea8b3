"""`toolkit stubs`: generates the typed stubs from the .proto files, or says which are stale."""

from __future__ import annotations

import argparse
from pathlib import Path

from toolkit.cli.output import note, say
from toolkit.errors import Exit


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--protos", type=Path, metavar="DIR", help="the folder of .proto files (default: the toolkit's)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the stubs go (default: the toolkit's package)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 4 when a stub is stale")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog, protoc

    protos = options.protos or catalog.shipped("protos")
    out = options.out or Path(protoc.__file__).parent / "stubs"
    if options.check:
        return _check(protoc.stale(protos, out))
    for path in protoc.generate(protos, out):
        say(str(path))
    return Exit.OK


def _check(stale: list[str]) -> int:
    for each in stale:
        note(f"stale: {each}")
    if stale:
        note("next: run 'toolkit stubs' (or 'make stubs') and commit what it wrote")
        return Exit.CHECK
    say("the stubs are fresh")
    return Exit.OK
