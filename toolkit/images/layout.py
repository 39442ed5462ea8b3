"""Writes an image: as an OCI layout folder, or as one tar for `ctr`, `kind` and `docker`. All of it or nothing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from toolkit.errors import UsageError
from toolkit.images.archive import Digest
from toolkit.images.failures import told
from toolkit.images.model import (
    AT_ONCE,
    CONTAINERD_NAME,
    INDEX,
    OCI_NAME,
    Descriptor,
    Image,
    ImageError,
    Opener,
    canonical,
    digest_of_stream,
)
from toolkit.images.source import MOST
from toolkit.images.store import new_file

# https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
_VERSION = canonical({"imageLayoutVersion": "1.0.0"})


def write(images: Sequence[Image], to: Path) -> None:
    """Writes the images together: as one tar when the name of `to` ends so, else as a layout. Raises as those below."""
    (_write_tar if to.suffix == ".tar" else _write_folder)(images, to)


def write_folder(image: Image, folder: Path) -> None:
    """Adds the image to the layout `folder`, made if it is not there; an image of the same name is replaced.

    Raises UsageError when `folder` is something else, and ImageError when it cannot be written.
    """
    _write_folder((image,), folder)


def write_tar(image: Image, path: Path) -> None:
    """Writes the image to the one file `path`, over whatever file is there. Raises as `write_folder` does."""
    _write_tar((image,), path)


def _write_folder(images: Sequence[Image], folder: Path) -> None:
    with told(f"{folder} cannot be written"):
        folder = folder.resolve()
        if _is_new(folder) and _write_new(images, folder):
            return
        with _locked(folder):
            _write_into(images, folder)


def _write_tar(images: Sequence[Image], path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder, no place for a tar", next_step="name a file, or a folder without .tar")
    with (
        told(f"{path} cannot be written"),
        new_file(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in ("blobs/", "blobs/sha256/"):
            _add(tar, name, None, 0)
        for descriptor, opener in sorted(_blobs(images).items(), key=lambda each: each[0].digest):
            with opener() as blob:
                _add(tar, _path(descriptor), _Checked(blob, descriptor), descriptor.size)
        documents = {"index.json": _index([], images), "manifest.json": _docker(images), "oci-layout": _VERSION}
        for name, data in documents.items():
            _add(tar, name, BytesIO(data), len(data))


def _write_new(images: Sequence[Image], folder: Path) -> bool:
    """Makes the layout; False when somebody else has made one there meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        whole = Path(scratch, "layout")
        whole.mkdir()
        _write_into(images, whole)
        try:
            whole.replace(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
    return True


def _write_into(images: Sequence[Image], folder: Path) -> None:
    """The index comes last: until then nothing points to what is new."""
    index = _index(_others(folder, {each.reference for each in images}), images)
    for descriptor, opener in _blobs(images).items():
        if not _is_whole(folder / _path(descriptor), descriptor):
            _write_blob(folder / _path(descriptor), descriptor, opener)
    for name, data in (("oci-layout", _VERSION), ("index.json", index)):
        with new_file(folder / name) as file:
            file.write(data)


def _write_blob(path: Path, descriptor: Descriptor, opener: Opener) -> None:
    with new_file(path) as file, opener() as blob:
        shutil.copyfileobj(_Checked(blob, descriptor), file, AT_ONCE)


class _Checked:
    """A blob on its way out, which must turn out to be what the manifest says."""

    def __init__(self, blob: IO[bytes], promised: Descriptor) -> None:
        self._blob, self._promised, self._seen = blob, promised, Digest()

    def read(self, size: int = -1) -> bytes:
        data = self._blob.read(size)
        self._seen.write(data)
        ended = not 0 <= size <= len(data) or self._seen.size >= self._promised.size
        if ended and self._seen.digest != self._promised.digest:
            raise ImageError(f"{self._promised.digest} changed while it was being written", next_step="run it again")
        return data


def _blobs(images: Sequence[Image]) -> dict[Descriptor, Opener]:
    found: dict[Descriptor, Opener] = {}
    for image in images:
        found |= {each.descriptor: each.open for each in image.layers}
        found[image.config_descriptor] = partial(BytesIO, image.config)
        found[image.descriptor] = partial(BytesIO, image.manifest)
    return found


def _path(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.replace(':', '/')}"


def _is_whole(path: Path, descriptor: Descriptor) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return digest_of_stream(file) == (descriptor.digest, descriptor.size)


def _index(others: list[Any], images: Sequence[Image]) -> bytes:
    """Several at once share a tag, so each is called by its whole name then."""
    ours = []
    for image in images:
        short = image.reference if len(images) > 1 else image.reference.rpartition(":")[2]
        named = {CONTAINERD_NAME: image.reference, OCI_NAME: short}
        ours.append({**image.descriptor.as_json(), "platform": image.platform.as_json(), "annotations": named})
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*others, *ours]})


def _docker(images: Sequence[Image]) -> bytes:
    """`manifest.json` as `docker save` writes it, naming the same blobs."""
    listed = []
    for image in images:
        layers = [_path(each.descriptor) for each in image.layers]
        listed.append({"Config": _path(image.config_descriptor), "Layers": layers, "RepoTags": [image.reference]})
    return canonical(listed)


def _others(folder: Path, references: Collection[str]) -> list[Any]:
    """The images of a layout but those called as `references` say."""
    path = folder / "index.json"
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_bytes()[:MOST])["manifests"]
        return [each for each in found if (each.get("annotations") or {}).get(CONTAINERD_NAME) not in references]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no index of images", next_step="name a new folder") from error


def _is_new(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file", next_step="name a folder, or a file that ends in .tar")
    if not any(folder.iterdir()):
        return True
    if not (folder / "oci-layout").is_file():
        raise UsageError(f"{folder} is there and is no OCI layout", next_step="name a new folder")
    return False


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two builds may write to one layout; each index is made from the one before."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _add(tar: tarfile.TarFile, name: str, content: object | None, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = (tarfile.DIRTYPE, 0o755) if content is None else (tarfile.REGTYPE, 0o644)
    info.size = size
    tar.addfile(info, cast(BinaryIO, content))
