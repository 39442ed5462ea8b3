"""`toolkit tracing`: the platform's own spans, on a cluster."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.engines.knative.tracing import Outcome, Wish

NAMESPACE = "kn-bench-tracing"
READY_WITHIN_S = 180.0
PORTS = {"http": 80, "https": 443}


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="setup")
    setup = commands.add_parser(
        "setup",
        help="make Knative send its own spans, or undo that",
        description="Brings up a Zipkin and a collector, makes Knative send its spans there, and restarts the parts of "
        "it that read their settings only when they start. Pods of running functions are replaced by Knative itself.",
    )
    where = setup.add_mutually_exclusive_group()
    where.add_argument(
        "--endpoint",
        type=arguments.web_address,
        metavar="URL",
        help="send there by OTLP over HTTP (http://HOST:4318/v1/traces), and bring nothing up",
    )
    where.add_argument(
        "--zipkin",
        type=arguments.web_address,
        metavar="URL",
        help="a Zipkin that is there: bring up the collector only",
    )
    setup.add_argument(
        "--sample", type=arguments.fraction, default=1.0, help="the share of requests that are traced, 0..1 (default 1)"
    )
    setup.add_argument("--undo", action="store_true", help="put back what was there, and remove what was brought up")
    setup.add_argument(
        "--dry-run",
        choices=("server",),
        nargs="?",
        const="server",
        help="have the cluster judge every change, and change nothing",
    )
    setup.add_argument("--zipkin-image", metavar="REF", help="of the Zipkin that is brought up")
    setup.add_argument("--collector-image", metavar="REF", help="of the collector; it needs the exporter 'zipkin'")
    setup.add_argument(
        "--timeout",
        dest="ready_timeout",
        type=arguments.seconds,
        default=READY_WITHIN_S,
        metavar="TIME",
        help=f"longest wait for a step to be through (default {READY_WITHIN_S:.0f}s)",
    )
    setup.add_argument(
        "-n",
        "--namespace",
        dest="tracing_namespace",  # $TOOLKIT_NAMESPACE is where chains run
        type=arguments.namespace,
        default=NAMESPACE,
        metavar="NAME",
        help=f"where Zipkin and collector are brought up (default: {NAMESPACE})",
    )
    setup.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: its current one)")
    arguments.cluster_domain(setup)
    setup.add_argument("--kubeconfig", type=Path, metavar="FILE", help="default: $KUBECONFIG, else ~/.kube/config")


def execute(options: argparse.Namespace) -> int:
    _see_that_it_makes_sense(options)
    try:
        outcome = asyncio.run(_do(options))
    except KeyboardInterrupt:
        note("what was done by then stays: call it again to go on, or with --undo to take it back")
        raise
    from toolkit.report.characters import printable

    say("\n".join(map(printable, _lines(options, outcome))))
    for line in outcome.told:
        note(f"note: {printable(line)}")
    return Exit.OK


def _see_that_it_makes_sense(options: argparse.Namespace) -> None:
    if options.endpoint is not None and options.zipkin is not None:
        raise UsageError("--endpoint and --zipkin are both given", next_step="spans go to one place: leave one away")
    for flag in ("endpoint", "zipkin"):
        url = getattr(options, flag)
        if url is not None and not options.undo and _is_loopback(urlsplit(url).hostname or ""):
            raise UsageError(
                f"--{flag} {url}: pods would look for it in their own pod",
                next_step="name an address that pods reach",
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _do(options: argparse.Namespace) -> Outcome:
    from toolkit.engines.knative import tracing
    from toolkit.engines.knative.connection import connect

    async with connect(engines.which_cluster(options)) as api:
        if options.undo:
            return await tracing.undo(
                api, options.tracing_namespace, engines.audience(), options.ready_timeout, dry_run=bool(options.dry_run)
            )
        return await tracing.setup(api, _wish(options), engines.audience(), dry_run=bool(options.dry_run))


def _wish(options: argparse.Namespace) -> Wish:
    from toolkit import manifests
    from toolkit.engines.knative.tracing import Wish
    from toolkit.manifests.names import CLUSTER_DOMAIN

    default = manifests.Images()
    return Wish(
        endpoint=otlp_url(options.endpoint) if options.endpoint else None,
        zipkin=options.zipkin,
        namespace=options.tracing_namespace,
        sample=options.sample,
        cluster_domain=options.cluster_domain or CLUSTER_DOMAIN,
        images=manifests.Images(options.zipkin_image or default.zipkin, options.collector_image or default.collector),
        ready_within_s=options.ready_timeout,
    )


def otlp_url(text: str) -> str:
    """With a port and a path: Kourier's controller does not start with an address without a port (net-kourier's
    `parseOtlpEndpoint`), and Envoy does not put the path in."""
    parts = urlsplit(text)
    place = parts.netloc if parts.port is not None else f"{parts.netloc}:{PORTS[parts.scheme]}"
    return urlunsplit(
        (parts.scheme, place, parts.path if parts.path not in ("", "/") else "/v1/traces", parts.query, "")
    )


def _lines(options: argparse.Namespace, outcome: Outcome) -> Sequence[str]:
    would = "would be " if options.dry_run else ""
    lines = [
        f"ConfigMap {each.place}: {key}: {_or_nothing(was)} → {_or_nothing(now)}"
        for each in outcome.edits
        for key, (was, now) in each.keys.items()
    ]
    if outcome.objects:
        verb = "removed" if options.undo else "applied"
        lines.append(f"{would}{verb}: {', '.join(map(str, outcome.objects))}")
    if outcome.restarted:
        lines.append(f"{would}restarted: {', '.join(map(str, outcome.restarted))}")
    if not any((lines, outcome.told)):
        return ["nothing to undo" if options.undo else "all is so already"]
    if not options.undo and not options.dry_run:
        lines.append("Knative sends its spans")
    return lines


def _or_nothing(value: str | None) -> str:
    return "(not set)" if value is None else value
