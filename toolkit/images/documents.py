"""The JSON of images, read with suspicion: it comes from strangers, and any part of it may be of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.images.model import Descriptor, Platform, digest_of, is_digest
from toolkit.images.source import Source, broken, document, parsed

Object = Mapping[str, Any]


def obj(value: object) -> Object:
    """The object in `value`, an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def strings(value: object) -> list[str]:
    return [each for each in items(value) if isinstance(each, str)]


def read(source: Source, name: str) -> Object:
    """The JSON object in a file of the base. Raises ImageError when there is none."""
    return _object(source, name, document(source, name))


def blob(source: Source, descriptor: Descriptor) -> Object:
    """The JSON object in a blob, once its digest is checked."""
    name = place(descriptor)
    data = document(source, name)
    if digest_of(data) != descriptor.digest:
        raise broken(source, f"{name} has the digest {digest_of(data)}, not {descriptor.digest}")
    return _object(source, name, data)


def _object(source: Source, name: str, data: bytes) -> Object:
    found = parsed(source, name, data)
    if not isinstance(found, dict):
        raise broken(source, f"{name} is no JSON object")
    return found


def descriptor(source: Source, value: object) -> Descriptor:
    """Raises ImageError for what is none, or names its blob by something else than a sha256."""
    found = obj(value)
    size = found.get("size")
    if not is_digest(found.get("digest")) or not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise broken(source, f"this describes no blob with a sha256 and a size: {str(value)[:200]}")
    return Descriptor(str(found.get("mediaType")), str(found["digest"]), size)


def place(descriptor: Descriptor) -> str:
    """Where a layout keeps a blob."""
    return f"blobs/{descriptor.digest.replace(':', '/')}"


def diff_ids(source: Source, config: Object, wanted: int) -> list[str]:
    found = items(obj(config.get("rootfs")).get("diff_ids"))
    if len(found) != wanted or not all(map(is_digest, found)):
        raise broken(source, f"the configuration does not name the digests of its {wanted} layers")
    return found


def platform(config: Object) -> Platform:
    os, architecture, variant = (config.get(name) for name in ("os", "architecture", "variant"))
    return Platform(str(os or "unknown"), str(architecture or "unknown"), str(variant or ""))


def environment(config: Object) -> dict[str, str]:
    """The variables that an image configuration sets."""
    pairs = (each.partition("=") for each in strings(obj(config.get("config")).get("Env")))
    return {name: value for name, _, value in pairs}
