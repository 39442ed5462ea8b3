"""`toolkit list`: the chains of the catalogue."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from toolkit.cli import options as arguments
from toolkit.cli.output import say


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.output(parser, "text", "json", "name")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog
    from toolkit.report import wording

    chains = [catalog.load(name) for name in catalog.names()]
    rows = [{**_row(chain), "patterns": list(wording.patterns(chain))} for chain in chains]
    if options.output == "json":
        say(json.dumps(rows, indent=2))
    elif options.output == "name":
        say("\n".join(row["name"] for row in rows))
    else:
        lines = [("NAME", "FUNCTIONS", "EDGES", "PATTERNS", "ABOUT")]
        lines += [_line(row) for row in rows]
        say(arguments.table(lines))
    return 0


def _row(chain: Any) -> dict[str, Any]:
    return {
        "name": chain.name,
        "about": chain.about,
        "functions": len(chain.functions),
        "edges": dict(Counter(edge.via for edge in chain.edges)),
        "parameters": {each.name: each.value for each in chain.parameters},
        "requires": list(chain.requires),
    }


def _line(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    patterns = ", ".join(row["patterns"]) or "none"
    return row["name"], str(row["functions"]), _edges(row["edges"]), patterns, row["about"]


def _edges(edges: dict[str, int]) -> str:
    return ", ".join(f"{number} {via}" for via, number in sorted(edges.items())) or "none"
