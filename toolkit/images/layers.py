"""Reads a base's layers: checks the digests of what is stored and of what is inside, and lays their names in a tree."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from functools import partial
from typing import IO, Any, cast

from toolkit.images.model import AT_ONCE, LAYER, LAYER_GZIP, Descriptor, ImageError, Layer
from toolkit.images.source import Source, broken
from toolkit.images.store import Store
from toolkit.images.tree import Tree, inside, lay

_DOCKER = "application/vnd.docker.image.rootfs.diff.tar"
GZIP_MAGIC = b"\x1f\x8b"
_PACKED = {LAYER: False, _DOCKER: False, LAYER_GZIP: True, f"{_DOCKER}.gzip": True}  # by media type
_NOT_READABLE = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile)


class _Hashed:
    """A stream that remembers the digest of what was read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._hash, self.size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data

    def drain(self) -> str:
        """The digest of all of it."""
        while self.read(AT_ONCE):
            pass
        return f"sha256:{self._hash.hexdigest()}"


def read(source: Source, name: str, descriptor: Descriptor, diff_id: str, tree: Tree, store: Store) -> Layer:
    """The layer stored as `name`, laid over `tree`. Raises ImageError when it is not what was promised."""
    if descriptor.media_type not in _PACKED:
        raise ImageError(
            f"{source.where}: a layer is of the type {descriptor.media_type}, which cannot be looked into",
            next_step="convert it: skopeo copy --dest-compress-format gzip --dest-force-compress-format oci:… oci:…",
        )
    packed = _PACKED[descriptor.media_type]
    stored, size, inner = scan(source, name, packed, tree)
    if (stored, size) != (descriptor.digest, descriptor.size):
        raise broken(source, f"{name} has the digest {stored} ({size} bytes), not {descriptor.digest}")
    return taken(source, name, Descriptor(LAYER_GZIP, stored, size) if packed else None, (inner, diff_id), store)


def taken(source: Source, name: str, packed: Descriptor | None, found: tuple[str, str], store: Store) -> Layer:
    """A layer that has been read: as it is when it is packed, else compressed. `found` is what it is and should be."""
    inner, diff_id = found
    if inner != diff_id:
        raise broken(source, f"{name} holds a tar with the digest {inner}, its configuration promises {diff_id}")
    if packed is not None:
        return Layer("base", packed, diff_id, partial(source.open, name))
    return store.adopt("base", partial(source.open, name), diff_id)


def scan(source: Source, name: str, packed: bool, tree: Tree) -> tuple[str, int, str]:
    """Reads a layer to its end: the digest and the size of what is stored, and the digest of the tar inside."""
    try:
        with source.open(name) as file:
            stored = _Hashed(file)
            inner = _Hashed(unpacked(stored) if packed else cast(IO[bytes], stored))
            lay(tree, cast(IO[bytes], inner), partial(_first_bytes, source, name, packed))
            diff_id = inner.drain()
            return stored.drain(), stored.size, diff_id
    except _NOT_READABLE as error:
        raise broken(source, f"{name} is no layer: {error}") from error


def is_packed(source: Source, name: str) -> bool:
    with source.open(name) as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def unpacked(stream: Any) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=stream, mode="rb"))


def _first_bytes(source: Source, name: str, packed: bool, member: str, limit: int) -> bytes:
    with source.open(name) as file, tarfile.open(fileobj=unpacked(file) if packed else file, mode="r|") as tar:
        for each in tar:
            if inside(each.name) == inside(member) and each.isreg():
                content = tar.extractfile(each)
                return content.read(limit) if content else b""
    return b""
