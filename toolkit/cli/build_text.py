"""What `toolkit build` says of what it made: rows for people, JSON for scripts, and what comes next."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.cli import options as arguments
from toolkit.cli import targets
from toolkit.cli.output import note, say

if TYPE_CHECKING:
    from toolkit.images.model import Image

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Made:
    """The images of one build, by function (`""` is the one of the whole chain), and where they went.

    `reference` is what `--image` is given; `pushed` holds names by digest.
    """

    images: Mapping[str, Image]
    reference: str
    pushed: Mapping[str, str] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        return "" not in self.images


def tell(made: Made, options: argparse.Namespace) -> None:
    if options.output == "name":
        say(made.reference)
    elif options.output == "json":
        say(json.dumps(_as_json(made, options), indent=2))
    else:
        say(arguments.table(_rows_of_all(made) if made.several else _rows(made.images[""], made.pushed.get(""))))
        note(f"next: {_next_step(made, options)}")


def _rows(image: Image, pushed: str | None) -> list[tuple[str, str]]:
    rows = [
        ("reference", image.reference),
        ("digest", image.descriptor.digest),
        ("platform", f"{image.platform}, Python {image.python}"),
        *((each.what, _size(each.descriptor.size)) for each in image.layers),
        ("total", f"{_size(image.size)}, compressed"),
    ]
    return rows + ([("pushed", pushed)] if pushed else [])


def _rows_of_all(made: Made) -> list[tuple[str, str]]:
    """Each image's name and digest; they differ in their last layer only, so there is one size of all."""
    image = next(iter(made.images.values()))
    layers = {each.descriptor for every in made.images.values() for each in every.layers}
    return [
        ("reference", made.reference),
        ("platform", f"{image.platform}, Python {image.python}"),
        *((name, made.pushed.get(name, each.descriptor.digest)) for name, each in made.images.items()),
        ("total", f"{_size(sum(each.size for each in layers))}, compressed"),
    ]


def _next_step(made: Made, options: argparse.Namespace) -> str:
    if not (options.push or options.load or options.publish):
        return _by_hand(made, options.to)
    chain = shlex.quote(options.chain)
    if options.wiring_file is not None:  # one function's: nothing takes it by itself
        return f"use {made.pushed.get('', made.reference)}"
    if made.several:
        return f"toolkit render {chain} --engine vhive --profile strict{targets.flags(options)}"
    return (
        f"toolkit render {chain} --engine vhive"
        if options.engine == "vhive"
        else f"toolkit run {chain} --engine knative"
    )


def _by_hand(made: Made, to: Path) -> str:
    if to.suffix == ".tar":
        return f"ctr -n k8s.io images import {to} (or: kind load image-archive {to}, docker load -i {to})"
    if made.several:
        return f"skopeo copy oci:{to}:NAME docker://NAME, for each NAME"
    return f"skopeo copy oci:{to}:{made.reference.rpartition(':')[2]} docker://{made.reference}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _as_json(made: Made, options: argparse.Namespace) -> dict[str, Any]:
    where = {
        "written": str(options.to) if options.to else None,
        "loaded": str(options.load) if options.load else None,
        "published": str(options.publish) if options.publish else None,
    }
    if not made.several:
        return {"schema": SCHEMA, **_one(made.images[""]), **where, "pushed": made.pushed.get("")}
    each = [{"function": name, **_one(image), "pushed": made.pushed.get(name)} for name, image in made.images.items()]
    return {"schema": SCHEMA, "reference": made.reference, **where, "images": each}


def _one(image: Image) -> dict[str, Any]:
    from toolkit.images import configuration

    layers = [{"what": each.what, **each.descriptor.as_json(), "diff_id": each.diff_id} for each in image.layers]
    return {
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
