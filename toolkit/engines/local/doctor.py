"""What the local engine needs of this machine, and whether it is there.

May live here: looking at this machine. May not: starting anything that stays.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata

from toolkit.engines.findings import Finding, missing, ok, remark
from toolkit.engines.local import ports
from toolkit.errors import EngineError
from toolkit.sdk.ports import FIRST, LAST

OLDEST = (3, 11)
NEEDED = ("grpcio", "protobuf", "opentelemetry-sdk", "PyYAML")
PORTS = 16  # what the largest chains of the catalogue bind, with broker, store and collector
FEW_PROCESSORS = 2


def examine() -> Sequence[Finding]:
    """Never raises."""
    return [_python(), _libraries(), _ports(), _processors()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST:
        return missing("python", f"{version} is too old", "install Python 3.11 or newer")
    return ok("python", version)


def _libraries() -> Finding:
    found, absent = [], []
    for each in NEEDED:
        try:
            found.append(f"{each} {metadata.version(each)}")
        except metadata.PackageNotFoundError:
            absent.append(each)
    if absent:
        return missing("libraries", f"not installed: {', '.join(absent)}", "pip install kn-bench")
    return ok("libraries", ", ".join(found))


def _ports() -> Finding:
    try:
        ports.free(PORTS)
    except EngineError as error:
        return missing("ports", str(error), error.next_step)
    return ok("ports", f"free on loopback between {FIRST} and {LAST}")


def _processors() -> Finding:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < FEW_PROCESSORS:
        return remark(
            "processors", "one: the generator and the functions get in each other's way", "measure on a larger machine"
        )
    return ok("processors", str(count))
