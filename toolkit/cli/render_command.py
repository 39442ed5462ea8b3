"""`toolkit render CHAIN`: the manifests of a chain, for people who apply them themselves."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.cli.tree import FORMS
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.manifests import Manifest, Target, VHive
    from toolkit.plan import Plan

MANIFESTS = (".yaml", ".yml", ".json")  # what 'kubectl apply -f FOLDER' reads
ELSEWHERE = frozenset(FORMS) - {"yaml", "json"}  # forms of other commands, so hardly a folder
FUNCTION = "{function}"  # in --image, where every function has an image of its own
SHORTEST = 2  # letters of a repository (github.com/google/go-containerregistry, pkg/name)
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RUN = re.compile(r"[ -~]{1,100}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    parser.add_argument("--engine", choices=("knative", "vhive"), default="knative", help="what the manifests are for")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="where the chain runs (default: the chain's name)")
    parser.add_argument("--no-namespace", action="store_true", help="leave the Namespace out: it is there already")
    parser.add_argument("--image", metavar="REF", help="the chain's image, as 'toolkit build' names it")
    parser.add_argument(
        "--run", metavar="ID", help="which run the objects are labelled with (default: the chain's name)"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides ids, payloads and samples")
    parser.add_argument(
        "--sample", type=arguments.fraction, default=1.0, help="the share of calls that are traced, 0..1"
    )
    parser.add_argument(
        "--zipkin", type=arguments.web_address, metavar="URL", help="the Zipkin that functions report to"
    )
    parser.add_argument("--tracing", action="store_true", help="add a Zipkin, and a collector for Knative's own spans")
    parser.add_argument(
        "--profile", choices=("env", "strict"), default="env", help="vHive: whether it passes the environment (1.5 on)"
    )
    parser.add_argument(
        "--sandbox", choices=("firecracker", "gvisor"), default="firecracker", help="vHive: what a function runs in"
    )
    parser.add_argument("--stub", metavar="REF", help="vHive: the image of the pods beside the virtual machines")
    parser.add_argument(
        "-o",
        "--output",
        metavar="yaml|json|DIR",
        type=_form,
        default="yaml",
        help="one stream, or a folder with a file an object",
    )


def execute(options: argparse.Namespace) -> int:
    _see_that_they_agree(options)
    from toolkit import catalog, manifests
    from toolkit import plan as plans
    from toolkit.contract import Tracing
    from toolkit.spec.notes import notes

    chain = catalog.load(options.chain, arguments.overrides(options))
    plan = plans.make(chain, options.run or chain.name, seed=options.seed, tracing=Tracing(sample=options.sample))
    target = _target(plan, options)
    rendered = manifests.render(plan, target)
    for each in (*notes(chain), *manifests.left_out(plan, target)):
        note(each)
    made = _with_tracing(plan, target, rendered) if options.tracing else rendered
    if options.output == "yaml":
        say(manifests.text(made))
    elif options.output == "json":
        say(manifests.as_list(made))
    else:
        _write(Path(options.output), plan, target, made)
    return Exit.OK


def _see_that_they_agree(options: argparse.Namespace) -> None:
    if options.image is None:
        raise UsageError(
            "--image is missing: the manifests have to name the image that holds the chain",
            next_step=f"make one with 'toolkit build {options.chain}', and give the reference that it prints",
        )
    if not _strict(options):
        if FUNCTION in options.image:
            raise UsageError(
                f"--image {options.image!r}: one image serves all functions, but for --engine vhive --profile strict",
                next_step="name one image",
            )
    elif FUNCTION not in options.image:
        raise UsageError(
            f"--image {options.image!r}: every function needs an image of its own, which holds its wiring",
            next_step=f"write {FUNCTION} where the images' names differ: registry/chain-{FUNCTION}:v1",
        )
    if options.engine != "vhive" and (options.stub or options.sandbox == "gvisor" or options.profile == "strict"):
        raise UsageError("--profile, --sandbox and --stub are for vHive", next_step="add --engine vhive")
    if options.tracing and options.zipkin is not None:
        raise UsageError("--tracing brings a Zipkin of its own, and --zipkin names one", next_step="leave one out")
    if options.run is not None and not _RUN.fullmatch(options.run):
        raise UsageError(f"--run {options.run[:100]!a} is no id: 1 to 100 printable ASCII", next_step="choose another")


def _form(text: str) -> str:
    if not text or text in ELSEWHERE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no form of manifests: write yaml, json, or the path of a folder, such as ./manifests"
        )
    return text


def _strict(options: argparse.Namespace) -> bool:
    return bool(options.engine == "vhive" and options.profile == "strict" and options.sandbox == "firecracker")


def _target(plan: Plan, options: argparse.Namespace) -> Target:
    from toolkit.manifests import Target, zipkin_endpoint

    namespace = plan.chain.name if options.namespace is None else options.namespace
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"--namespace {namespace[:100]!r} is no name of a namespace: at most 63 of a-z, 0-9 and '-'",
            next_step=f"for example -n {plan.chain.name[:63]}",
        )
    endpoint = zipkin_endpoint(namespace) if options.tracing else _endpoint(options.zipkin)
    vhive = _vhive(plan, options) if options.engine == "vhive" else None
    image = options.image if _strict(options) else _image("--image", options.image)
    return Target(namespace, image, None, endpoint, not options.no_namespace, vhive)


def _vhive(plan: Plan, options: argparse.Namespace) -> VHive:
    from toolkit.manifests import VHive

    names = [each.name for each in plan.chain.functions] if _strict(options) else []
    images = {name: _image("--image", options.image.replace(FUNCTION, name)) for name in names}
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


def _with_tracing(plan: Plan, target: Target, made: Sequence[Manifest]) -> Sequence[Manifest]:
    """Right behind the Namespace: what reports to it comes later."""
    from toolkit import manifests
    from toolkit.manifests.tracing import NAMES

    if taken := [each.name for each in plan.chain.functions if each.name in NAMES]:
        raise UsageError(
            f"--tracing: the chain has a function '{taken[0]}', and two Services of one name cannot be",
            next_step="rename the function, or use --zipkin with a Zipkin that runs elsewhere",
        )
    first = 1 if target.create_namespace else 0
    note(f"Knative's own spans: set tracing-endpoint to {manifests.otlp_endpoint(target.namespace)}")
    return (*made[:first], *manifests.tracing(target.namespace, manifests.labels(plan)), *made[first:])


def _write(folder: Path, plan: Plan, target: Target, made: Sequence[Manifest]) -> None:
    from toolkit import manifests
    from toolkit.images.store import new_file

    texts = manifests.files(made)
    if target.vhive is not None and target.vhive.images:
        wirings = {each.name: manifests.wiring(plan, target, each.name) for each in plan.chain.functions}
        texts |= {f"wiring/{name}.json": f"{wiring.encode()}\n" for name, wiring in wirings.items()}
    try:
        for name, text in texts.items():
            with new_file(folder / name) as file:
                file.write(text.encode())
        others = sorted(each.name for each in folder.iterdir() if each.suffix in MANIFESTS and each.name not in texts)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: {(error.strerror or str(error)).lower()}", next_step="name another folder"
        ) from error
    except ValueError as error:
        raise UsageError(f"{str(folder)!a} cannot be a folder: {error}", next_step="name another folder") from error
    say("\n".join(str(folder / name) for name in texts))
    if others:
        more = f" and {len(others) - 1} more" if others[1:] else ""
        note(f"{folder} also holds {others[0]}{more}, which kubectl would apply too: this was not rendered now")
    note(f"next: kubectl apply -f {shlex.quote(str(folder))}")
