"""Where a base image's documents and blobs are read from: a folder, or a tar that is never unpacked."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from toolkit.errors import UsageError
from toolkit.images.model import ImageError
from toolkit.images.tree import inside

MOST = 8 << 20  # bytes of one JSON document


class Source(Protocol):
    """Files by their names. `where` is what messages call it."""

    @property
    def where(self) -> str: ...
    def holds(self, name: str) -> bool: ...
    def open(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, as it lies there."""

    path: Path

    @property
    def where(self) -> str:
        return str(self.path)

    def holds(self, name: str) -> bool:
        return (self.path / name).is_file()

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            file = (self.path / name).open("rb")
        except OSError as error:
            raise broken(self, f"{name}: {error.strerror}") from error
        with file:
            yield file


@dataclass(frozen=True, slots=True)
class Tarball:
    """The files of a tar, compressed or not. Names that climb out of it are not there."""

    path: Path
    members: dict[str, tarfile.TarInfo]

    @staticmethod
    def of(path: Path) -> Tarball:
        """Raises UsageError when `path` is no tar."""
        try:
            with tarfile.open(path, "r:*") as tar:
                members = {name: each for each in tar if (name := inside(each.name)) is not None}
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise UsageError(
                f"{path} is no tar that can be read: {error}",
                next_step="give an image as 'docker save' or 'skopeo copy docker://… oci-archive:FILE' writes it",
            ) from error
        return Tarball(path, members)

    @property
    def where(self) -> str:
        return str(self.path)

    def holds(self, name: str) -> bool:
        return name in self.members

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with tarfile.open(self.path, "r:*") as tar:
                file = tar.extractfile(self.members[name])
                if file is None:
                    raise KeyError(name)
                with file:
                    yield file
        except KeyError as error:
            raise broken(self, f"{name}: is not in it") from error
        except (tarfile.TarError, EOFError) as error:
            raise broken(self, f"{name}: {error}") from error


def document(source: Source, name: str) -> bytes:
    """A small file, whole. Raises ImageError when it is not there, or not small."""
    with source.open(name) as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise broken(source, f"{name} is longer than {MOST >> 20} MiB")
    return data


def parsed(source: Source, name: str, data: bytes) -> Any:
    """The JSON in `data`, read from `name`."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise broken(source, f"{name} is no JSON: {error}") from error


def broken(source: Source, what: str) -> ImageError:
    return ImageError(f"{source.where}: {what}", next_step="the base is not whole: make it or fetch it again")
