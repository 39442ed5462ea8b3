"""The build itself: an order in, an image (or its files) out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.images import application, base, bytecode, configuration, dependencies, interpreter, names
from toolkit.images.dependencies import Libraries
from toolkit.images.entries import Entry, with_folders
from toolkit.images.failures import told
from toolkit.images.interpreter import Interpreter
from toolkit.images.model import Image, Layer, Note, Platform, What, digest_of
from toolkit.images.names import Name
from toolkit.images.store import Store
from toolkit.sdk.transfers.settings import REQUIREMENTS, STORE_KEYS
from toolkit.spec.model import ChainSpec

Each = dict[str, Image]  # by function
_TAG = 12  # hex digits of the configuration's digest: it tells the content, however that is compressed


@dataclass(frozen=True, slots=True)
class Content:
    """What is put on a base. `epoch` is the one time of all files; `left_out` are paths in the chain's folder."""

    chain: ChainSpec
    wiring: Path | None = None
    epoch: int = 0
    left_out: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An image to build. `cache` is a folder that may hold layers from before, and will hold more; None keeps none."""

    content: Content
    base: Path
    cache: Path | None
    platform: Platform | None = None  # None: this machine's
    name: Name | None = None  # None: dev.local/<chain>


@contextmanager
def building(order: Order, note: Note) -> Iterator[Image]:
    """The image, for as long as the block runs: its own layers lie in a scratch folder. Raises ToolkitErrors."""
    with _scratch() as scratch:
        with told("the image cannot be built"):
            image = _build(order, scratch, note)
        yield image


@contextmanager
def building_each(order: Order, wirings: Mapping[str, bytes], called: Mapping[str, Name], note: Note) -> Iterator[Each]:
    """As `building`, but one image for each function, with its wiring in it; what names none shares one tag.

    `wirings` and `called` are by function; the order's own wiring and name do not count.
    """
    with _scratch() as scratch:
        with told("the images cannot be built"):
            found, layers = _layers(order, scratch, note)
            made = {}
            for function, data in wirings.items():
                note(f"wiring: {function}")
                layer = Store(scratch / "store").pack(
                    "wiring", with_folders(application.baked(data)), order.content.epoch
                )
                made[function] = _image(replace(order, name=called[function]), found, (*layers, layer))
            tag = _tag(b"".join(each.config_descriptor.digest.encode() for each in made.values()))
            images = {name: replace(each, reference=called[name].tagged(tag)) for name, each in made.items()}
        yield images


def write_files(content: Content, folder: Path, note: Note) -> list[Entry]:
    """Writes what a build puts on a base as files below the new `folder`, for the Python that runs this.

    Raises ToolkitErrors; `folder` is there whole or not at all.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", next_step="name a new folder, or an empty one")
    python = interpreter.running(base.this_machine())
    with _scratch() as scratch, told(f"{folder} cannot be written"):
        found: list[Entry] = []
        for each in _libraries(content.chain):
            found += dependencies.files(each, python, scratch, note)
        for _, entries in _own(content, python, scratch, note):
            found += entries
        _write(with_folders(found), folder, content.epoch)
    return found


def _build(order: Order, scratch: Path, note: Note) -> Image:
    found, layers = _layers(order, scratch, note)
    return _image(order, found, layers)


def _layers(order: Order, scratch: Path, note: Note) -> tuple[base.Base, tuple[Layer, ...]]:
    content, cache = order.content, Store(_usable(order.cache, scratch, note))
    note(f"base: {order.base}")
    found = base.read(order.base, order.platform, cache, content.epoch, note)
    python = found.interpreter
    if not bytecode.fits(python.version):
        note(f"no byte code is put in: the base has Python {python.named}, which only that Python could write")
    wanted = _libraries(content.chain)
    libraries = [dependencies.layer(each, python, cache, content.epoch, note) for each in wanted]
    own, store = _own(content, python, scratch, note), Store(scratch / "store")
    packed = [store.pack(what, with_folders(entries), content.epoch) for what, entries in own]
    return found, (*found.layers, *libraries, *packed)


def _image(order: Order, found: base.Base, layers: tuple[Layer, ...]) -> Image:
    chain = order.content.chain
    said = configuration.labels(chain.name, chain.about, metadata.version("kn-bench"))
    config = configuration.config(found.config, found.platform, layers, said, order.content.epoch)
    reference = (order.name or names.of_chain(chain.name)).tagged(_tag(config))
    manifest = configuration.manifest(config, layers)
    return Image(reference, found.platform, found.interpreter.named, config, manifest, layers)


def _tag(data: bytes) -> str:
    return digest_of(data).partition(":")[2][:_TAG]


def _libraries(chain: ChainSpec) -> list[Libraries]:
    requires = (*chain.requires, *_of_stores(chain))
    return [dependencies.libraries(), *([dependencies.required(requires)] if requires else [])]


def _of_stores(chain: ChainSpec) -> list[str]:
    """What the transfers of its edges need, and those that `store:` speaks of: another --set may choose them."""
    named: set[str] = {edge.transfer for edge in chain.edges}
    named |= {transfer for transfer, keys in STORE_KEYS.items() if any(key in chain.store for key in keys)}
    return [REQUIREMENTS[each] for each in sorted(named) if each in REQUIREMENTS]


def _own(content: Content, python: Interpreter, scratch: Path, note: Note) -> list[tuple[What, list[Entry]]]:
    note(f"chain: {content.chain.folder}")
    found: list[tuple[What, list[Entry]]] = [
        ("scaffold", application.scaffold(python, scratch)),
        ("chain", application.chain(content.chain, python, scratch, content.left_out)),
    ]
    if content.wiring is not None:
        found.append(("wiring", application.wiring(content.wiring, content.chain.name)))
    return found


def _write(entries: list[Entry], folder: Path, epoch: int) -> None:
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        whole = Path(scratch, "files")
        whole.mkdir(mode=0o755)
        for entry in entries:
            _write_one(entry, whole / entry.path)
        for entry in reversed(entries):  # a folder gets its time after what is in it
            os.utime(whole / entry.path, (epoch, epoch))
        whole.chmod(0o755)
        whole.replace(folder)


def _write_one(entry: Entry, path: Path) -> None:
    if entry.kind == "folder":
        path.mkdir()
    elif isinstance(entry.content, Path):
        shutil.copyfile(entry.content, path)
    else:
        path.write_bytes(entry.content if isinstance(entry.content, bytes) else entry.content())
    path.chmod(entry.mode)


@contextmanager
def _scratch() -> Iterator[Path]:
    with told("there is no room for temporary files"):
        folder = tempfile.TemporaryDirectory(prefix="toolkit-build-", ignore_cleanup_errors=True)
    with folder as name:
        yield Path(name)


def _usable(cache: Path | None, scratch: Path, note: Note) -> Path:
    """The cache, or a folder of this build where the user has none that can be written."""
    if cache is None:
        return scratch / "cache"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            return cache
    except OSError as error:
        note(f"nothing is kept for the next build: {cache}: {error.strerror}")
        return scratch / "cache"
