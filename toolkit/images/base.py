"""A base image: an OCI layout or a `docker save`, as a folder or a tar, or a folder that is a root file system."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from toolkit.errors import UsageError
from toolkit.images import interpreter, layers, rootfs
from toolkit.images.interpreter import Interpreter
from toolkit.images.model import LAYER_GZIP, Descriptor, ImageError, Layer, Note, Platform, digest_of, is_digest
from toolkit.images.source import Folder, Source, Tarball, broken, document, parsed
from toolkit.images.store import Store
from toolkit.images.tree import Tree

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_NESTED = 3  # indexes in indexes; skopeo and buildkit make two
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_FORMS = "an OCI layout (folder or tar), a 'docker save' tar, or a folder that is a root file system"


@dataclass(frozen=True, slots=True)
class Base:
    """What the layers of a chain are put on. `config` is the base's own configuration, empty for a root file system."""

    where: str
    platform: Platform
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    interpreter: Interpreter


def this_machine() -> Platform:
    found = machine.machine()
    return Platform("linux", _MACHINES.get(found, found.lower()))


def read(path: Path, platform: Platform | None, store: Store, epoch: int, note: Note) -> Base:
    """The base at `path` for `platform` (None: this machine's). Raises UsageError and ImageError.

    Layers of images are taken as they are once their digests are checked; only tars are compressed.
    """
    wanted = platform or this_machine()
    if path.is_file():
        return _image(Tarball.of(path), wanted, store)
    if not path.is_dir():
        raise UsageError(f"there is no base {path}", next_step=f"name {_FORMS}")
    if any((path / name).is_file() for name in ("oci-layout", "index.json", "manifest.json")):
        return _image(Folder(path), wanted, store)
    return _rootfs(path, wanted, store, epoch, note)


def _rootfs(path: Path, wanted: Platform, store: Store, epoch: int, note: Note) -> Base:
    if not any((path / name).is_dir() for name in ("usr", "bin")):
        raise UsageError(f"{path} is neither an image nor a root file system", next_step=f"name {_FORMS}")
    found = rootfs.entries(path, epoch, note)
    python = interpreter.find(rootfs.tree_of(found), {}, str(path))
    if not interpreter.fits(python, wanted):
        raise _other(str(path), f"linux/{python.architecture}", wanted)
    return Base(str(path), wanted, {}, (store.pack("base", found, epoch),), python)


def _image(source: Source, wanted: Platform, store: Store) -> Base:
    tree = Tree()
    if source.holds("index.json"):
        config, found = _of_layout(source, wanted, tree)
    elif source.holds("manifest.json"):
        config, found = _of_docker(source, wanted, tree, store)
    else:
        raise UsageError(
            f"{source.where} is neither an OCI layout nor a 'docker save'",
            next_step="a packed root file system is to be unpacked into a folder of its own",
        )
    inner = config.get("config") or {}
    python = interpreter.find(tree, _environment(inner), source.where)
    return Base(source.where, _platform(config), config, found, _on(python, config))


def _of_layout(source: Source, wanted: Platform, tree: Tree) -> tuple[dict[str, Any], tuple[Layer, ...]]:
    index = _object(source, "index.json", document(source, "index.json"))
    manifest, config = _choose(source, list(_manifests(source, index, _NESTED)), wanted)
    blobs = [_descriptor(source, each) for each in manifest.get("layers", [])]
    diff_ids = _diff_ids(source, config, len(blobs))
    pairs = zip(blobs, diff_ids, strict=True)
    return config, tuple(layers.read(source, _blob(each), each, diff_id, tree) for each, diff_id in pairs)


def _of_docker(source: Source, wanted: Platform, tree: Tree, store: Store) -> tuple[dict[str, Any], tuple[Layer, ...]]:
    """The image of a `docker save` (https://github.com/moby/moby/blob/v27.0.0/image/tarexport/tarexport.go)."""
    listed = parsed(source, "manifest.json", document(source, "manifest.json"))
    if not isinstance(listed, list) or not listed or not isinstance(listed[0], dict):
        raise broken(source, "manifest.json lists no image")
    if len(listed) > 1:
        raise _several(source, [str((each.get("RepoTags") or ["?"])[0]) for each in listed if isinstance(each, dict)])
    name, files = str(listed[0].get("Config")), [str(each) for each in listed[0].get("Layers") or []]
    config = _object(source, name, document(source, name))
    if not _matches(_platform(config), wanted):
        raise _other(source.where, str(_platform(config)), wanted)
    pairs = zip(files, _diff_ids(source, config, len(files)), strict=True)
    return config, tuple(_saved(source, file, diff_id, tree, store) for file, diff_id in pairs)


def _saved(source: Source, name: str, diff_id: str, tree: Tree, store: Store) -> Layer:
    packed = layers.is_packed(source, name)
    digest, size, inner = layers.scan(source, name, packed, tree)
    if inner != diff_id:
        raise broken(source, f"{name} holds a tar with the digest {inner}, its configuration promises {diff_id}")
    if packed:
        return Layer("base", Descriptor(LAYER_GZIP, digest, size), diff_id, partial(source.open, name))
    return store.adopt("base", partial(source.open, name), diff_id)


def _manifests(source: Source, index: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """The descriptors of all images below an index; what is attached to images (attestations) is none."""
    for each in index.get("manifests") or []:
        if not isinstance(each, dict):
            raise broken(source, "index.json lists what is no manifest")
        if each.get("mediaType") in INDEXES:
            if depth:
                yield from _manifests(source, _checked(source, _descriptor(source, each)), depth - 1)
        elif (each.get("platform") or {}).get("os") != "unknown" and "artifactType" not in each:
            yield each


def _choose(source: Source, found: list[Mapping[str, Any]], wanted: Platform) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and the configuration of the one image for `wanted`."""
    if not found:
        raise broken(source, "index.json lists no image")
    images = []
    for each in found:
        manifest = _checked(source, _descriptor(source, each))
        images.append((manifest, _checked(source, _descriptor(source, manifest.get("config")))))
    fitting = {digest_of(repr(image).encode()): image for image in images if _matches(_platform(image[1]), wanted)}
    if len(fitting) > 1:
        raise _several(
            source, [str((each.get("annotations") or {}).get("org.opencontainers.image.ref.name")) for each in found]
        )
    if not fitting:
        raise _other(source.where, ", ".join(sorted({str(_platform(config)) for _, config in images})), wanted)
    return next(iter(fitting.values()))


def _checked(source: Source, descriptor: Descriptor) -> dict[str, Any]:
    """The JSON object of a blob whose digest is right."""
    name = _blob(descriptor)
    data = document(source, name)
    if digest_of(data) != descriptor.digest:
        raise broken(source, f"{name} has the digest {digest_of(data)}, not {descriptor.digest}")
    return _object(source, name, data)


def _object(source: Source, name: str, data: bytes) -> dict[str, Any]:
    found = parsed(source, name, data)
    if not isinstance(found, dict):
        raise broken(source, f"{name} is no JSON object")
    return found


def _descriptor(source: Source, value: object) -> Descriptor:
    if not isinstance(value, dict) or not is_digest(value.get("digest")) or not isinstance(value.get("size"), int):
        raise broken(source, f"a descriptor is none, or its digest is no sha256: {str(value)[:200]}")
    return Descriptor(str(value.get("mediaType")), value["digest"], value["size"])


def _diff_ids(source: Source, config: Mapping[str, Any], wanted: int) -> list[str]:
    found = (config.get("rootfs") or {}).get("diff_ids")
    if not isinstance(found, list) or len(found) != wanted or not all(map(is_digest, found)):
        raise broken(source, f"the configuration does not name the digests of {wanted} layers")
    return found


def _blob(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/')}"


def _platform(config: Mapping[str, Any]) -> Platform:
    return Platform(str(config.get("os")), str(config.get("architecture")), str(config.get("variant") or ""))


def _matches(found: Platform, wanted: Platform) -> bool:
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    return same and wanted.variant in ("", found.variant)


def _environment(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, _, value in (str(each).partition("=") for each in config.get("Env") or [])}


def _on(python: Interpreter, config: Mapping[str, Any]) -> Interpreter:
    """The configuration's word on the processor counts: that is what runs the image."""
    return Interpreter(python.version, str(config.get("architecture")), python.libc)


def _several(source: Source, names: list[str]) -> ImageError:
    return ImageError(
        f"{source.where} holds {len(names)} images for one platform: {', '.join(names[:10])}",
        next_step="save the one you mean: skopeo copy oci:DIR:TAG oci:NEW, or docker save NAME",
    )


def _other(where: str, found: str, wanted: Platform) -> ImageError:
    return ImageError(
        f"{where} is for {found}, {wanted} is wanted", next_step=f"take a base for {wanted}, or say --platform {found}"
    )
