"""`toolkit build CHAIN`: the chain's image, made without a daemon."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import options as arguments
from toolkit.cli.output import note, say

if TYPE_CHECKING:
    from toolkit.images.model import Image

SCHEMA = 1


def configure(parser: argparse.ArgumentParser) -> None:
    arguments.chain(parser)
    arguments.parameters(parser)
    parser.add_argument(
        "--base",
        type=Path,
        required=True,
        metavar="PATH",
        help="an OCI layout, a 'docker save' or OCI tar, or a rootfs folder",
    )
    parser.add_argument(
        "--to", type=Path, metavar="PATH", help="write an OCI layout folder, or one file that ends in .tar"
    )
    parser.add_argument("--tag", metavar="NAME[:TAG]", help="the image's name (default: dev.local/CHAIN:CONTENT)")
    arguments.output(parser, "text", "json", "name")


def execute(options: argparse.Namespace) -> int:
    from toolkit import catalog

    chain = catalog.load(options.chain, arguments.overrides(options))
    from toolkit.images import build, layout, names
    from toolkit.images.store import user_cache

    order = build.Order(
        chain,
        options.base,
        user_cache(),
        name=names.parse(options.tag) if options.tag else None,
        left_out=(options.to,),
    )
    with build.building(order, note) as image:
        (layout.write_tar if options.to.suffix == ".tar" else layout.write_folder)(image, options.to)
        _tell(image, options)
    return 0


def _tell(image: Image, options: argparse.Namespace) -> None:
    if options.output == "json":
        say(json.dumps(_as_json(image), indent=2))
    elif options.output == "name":
        say(image.reference)
    else:
        rows = [("reference", image.reference), ("digest", image.descriptor.digest)]
        rows += [(each.what, f"{each.descriptor.size:,}") for each in image.layers]
        say(arguments.table(rows))


def _as_json(image: Image) -> dict[str, Any]:
    from toolkit.images import configuration

    return {
        "schema": SCHEMA,
        "reference": image.reference,
        "digest": image.descriptor.digest,
        "platform": str(image.platform),
        "size": image.size,
        "layers": [
            {"what": each.what, "digest": each.descriptor.digest, "size": each.descriptor.size} for each in image.layers
        ],
        "user": configuration.USER,
        "entrypoint": list(configuration.ENTRYPOINT),
    }
