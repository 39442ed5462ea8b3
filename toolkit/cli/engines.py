"""The engine that the options name, and the live lines of one that takes its time.

May live here: options of engines, and what they become. May not: what an engine does. Engines are loaded when they are
asked for.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolkit.cli import options as arguments
from toolkit.cli.output import note, progress_wanted
from toolkit.cli.tree import ENVIRONMENT
from toolkit.errors import SpecError, UsageError
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from toolkit.engines.base import Engine
    from toolkit.engines.knative.connection import Cluster
    from toolkit.engines.knative.engine import KnativeEngine
    from toolkit.engines.knative.settings import Audience
    from toolkit.spec.model import ChainSpec

READY_WITHIN_S = 180.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")  # of a chain, when there is no file of it
ONLY_ON_A_CLUSTER = ("namespace", "context", "kubeconfig", "image", "advertise", "ingress", "cluster_domain")


def configure(parser: argparse.ArgumentParser, *, timeout: tuple[str, ...] = ("--ready-timeout", "--timeout")) -> None:
    """Every option that decides where a chain runs. `timeout` are the names of the one for readiness."""
    parser.add_argument("--engine", choices=("local", "knative"), default="local", help="where the chain runs")
    parser.add_argument(
        "--install", action="store_true", help="fetch what the chain requires into a cache, if it is not here"
    )
    tracing(parser)
    group = cluster(parser)
    group.add_argument(
        "--image", metavar="REF", help="the chain's container image (default: what 'toolkit build' made last of it)"
    )
    group.add_argument(
        "--advertise", metavar="HOST", help="this machine as pods reach it (default: its address towards the cluster)"
    )
    group.add_argument(
        "--ingress", metavar="HOST:PORT", help="the cluster's gateway as this machine reaches it (default: Kourier's)"
    )
    arguments.cluster_domain(group)
    group.add_argument(
        *timeout,
        dest="ready_timeout",
        type=arguments.seconds,
        default=READY_WITHIN_S,
        metavar="TIME",
        help=f"longest wait for all to be ready (default {READY_WITHIN_S:.0f}s)",
    )


def cluster(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Which cluster and where in it, as kubectl says it."""
    group = parser.add_argument_group("cluster", "for --engine knative")
    group.add_argument("-n", "--namespace", metavar="NAME", help="default: the chain's name; made if it is not there")
    group.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: its current one)")
    group.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")
    return group


def tracing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="decides ids, payloads and samples")
    parser.add_argument(
        "--sample", type=arguments.fraction, default=1.0, help="the share of calls that are traced, 0..1"
    )
    parser.add_argument(
        "--zipkin",
        type=arguments.web_address,
        metavar="URL",
        help="send spans to this Zipkin in place of the embedded store",
    )
    parser.add_argument(
        "--attribute",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=arguments.setting,
        help="a tag that every span of the functions carries (repeatable)",
    )


def chain(options: argparse.Namespace) -> ChainSpec:
    """The chain that the options name; what its code requires is fetched before anything is started."""
    return installed(named(options), options)


def named(options: argparse.Namespace) -> ChainSpec:
    """The chain that the options name, read and no more."""
    from toolkit import catalog

    return catalog.load(options.chain, arguments.overrides(options))


def installed(chain: ChainSpec, options: argparse.Namespace) -> ChainSpec:
    """The chain, once what its code requires was fetched, if that is asked for."""
    if options.install:
        from toolkit.engines import requirements

        requirements.install(chain, lambda text: note(printable(text)))
    return chain


@dataclass(frozen=True, slots=True)
class Kept:
    """Folders for what is worth keeping of a deployment; each is made when there is something to keep."""

    logs: Path | None = None
    manifests: Path | None = None


NOTHING = Kept()


def make(options: argparse.Namespace, kept: Kept = NOTHING) -> Engine:
    """The engine that `--engine` names. Raises UsageError for options that do not go together."""
    if options.engine == "knative":
        return knative(options, kept)
    if given := [
        each for each in ONLY_ON_A_CLUSTER if getattr(options, each) is not None and not _from_environment(each)
    ]:
        raise UsageError(
            f"--{given[0].replace('_', '-')} is for --engine knative",
            next_step="leave it away, or add --engine knative",
        )
    if getattr(options, "cold", None) is not None:
        from toolkit.engines.local.from_zero import EngineFromZero

        return EngineFromZero(zipkin=options.zipkin, logs=kept.logs)
    from toolkit.engines.local.engine import LocalEngine

    return LocalEngine(zipkin=options.zipkin, logs=kept.logs)


def knative(options: argparse.Namespace, kept: Kept = NOTHING) -> KnativeEngine:
    """Raises UsageError."""
    if options.zipkin is not None and (urlsplit(options.zipkin).hostname or "") in ("localhost", "127.0.0.1", "::1"):
        raise UsageError(
            f"--zipkin {options.zipkin}: functions in pods would look for it in their own pod",
            next_step="name an address that pods reach too, or leave --zipkin away: the embedded store takes spans",
        )
    from toolkit.engines.knative.engine import KnativeEngine
    from toolkit.engines.knative.settings import Settings
    from toolkit.manifests.names import CLUSTER_DOMAIN

    settings = Settings(
        image=_image(options),
        cluster=which_cluster(options),
        namespace=options.namespace,
        advertise=options.advertise,
        ingress=options.ingress,
        from_inside=getattr(options, "from", "here") == "cluster",
        cluster_domain=options.cluster_domain or CLUSTER_DOMAIN,
        zipkin=options.zipkin,
        ready_within_s=options.ready_timeout,
        logs=kept.logs,
        manifests=kept.manifests,
    )
    return KnativeEngine(settings, audience())


def _image(options: argparse.Namespace) -> str:
    """The one that is asked for, else what was built last of the chain. Raises UsageError."""
    if options.image is not None:
        if not options.image:
            raise UsageError("--image is empty", next_step="name one, or leave it away for what was built last")
        return str(options.image)
    from toolkit import catalog
    from toolkit.cli import known_images

    chain = catalog.load(options.chain, arguments.overrides(options))
    return known_images.of_chain(chain, options.chain, "a cluster runs the chain's container image")


def which_cluster(options: argparse.Namespace) -> Cluster:
    from toolkit.engines.knative.connection import Cluster

    return Cluster(options.kubeconfig, options.context)


def chain_and_namespace(options: argparse.Namespace) -> tuple[str, str]:
    """The name of the chain, and where it stands. A chain whose file is gone can still be named. Raises UsageError."""
    from toolkit import catalog

    try:
        chain = catalog.load(options.chain).name
    except SpecError:
        raise
    except UsageError:
        if not NAME.fullmatch(options.chain):
            raise
        chain = options.chain
    return chain, options.namespace or chain


def audience() -> Audience:
    from toolkit.engines.knative.settings import Audience

    return Audience(stage=Stages(), note=lambda text: note(printable(text)))


def _from_environment(name: str) -> bool:
    return f"{ENVIRONMENT}{name.upper()}" in os.environ


class Stages:
    """One line an object on standard error: written over and over on a terminal, once it is ready elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._states: dict[str, str] = {}
        self._live, self._drawn = progress_wanted(), 0

    def __call__(self, subject: object, state: str) -> None:
        after = f"{time.monotonic() - self._began:.1f} s"
        self._states[str(subject)] = f"{state} after {after}" if state == "ready" else state
        if self._live and len(self._states) < shutil.get_terminal_size((100, 24)).lines:
            self._draw()
        elif state == "ready":
            note(printable(f"{subject}: ready after {after}"))

    def _draw(self) -> None:
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        width = max(20, shutil.get_terminal_size((100, 24)).columns - 1)
        lines = [printable(f"{subject}: {state}")[:width] for subject, state in self._states.items()]
        sys.stderr.write(up + "".join(f"\r\x1b[2K{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)
