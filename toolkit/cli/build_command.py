"""`toolkit build CHAIN`: the chain's container image, made without a daemon."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import Exit, UsageError
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from toolkit.images.build import Content
    from toolkit.images.model import Image, Platform

SCHEMA = 1
_PACKED = (".gz", ".tgz", ".xz", ".bz2", ".zst", ".zip")
_FILES_EXCLUDE = ("base", "to", "push", "tag", "platform", "plain_http")


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    parser.add_argument(
        "--base", type=Path, metavar="PATH", help="an OCI layout, an OCI or 'docker save' tar, or a rootfs folder"
    )
    parser.add_argument(
        "--to", type=Path, metavar="PATH", help="write an OCI layout folder, or a tar when PATH ends in .tar"
    )
    parser.add_argument("--push", metavar="REGISTRY/REPOSITORY[:TAG]", help="push it to a registry")
    parser.add_argument("--tag", metavar="NAME[:TAG]", help="its name (default: dev.local/CHAIN:DIGITS of its content)")
    parser.add_argument("--platform", type=_platform, metavar="OS/ARCH", help="for another machine than this one")
    parser.add_argument(
        "--wiring",
        dest="wiring_file",  # as a function itself calls it in its environment
        type=Path,
        metavar="FILE",
        help="bake in one function's wiring, where no environment is passed on",
    )
    parser.add_argument("--plain-http", action="store_true", help="push without TLS, as is done on this machine anyway")
    parser.add_argument(
        "--files", type=Path, metavar="DIR", help="write only the files that go on top of a base (the Dockerfile does)"
    )
    arguments.output(parser, "text", "json", "name")


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
    return _image(content, options)


def _see_that_they_agree(options: argparse.Namespace) -> None:
    if options.files is not None:
        others = [f"--{each.replace('_', '-')}" for each in _FILES_EXCLUDE if getattr(options, each)]
        if others:
            raise UsageError(f"--files and {others[0]} exclude each other", next_step="see 'toolkit build --help'")
        return
    if options.base is None:
        raise UsageError("--base is missing", next_step="name what the image is built on, a small rootfs for example")
    if options.to is None and options.push is None:
        raise UsageError("neither --to nor --push: the image would go nowhere", next_step="add --to image.tar")
    if options.to is not None:
        _see_that_it_can_be_written(options.to, options.base)


def _see_that_it_can_be_written(to: Path, base: Path) -> None:
    if to.suffix in _PACKED:
        raise UsageError(
            f"{to}: the tar is not packed once more, its layers are", next_step="name a file that ends in .tar"
        )
    if to.resolve().is_relative_to(base.resolve()):
        raise UsageError(f"{to} lies in the base: the next image would hold it", next_step="name another place")


def _image(content: Content, options: argparse.Namespace) -> int:
    from toolkit.images import build, layout, names, registry, store

    pushed = names.parse(options.push) if options.push is not None else None
    name = names.parse(options.tag) if options.tag is not None else pushed
    order = build.Order(content, options.base, store.user_cache(), options.platform, name)
    with build.building(order, _progress) as image:
        if options.to is not None:
            (layout.write_tar if options.to.suffix == ".tar" else layout.write_folder)(image, options.to)
        by_digest = None
        if pushed is not None:
            tag = pushed.tag or image.reference.rpartition(":")[2]
            by_digest = registry.push(image, pushed, tag, plain=options.plain_http, note=_progress)
        _tell(image, options, by_digest)
    return Exit.OK


def _files(content: Content, options: argparse.Namespace) -> int:
    from toolkit.images import build

    written = build.write_files(content, options.files, _progress)
    if options.output == "json":
        say(json.dumps({"schema": SCHEMA, "folder": str(options.files), "files": len(written)}))
    else:
        say(str(options.files))
    return Exit.OK


def _tell(image: Image, options: argparse.Namespace, pushed: str | None) -> None:
    if options.output == "name":
        say(image.reference)
    elif options.output == "json":
        say(
            json.dumps(
                _as_json(image) | {"written": str(options.to) if options.to else None, "pushed": pushed}, indent=2
            )
        )
    else:
        say(arguments.table(_rows(image, pushed)))
        note(f"next: {_next_step(image, options.to, pushed)}")


def _rows(image: Image, pushed: str | None) -> list[tuple[str, str]]:
    rows = [
        ("reference", image.reference),
        ("digest", image.descriptor.digest),
        ("platform", f"{image.platform}, Python {image.python}"),
        *((each.what, _size(each.descriptor.size)) for each in image.layers),
        ("total", f"{_size(image.size)}, compressed"),
    ]
    return rows + ([("pushed", pushed)] if pushed else [])


def _next_step(image: Image, to: Path | None, pushed: str | None) -> str:
    if to is None:
        return f"use {pushed}"
    if to.suffix == ".tar":
        return f"ctr -n k8s.io images import {to} (or: kind load image-archive {to}, docker load -i {to})"
    return f"skopeo copy oci:{to}:{image.reference.rpartition(':')[2]} docker://{image.reference}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _as_json(image: Image) -> dict[str, Any]:
    from toolkit.images import configuration

    layers = [{"what": each.what, **each.descriptor.as_json(), "diff_id": each.diff_id} for each in image.layers]
    return {
        "schema": SCHEMA,
        "reference": image.reference,
        "digest": image.descriptor.digest,
        "config": image.config_descriptor.digest,
        "platform": str(image.platform),
        "python": image.python,
        "size": image.size,
        "layers": layers,
        "user": configuration.USER,
        "entrypoint": list(configuration.ENTRYPOINT),
    }


def _progress(text: str) -> None:
    note(printable(text))


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
