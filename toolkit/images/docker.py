"""Reads an image out of a `docker save` (https://github.com/moby/moby/blob/v27.0.0/image/tarexport)."""

from __future__ import annotations

from toolkit.images import documents, layers
from toolkit.images.documents import Object, obj, strings
from toolkit.images.model import LAYER_GZIP, Descriptor, Layer, Platform
from toolkit.images.oci import matches, other, several
from toolkit.images.source import Source, broken, document, parsed
from toolkit.images.store import Store
from toolkit.images.tree import Tree, inside


def read(source: Source, wanted: Platform, tree: Tree, store: Store) -> tuple[Object, tuple[Layer, ...]]:
    """The configuration and the layers of the image, laid over `tree`. Layers that are plain tars are compressed."""
    listed = documents.items(parsed(source, "manifest.json", document(source, "manifest.json")))
    if not listed:
        raise broken(source, "manifest.json lists no image")
    if len(listed) > 1:
        raise several(
            source, [", ".join(strings(obj(each).get("RepoTags"))) or "one without a name" for each in listed]
        )
    image = obj(listed[0])
    config = documents.read(source, _name(source, image.get("Config")))
    if not matches(documents.platform(config), wanted):
        raise other(source.where, [str(documents.platform(config))], wanted)
    names = [_name(source, each) for each in documents.items(image.get("Layers"))]
    pairs = zip(names, documents.diff_ids(source, config, len(names)), strict=True)
    return config, tuple(_layer(source, name, diff_id, tree, store) for name, diff_id in pairs)


def _layer(source: Source, name: str, diff_id: str, tree: Tree, store: Store) -> Layer:
    packed = layers.is_packed(source, name)
    digest, size, inner = layers.scan(source, name, packed, tree)
    descriptor = Descriptor(LAYER_GZIP, digest, size) if packed else None
    return layers.taken(source, name, descriptor, (inner, diff_id), store)


def _name(source: Source, value: object) -> str:
    """A file's name in the archive, which never leads out of it."""
    name = inside(value) if isinstance(value, str) else None
    if name is None:
        raise broken(source, f"manifest.json names the file {str(value)[:200]!r}, which cannot be in it")
    return name
