"""Tracing of the platform, on and off by the real command, for the tests: with a real Zipkin, or with our own store.

May live here: who takes the spans, and what of the platform had to be restarted for it. May not: runs and verdicts.

$KNBENCH_TRACING=store   uses our store on this machine although a Zipkin and a Collector could be had
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import extras
from tests.cluster.running import ClusterError
from tests.cluster.suite import images, platform
from tests.cluster.suite.api import Kind
from tests.cluster.suite.cluster import Cluster
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings

CHOICE = "KNBENCH_TRACING"
NOTE = "kn-bench.dev/before"  # on a ConfigMap that the command has changed
CONFIG_MAP = Kind("v1", "ConfigMap")
WITHIN_S = 120.0
RESTARTED = re.compile(r"(activator|mt-broker-ingress|mt-broker-filter|imc-dispatcher)-.*")
CONFIGS = (
    *((space, "config-observability") for space in (platform.SERVING, platform.EVENTING)),
    *((platform.SERVING, name) for name in ("config-kourier", "config-tracing")),
    (platform.EVENTING, "config-tracing"),
)


@dataclass
class OnPurpose:
    """Containers of Knative's that tests ended, and those that came in their place: no others may."""

    ended: set[platform.Container] = field(default_factory=set)
    came: set[platform.Container] = field(default_factory=set)

    def restarted(self, before: frozenset[platform.Container], after: frozenset[platform.Container]) -> None:
        ended = {each for each in before if RESTARTED.fullmatch(each.pod)}
        came = {each for each in after if RESTARTED.fullmatch(each.pod) and not each.restarts}
        self.ended, self.came = self.ended | ended, self.came - ended | came


@dataclass(frozen=True)
class Taker:
    """Who takes the spans: `arguments` for `toolkit tracing setup`, and what a run has to be told besides.

    `instead` says why it is not a real Zipkin behind a real Collector.
    """

    arguments: tuple[str, ...]
    zipkin: str | None = None
    instead: str | None = None


def toolkit(*arguments: str) -> str:
    """What the command wrote. Raises AssertionError, with its errors."""
    command = (sys.executable, "-m", "toolkit.cli", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, f"toolkit {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


@contextlib.contextmanager
def taker(folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Taker]:
    """A Zipkin and a Collector for the cluster where both are in the cache; a store of this machine otherwise."""
    if (why := _why_not(environment)) is None:
        with contextlib.suppress(ClusterError, images.NoImages):
            zipkin, collector = _loaded(folder, environment[images.LOAD])
            yield Taker(("--zipkin-image", zipkin, "--collector-image", collector))
            return
    with store() as url:
        yield Taker(("--endpoint", f"{url}/v1/traces"), url, why)


def _why_not(environment: Mapping[str, str]) -> str | None:
    if environment.get(CHOICE) == "store":
        return f"${CHOICE} asks for our own store"
    if not environment.get(images.LOAD):
        return f"${images.LOAD} says nothing of how the cluster gets images"
    if lacking := extras.missing():
        return f"{', '.join(lacking)} not in the cache: python -m tests.cluster extras brings them"
    return None


def _loaded(folder: Path, load: str) -> tuple[str, str]:
    archives = extras.archives(folder)
    for tarball in archives.values():
        images.run(images.load_command(load, tarball), images.LOADED_WITHIN_S)
        tarball.unlink()
    zipkin, collector = archives
    return zipkin, collector


@contextlib.contextmanager
def store() -> Iterator[str]:
    """The base URL of `toolkit trace serve` where pods reach this machine."""
    host = asyncio.run(KnativeEngine(Settings()).host())
    command = (sys.executable, "-m", "toolkit.cli", "trace", "serve", "--listen", f"{host}:0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://\S+?:\d+", process.stdout.readline())
            assert found is not None, "the store did not say where it listens"
            yield found[0]
        finally:
            process.terminate()
            process.wait(10)


def settings(cluster: Cluster) -> Mapping[tuple[str, str], Any]:
    """What the ConfigMaps say that have to do with tracing, and whose they are said to be."""
    found = {(space, name): cluster.get(CONFIG_MAP, name, space) for space, name in CONFIGS}
    return {
        place: each and (each.get("data"), each["metadata"].get("annotations"), each["metadata"].get("labels"))
        for place, each in found.items()
    }
