"""Where a chain's manifests are for, from the options: what `render` writes, and what a strict build bakes in.

Both must come to the same wiring, so both ask here. May not live here: what the manifests look like (`manifests`).
"""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.errors import UsageError

if TYPE_CHECKING:
    from toolkit.manifests import Target, VHive
    from toolkit.plan import Plan
    from toolkit.spec.model import ChainSpec

FUNCTION = "{function}"  # in --image, where every function has an image of its own
SEED, SAMPLE = 1, 1.0
SHORTEST = 2  # letters of a repository (github.com/google/go-containerregistry, pkg/name)
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RUN = re.compile(r"[ -~]{1,100}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def configure(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """What decides a function's wiring, beside the chain and its parameters."""
    parser.add_argument("-n", "--namespace", metavar="NAME", help="where the chain runs (default: the chain's name)")
    parser.add_argument(
        "--run", metavar="ID", help="which run the objects are labelled with (default: the chain's name)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="decides ids, payloads and samples")
    parser.add_argument(
        "--sample", type=arguments.fraction, default=SAMPLE, help="the share of calls that are traced, 0..1"
    )
    parser.add_argument(
        "--zipkin", type=arguments.web_address, metavar="URL", help="the Zipkin that functions report to"
    )
    arguments.cluster_domain(parser)


def profile(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--profile", choices=("env", "strict"), default="env", help="vHive: whether it passes the environment (1.5 on)"
    )


def strict(options: argparse.Namespace) -> bool:
    """Whether nothing reaches a function but its image."""
    return bool(options.engine == "vhive" and options.profile == "strict" and options.sandbox == "firecracker")


def see_that_they_agree(options: argparse.Namespace) -> None:
    """Raises UsageError."""
    if options.tracing and options.zipkin is not None:
        raise UsageError("--tracing brings a Zipkin of its own, and --zipkin names one", next_step="leave one out")
    if options.run is not None and not _RUN.fullmatch(options.run):
        raise UsageError(f"--run {options.run[:100]!a} is no id: 1 to 100 printable ASCII", next_step="choose another")


def plan(chain: ChainSpec, options: argparse.Namespace) -> Plan:
    from toolkit import plan as plans
    from toolkit.contract import Tracing

    return plans.make(chain, options.run or chain.name, seed=options.seed, tracing=Tracing(sample=options.sample))


def target(plan: Plan, options: argparse.Namespace, image: str) -> Target:
    """`image` holds the chain, or `{function}` where each function has one of its own. Raises UsageError."""
    from toolkit.cli import ledger_tokens
    from toolkit.manifests import Target, zipkin_endpoint
    from toolkit.manifests.names import CLUSTER_DOMAIN

    namespace = plan.chain.name if options.namespace is None else options.namespace
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"--namespace {namespace[:100]!r} is no name of a namespace: at most 63 of a-z, 0-9 and '-'",
            next_step=f"for example -n {plan.chain.name[:63]}",
        )
    domain = options.cluster_domain or CLUSTER_DOMAIN
    endpoint = zipkin_endpoint(namespace, domain) if options.tracing else _endpoint(options.zipkin)
    vhive = _vhive(plan, options, image) if options.engine == "vhive" else None
    whole = image if strict(options) else _image("--image", image)
    made = Target(namespace, whole, None, endpoint, not options.no_namespace, vhive, domain)
    return replace(made, ledger_token=ledger_tokens.token(plan, namespace)) if plan.chain.has_ledger else made


def wirings(plan: Plan, target: Target) -> dict[str, bytes]:
    """The file that each function's image has baked in, by function; the same that `render -o DIR` writes."""
    from toolkit import manifests

    made = {each.name: manifests.wiring(plan, target, each.name) for each in plan.chain.functions}
    return {name: f"{wiring.encode()}\n".encode() for name, wiring in made.items()}


def flags(options: argparse.Namespace) -> str:
    """The options again that decide the wiring, for a command that somebody is told to run."""
    said = [f"--{name.replace('_', '-')}={value}" for name, value in _said(options)]
    settings = [f"--set={key}={value}" for key, value in arguments.overrides(options).items()]
    return "".join(f" {shlex.quote(each)}" for each in (*said, *(["--tracing"] if options.tracing else []), *settings))


def _said(options: argparse.Namespace) -> list[tuple[str, object]]:
    usual = {"namespace": None, "run": None, "seed": SEED, "sample": SAMPLE, "zipkin": None, "cluster_domain": None}
    return [(name, getattr(options, name)) for name in usual if getattr(options, name) != usual[name]]


def given(options: argparse.Namespace) -> list[str]:
    """Which of these options differ from what they are by themselves."""
    return [name for name, _ in _said(options)] + (["tracing"] if options.tracing else [])


def _vhive(plan: Plan, options: argparse.Namespace, image: str) -> VHive:
    from toolkit.manifests import VHive

    names = [each.name for each in plan.chain.functions] if strict(options) else []
    images = {name: _image("--image", image.replace(FUNCTION, name)) for name in names}
    stub = _image("--stub", options.stub) if options.stub is not None else VHive().stub
    return VHive(stub, options.profile, options.sandbox, images)


def _image(flag: str, text: str) -> str:
    """The reference, once it is known to be one that always means the same: by tag or by digest."""
    from toolkit.images import names

    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise UsageError(f"{flag} {text[:200]!r}: {digest[:80]!r} is no digest", next_step="write NAME@sha256:…")
    parsed = names.parse(name)
    if len(parsed.repository.removeprefix("library/")) < SHORTEST:
        raise UsageError(
            f"{flag} {text[:200]!r}: Knative reads no repository of fewer than {SHORTEST} letters",
            next_step="give the image a longer name",
        )
    if parsed.tag is None and not at:
        raise UsageError(
            f"{flag} {text[:200]!r} has no tag, so Kubernetes would take 'latest' and pull it at every start",
            next_step="write NAME:TAG or NAME@sha256:…",
        )
    return text


def _endpoint(zipkin: str | None) -> str | None:
    if zipkin is None:
        return None
    from toolkit.engines import zipkin_client

    return zipkin_client.spans_url(zipkin)
