"""Reads an image out of an OCI layout (https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md)."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.images import documents, layers
from toolkit.images.documents import Object, descriptor, obj, place
from toolkit.images.model import INDEX, OCI_NAME, ImageError, Layer, Platform
from toolkit.images.source import Source, broken
from toolkit.images.store import Store
from toolkit.images.tree import Tree

_INDEXES = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_NESTED = 3  # indexes within indexes; skopeo and buildkit make two


def read(source: Source, wanted: Platform, tree: Tree, store: Store) -> tuple[Object, tuple[Layer, ...]]:
    """The configuration and the layers of the one image for `wanted`, laid over `tree`; digests are checked."""
    found = list(_manifests(source, documents.read(source, "index.json"), _NESTED))
    manifest, config = _choose(source, found, wanted)
    blobs = [descriptor(source, each) for each in documents.items(manifest.get("layers"))]
    pairs = zip(blobs, documents.diff_ids(source, config, len(blobs)), strict=True)
    return config, tuple(layers.read(source, place(each), each, diff_id, tree, store) for each, diff_id in pairs)


def _manifests(source: Source, index: Object, depth: int) -> Iterator[Object]:
    """The descriptors of all images below an index; what is attached to images (attestations) is none."""
    for each in map(obj, documents.items(index.get("manifests"))):
        if each.get("mediaType") in _INDEXES:
            if depth:
                yield from _manifests(source, documents.blob(source, descriptor(source, each)), depth - 1)
        elif obj(each.get("platform")).get("os") != "unknown" and "artifactType" not in each:
            yield each


def _choose(source: Source, found: list[Object], wanted: Platform) -> tuple[Object, Object]:
    """The manifest and the configuration of the one image for `wanted`."""
    images, names = {}, {}
    for each in found:
        described = descriptor(source, each)
        manifest = documents.blob(source, described)
        config = documents.blob(source, descriptor(source, manifest.get("config")))
        images[described.digest] = (manifest, config)
        names[described.digest] = str(obj(each.get("annotations")).get(OCI_NAME, described.digest))
    if not images:
        raise broken(source, "index.json lists no image")
    fitting = {digest: each for digest, each in images.items() if matches(documents.platform(each[1]), wanted)}
    if len(fitting) > 1:
        raise several(source, [names[digest] for digest in fitting])
    if not fitting:
        raise other(source.where, sorted({str(documents.platform(config)) for _, config in images.values()}), wanted)
    return next(iter(fitting.values()))


def matches(found: Platform, wanted: Platform) -> bool:
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    return same and wanted.variant in ("", found.variant)


def several(source: Source, names: list[str]) -> ImageError:
    return ImageError(
        f"{source.where} holds {len(names)} images for one platform: {', '.join(names[:10])}",
        next_step="save the one you mean alone: skopeo copy oci:DIR:TAG oci:NEW, or docker save NAME",
    )


def other(where: str, found: list[str], wanted: Platform) -> ImageError:
    return ImageError(
        f"{where} is for {', '.join(found)}, and {wanted} is wanted",
        next_step=f"take a base for {wanted}, or build for the other machine with --platform {found[0]}",
    )
