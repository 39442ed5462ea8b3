"""`toolkit build CHAIN`: the chain's container image, made without a daemon, and brought to where it is wanted."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from toolkit.cli import build_delivery, build_text, targets
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.cli.tree import ENVIRONMENT
from toolkit.errors import Exit, UsageError
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from toolkit.cli.build_delivery import Template
    from toolkit.images.build import Content
    from toolkit.images.delivery import Hook, Load
    from toolkit.images.model import Image, Platform
    from toolkit.spec.model import ChainSpec

Read = TypeVar("Read")

_PACKED = (".gz", ".tgz", ".xz", ".bz2", ".zst", ".zip")
_GOALS = ("to", "push", "load", "publish")
_FILES_EXCLUDE = ("base", "tag", "platform", "plain_http", *_GOALS)


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    parser.add_argument("--engine", choices=("knative", "vhive"), default="knative", help="what the image is for")
    targets.profile(parser)
    parser.add_argument(
        "--base", type=Path, metavar="PATH", help="an OCI layout, an OCI or 'docker save' tar, or a rootfs folder"
    )
    parser.add_argument("--tag", metavar="NAME[:TAG]", help="its name (default: dev.local/CHAIN:DIGITS of its content)")
    parser.add_argument("--platform", type=_platform, metavar="OS/ARCH", help="for another machine than this one")
    parser.add_argument(
        "--wiring",
        dest="wiring_file",  # as a function itself calls it in its environment
        type=Path,
        metavar="FILE",
        help="bake in one function's wiring, where no environment is passed on",
    )
    parser.add_argument(
        "--files", type=Path, metavar="DIR", help="write only the files that go on top of a base (the Dockerfile does)"
    )
    _goals(parser)
    baked = parser.add_argument_group("for --engine vhive --profile strict: what is baked in, as 'render' is asked")
    targets.configure(baked)
    baked.add_argument("--tracing", action="store_true", help="functions report to the Zipkin that 'render' adds")
    parser.set_defaults(sandbox="firecracker", stub=None, no_namespace=False)  # what only 'render' asks
    arguments.output(parser, "text", "json", "name")


def _goals(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it goes, one or more of them")
    group.add_argument(
        "--to", type=Path, metavar="PATH", help="write an OCI layout folder, or a tar when PATH ends in .tar"
    )
    group.add_argument("--push", metavar="REGISTRY/REPOSITORY[:TAG]", help="push it to a registry")
    group.add_argument("--plain-http", action="store_true", help="push without TLS, as is done on this machine anyway")
    group.add_argument(
        "--load",
        type=_load,
        metavar="kind[:CLUSTER]|containerd|docker",
        help="hand it to a cluster's nodes on this machine",
    )
    group.add_argument(
        "--publish",
        type=_hook,
        metavar="COMMAND",
        help="then run this for each image, without a shell; {tar}, {image} and {digest} stand for what was built",
    )


def execute(options: argparse.Namespace) -> int:
    _see_that_they_agree(options)
    from toolkit import catalog
    from toolkit.images.build import Content

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)  # so that what is half done is removed
    chain = catalog.load(options.chain, arguments.overrides(options))
    places = tuple(each for each in (options.base, options.to, options.files, options.wiring_file) if each is not None)
    content = Content(chain, options.wiring_file, _epoch(), places)
    if options.files is not None:
        return _files(content, options)
    return _images(content, options)


def _see_that_they_agree(options: argparse.Namespace) -> None:
    if options.engine != "vhive" and options.profile == "strict":
        raise UsageError("--profile is for vHive", next_step="add --engine vhive")
    if targets.strict(options):
        targets.see_that_they_agree(options)
        if both := [each for each in ("files", "wiring_file") if getattr(options, each)]:
            raise UsageError(
                f"--{both[0].removesuffix('_file')} is for one image, and --profile strict makes one for each function",
                next_step="leave one of them out",
            )
    elif needless := [each for each in targets.given(options) if not _from_environment(each)]:
        raise UsageError(
            f"--{needless[0].replace('_', '-')} decides nothing of an image whose wiring comes from outside",
            next_step="leave it out; --engine vhive --profile strict bakes wiring in",
        )
    if options.files is not None:
        others = [f"--{each.replace('_', '-')}" for each in _FILES_EXCLUDE if getattr(options, each)]
        if others:
            raise UsageError(f"--files and {others[0]} exclude each other", next_step="see 'toolkit build --help'")
        return
    _see_that_it_goes_somewhere(options)


def _see_that_it_goes_somewhere(options: argparse.Namespace) -> None:
    if options.base is None:
        raise UsageError("--base is missing", next_step="name what the image is built on, a small rootfs for example")
    if not any(getattr(options, each) is not None for each in _GOALS):
        raise UsageError(
            "neither --to nor --push, --load, --publish: the image would go nowhere", next_step="add --to image.tar"
        )
    if options.to is not None:
        _see_that_it_can_be_written(options.to, options.base)


def _from_environment(name: str) -> bool:
    return f"{ENVIRONMENT}{name.upper()}" in os.environ


def _see_that_it_can_be_written(to: Path, base: Path) -> None:
    if to.suffix in _PACKED:
        raise UsageError(
            f"{to}: the tar is not packed once more, its layers are", next_step="name a file that ends in .tar"
        )
    if to.resolve().is_relative_to(base.resolve()):
        raise UsageError(f"{to} lies in the base: the next image would hold it", next_step="name another place")


def _images(content: Content, options: argparse.Namespace) -> int:
    from toolkit.images import delivery, memory

    for way in (options.load, options.publish):
        if way is not None:
            delivery.find(way)
    several = targets.strict(options)
    wirings = _wirings(content.chain, options) if several else {}
    called, pushed = build_delivery.templates(content.chain, options, several=several)
    files = memory.digests(content.chain, content.left_out)  # before the build: what changes meanwhile is noticed
    with _building(content, options, wirings, called) as images:
        made = build_delivery.deliver(images, called, pushed, options)
        if options.wiring_file is None:  # else it is one function's only
            build_delivery.remember(made, content, files, wirings, options)
        build_text.tell(made, options)
    return Exit.OK


def _wirings(chain: ChainSpec, options: argparse.Namespace) -> dict[str, bytes]:
    """What each function has baked in. Raises UsageError for a chain that cannot do with that."""
    from toolkit import manifests

    plan = targets.plan(chain, options)
    target = targets.target(plan, options, f"unknown/{targets.FUNCTION}:unknown")
    manifests.render(plan, target)  # refuses what a strict guest could not be told
    return targets.wirings(plan, target)


@contextmanager
def _building(
    content: Content, options: argparse.Namespace, wirings: dict[str, bytes], called: Template
) -> Iterator[dict[str, Image]]:
    """The images by function; the one of the whole chain is called ""."""
    from toolkit.images import build, store

    order = build.Order(content, options.base, store.user_cache(), options.platform, called.of(""))
    if not wirings:
        with build.building(order, _progress) as image:
            yield {"": image}
        return
    names = {function: called.of(function) for function in wirings}
    with build.building_each(order, wirings, names, _progress) as images:
        yield images


def _files(content: Content, options: argparse.Namespace) -> int:
    from toolkit.images import build

    written = build.write_files(content, options.files, _progress)
    if options.output == "json":
        say(json.dumps({"schema": build_text.SCHEMA, "folder": str(options.files), "files": len(written)}))
    else:
        say(str(options.files))
    return Exit.OK


def _progress(text: str) -> None:
    note(printable(text))


def _load(text: str) -> Load:
    from toolkit.images import delivery

    return _read(delivery.load, text)


def _hook(text: str) -> Hook:
    from toolkit.images import delivery

    return _read(delivery.hook, text)


def _read(reader: Callable[[str], Read], text: str) -> Read:
    try:
        return reader(text)
    except UsageError as error:
        step = f"; {error.next_step}" if error.next_step else ""
        raise argparse.ArgumentTypeError(f"{error}{step}") from error


def _platform(text: str) -> Platform:
    from toolkit.images.model import Platform

    if not re.fullmatch(r"linux/[a-z0-9]+(/v[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no platform of a Linux container, such as linux/arm64")
    return Platform(*text.split("/"))


def _epoch() -> int:
    """The time of all files (https://reproducible-builds.org/specs/source-date-epoch/); 1970 when nobody asks."""
    text = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 32:
        raise UsageError(f"SOURCE_DATE_EPOCH={text!r} is no time in seconds since 1970", next_step="unset it")
    return int(text)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
