"""A base image: an OCI layout or a `docker save`, as a folder or a tar, or a folder that is a root file system."""

from __future__ import annotations

import platform as machine
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.errors import UsageError
from toolkit.images import docker, documents, interpreter, oci, rootfs
from toolkit.images.configuration import CHAIN_FOLDER, LIBRARY_FOLDER
from toolkit.images.documents import Object
from toolkit.images.interpreter import Interpreter
from toolkit.images.model import Layer, Note, Platform
from toolkit.images.source import Folder, Source, Tarball
from toolkit.images.store import Store
from toolkit.images.tree import Tree

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_IMAGES = ("oci-layout", "index.json", "manifest.json")  # what only a folder with an image in it holds
_FORMS = "an OCI layout (folder or tar), a 'docker save' tar, or a folder that is a root file system"


@dataclass(frozen=True, slots=True)
class Base:
    """What the layers of a chain are put on. `config` is the base's own configuration, empty for a root file system."""

    platform: Platform
    config: Object
    layers: tuple[Layer, ...]
    interpreter: Interpreter


def this_machine() -> Platform:
    found = machine.machine()
    return Platform("linux", _MACHINES.get(found, found.lower()))


def read(path: Path, platform: Platform | None, store: Store, epoch: int, note: Note) -> Base:
    """The base at `path` for `platform` (None: this machine's). Raises UsageError and ImageError.

    Layers of images are taken as they are once their digests are checked; only plain tars are compressed.
    """
    wanted = platform or this_machine()
    if path.is_dir():
        if any((path / name).is_file() for name in _IMAGES):
            return _image(Folder(path), wanted, store)
        return _rootfs(path, wanted, store, epoch, note)
    if path.is_file():
        return _image(Tarball.of(path), wanted, store)
    raise UsageError(f"there is no base {path}", next_step=f"name {_FORMS}")


def _rootfs(path: Path, wanted: Platform, store: Store, epoch: int, note: Note) -> Base:
    if not any((path / name).is_dir() for name in ("usr", "bin")):
        raise UsageError(f"{path} is neither an image nor a root file system", next_step=f"name {_FORMS}")
    found = rootfs.entries(path, epoch, note)
    tree = rootfs.tree_of(found)
    _without_chain(tree, str(path))
    python = interpreter.find(tree, {}, str(path))
    if python.architecture not in ("", wanted.architecture):
        raise oci.other(str(path), [f"linux/{python.architecture}"], wanted)
    packed = store.pack("base", found, epoch)
    return Base(wanted, {}, (packed,), replace(python, architecture=wanted.architecture))


def _image(source: Source, wanted: Platform, store: Store) -> Base:
    tree = Tree()
    if source.holds("index.json"):
        config, layers = oci.read(source, wanted, tree, store)
    elif source.holds("manifest.json"):
        config, layers = docker.read(source, wanted, tree, store)
    else:
        raise UsageError(
            f"{source.where} is neither an OCI layout nor a 'docker save'",
            next_step="a packed root file system is to be unpacked into a folder of its own",
        )
    _without_chain(tree, source.where)
    found = documents.platform(config)
    python = interpreter.find(tree, documents.environment(config), source.where)
    return Base(found, config, layers, replace(python, architecture=found.architecture))


def _without_chain(tree: Tree, where: str) -> None:
    """What an older chain left would be imported with the new one."""
    for folder in (CHAIN_FOLDER, LIBRARY_FOLDER):
        if tree.resolve(folder) is not None:
            raise UsageError(
                f"{where} holds /{folder} already: it is the image of a chain, no base",
                next_step="name what that was built on",
            )
