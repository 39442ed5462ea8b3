"""The build itself: an order in, an image (or its files) out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from toolkit.images import application, base, bytecode, configuration, dependencies, names
from toolkit.images.dependencies import Libraries
from toolkit.images.entries import Entry, with_folders
from toolkit.images.interpreter import Interpreter
from toolkit.images.model import Image, Layer, Note, Platform, What, digest_of
from toolkit.images.names import Name
from toolkit.images.store import Store
from toolkit.spec.model import ChainSpec

_TAG = 12  # hex digits of the configuration's digest: the content, not its compression


@dataclass(frozen=True, slots=True)
class Order:
    """What to build. `epoch` is the one time of everything in the image; `left_out` lies in the chain's folder."""

    chain: ChainSpec
    base: Path
    cache: Path
    platform: Platform | None = None  # None: this machine's
    name: Name | None = None  # None: dev.local/<chain>
    wiring: Path | None = None
    epoch: int = 0
    left_out: tuple[Path, ...] = ()


@contextmanager
def building(order: Order, note: Note) -> Iterator[Image]:
    """The image, for as long as the block runs: its own layers lie in a scratch folder. Raises ToolkitErrors."""
    with tempfile.TemporaryDirectory(prefix="toolkit-build-") as folder:
        scratch, cache = Path(folder), Store(order.cache)
        note(f"base: {order.base}")
        found = base.read(order.base, order.platform, cache, order.epoch, note)
        _tell_of_code(found.interpreter, note)
        wanted = _libraries(order.chain)
        libraries = [dependencies.layer(each, found.interpreter, cache, order.epoch, note) for each in wanted]
        own = _own(order.chain, order.wiring, found.interpreter, scratch, order.left_out)
        packed = [Store(scratch).pack(what, with_folders(entries), order.epoch) for what, entries in own]
        yield _image(order, found, (*found.layers, *libraries, *packed))


def _libraries(chain: ChainSpec) -> list[Libraries]:
    return [dependencies.libraries(), *([dependencies.required(chain.requires)] if chain.requires else [])]


def _own(
    chain: ChainSpec, wiring: Path | None, python: Interpreter, scratch: Path, left_out: Sequence[Path]
) -> list[tuple[What, list[Entry]]]:
    found: list[tuple[What, list[Entry]]] = [
        ("scaffold", application.scaffold(python, scratch)),
        ("chain", application.chain(chain, python, scratch, left_out)),
    ]
    if wiring is not None:
        found.append(("wiring", application.wiring(wiring, chain.name)))
    return found


def _image(order: Order, found: base.Base, layers: tuple[Layer, ...]) -> Image:
    chain = order.chain
    said = configuration.labels(chain.name, chain.about, metadata.version("kn-bench"))
    config = configuration.config(found.config, found.platform, layers, said, order.epoch)
    tag = digest_of(config).partition(":")[2][:_TAG]
    reference = (order.name or names.of_chain(chain.name)).tagged(tag)
    return Image(reference, found.platform, config, configuration.manifest(config, layers), layers)


def _tell_of_code(python: Interpreter, note: Note) -> None:
    if not bytecode.fits(python.version):
        note(f"no byte code is put in: the base has Python {python.named}, and only that one could write it")
