"""`toolkit version`: the versions of the toolkit and of what it stands on."""

from __future__ import annotations

import argparse
import json
import platform
from importlib import metadata

from toolkit.cli import options as arguments
from toolkit.cli.output import say

STANDS_ON = ("grpcio", "protobuf", "opentelemetry-sdk", "PyYAML")


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    found = {"kn-bench": toolkit_version(), "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in STANDS_ON}
    if options.output == "json":
        say(json.dumps(found, indent=2))
    else:
        say(arguments.table([(name, version) for name, version in found.items()]))
    return 0


def toolkit_version() -> str:
    return metadata.version("kn-bench")
