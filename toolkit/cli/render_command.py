"""`toolkit render CHAIN`: the manifests of a chain, for people who apply them themselves."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli import known_images, targets
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.cli.targets import FUNCTION
from toolkit.cli.tree import FORMS
from toolkit.errors import Exit, UsageError

if TYPE_CHECKING:
    from toolkit.manifests import Manifest, Target
    from toolkit.plan import Plan

MANIFESTS = (".yaml", ".yml", ".json")  # what 'kubectl apply -f FOLDER' reads
ELSEWHERE = frozenset(FORMS) - {"yaml", "json"}  # forms of other commands, so hardly a folder


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    parser.add_argument("--engine", choices=("knative", "vhive"), default="knative", help="what the manifests are for")
    targets.configure(parser)
    parser.add_argument("--no-namespace", action="store_true", help="leave the Namespace out: it is there already")
    parser.add_argument(
        "--image", metavar="REF", help="the chain's image (default: what 'toolkit build' made last of it)"
    )
    parser.add_argument("--tracing", action="store_true", help="add a Zipkin, and a collector for Knative's own spans")
    targets.profile(parser)
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
    from toolkit.spec.notes import notes

    chain = catalog.load(options.chain, arguments.overrides(options))
    plan = targets.plan(chain, options)
    target = targets.target(plan, options, _image(plan, options) if options.image is None else options.image)
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
    if options.image is not None:
        _see_that_it_fits(options)
    if options.engine != "vhive" and (options.stub or options.sandbox == "gvisor" or options.profile == "strict"):
        raise UsageError("--profile, --sandbox and --stub are for vHive", next_step="add --engine vhive")
    targets.see_that_they_agree(options)


def _see_that_it_fits(options: argparse.Namespace) -> None:
    if not targets.strict(options):
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


def _image(plan: Plan, options: argparse.Namespace) -> str:
    """What was built last of the chain. Raises UsageError when that is nothing, or something else by now."""
    if not targets.strict(options):
        return known_images.of_chain(
            plan.chain, options.chain, "the manifests have to name the image that holds the chain"
        )
    wirings = targets.wirings(plan, targets.target(plan, options, f"unknown/{FUNCTION}:unknown"))
    return known_images.of_functions(plan.chain, options.chain, targets.flags(options), wirings)


def _form(text: str) -> str:
    if not text or text in ELSEWHERE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no form of manifests: write yaml, json, or the path of a folder, such as ./manifests"
        )
    return text


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
    space, domain = target.namespace, target.cluster_domain
    note(f"Knative's own spans: set tracing-endpoint to {manifests.otlp_endpoint(space, domain)}")
    added = manifests.tracing(space, manifests.labels(plan), cluster_domain=domain)
    return (*made[:first], *added, *made[first:])


def _write(folder: Path, plan: Plan, target: Target, made: Sequence[Manifest]) -> None:
    from toolkit import manifests
    from toolkit.images.store import new_file

    texts = manifests.files(made)
    if target.vhive is not None and target.vhive.images:
        wirings = targets.wirings(plan, target)
        texts |= {f"wiring/{name}.json": wiring.decode() for name, wiring in wirings.items()}
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
