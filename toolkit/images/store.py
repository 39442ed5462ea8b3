"""Blobs on this machine: compressed layers by the digest of their tar, so that none is compressed twice.

`Store` is the user's cache, or the scratch folder of one build. What lies in a cache may be gone or broken at any time:
it is checked when it is used, and made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from toolkit.images.archive import COMPRESSION, Digest, Sink, compressed, write_tar
from toolkit.images.entries import Entry
from toolkit.images.model import AT_ONCE, LAYER_GZIP, Descriptor, ImageError, Layer, Opener, What, digest_of_stream


def home() -> Path | None:
    """The user's own folder, None for a user without one, as in many containers."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def user_cache() -> Path | None:
    """`$XDG_CACHE_HOME/kn-bench/images`, else below `~/.cache` (XDG Base Directory Specification)."""
    chosen, own = os.environ.get("XDG_CACHE_HOME", ""), home()
    base = Path(chosen) if Path(chosen).is_absolute() else own and own / ".cache"
    return base and base / "kn-bench" / "images"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of blobs. Two builds may use it at once: every file comes into being whole."""

    folder: Path

    def pack(self, what: What, entries: Sequence[Entry], epoch: int) -> Layer:
        """The layer of `entries`. Compresses only what this store does not hold."""
        hashed = Digest()
        write_tar(entries, hashed, epoch)
        return self._packed(what, hashed.digest, lambda out: write_tar(entries, out, epoch))

    def adopt(self, what: What, tar: Opener, diff_id: str) -> Layer:
        """The layer of a tar that is there already and has the digest `diff_id`."""

        def copy(out: Sink) -> None:
            with tar() as file:
                while part := file.read(AT_ONCE):
                    out.write(part)

        return self._packed(what, diff_id, copy)

    def open(self, digest: str) -> BinaryIO:
        return self._blob(digest).open("rb")

    def _packed(self, what: What, diff_id: str, write: Callable[[Sink], None]) -> Layer:
        known = self._known(diff_id) or self._compress(write, diff_id)
        return Layer(what, known, diff_id, partial(self.open, known.digest))

    def read_note(self, name: str) -> dict[str, object] | None:
        """The JSON object kept under `name`, None when there is none that can be read."""
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.folder / name).read_text("utf-8"))
            if isinstance(found, dict):
                return found
        return None

    def keep_note(self, name: str, note: dict[str, object]) -> None:
        with new_file(self.folder / name) as file:
            file.write(json.dumps(note, sort_keys=True).encode())

    def known_layer(self, what: What, diff_id: str) -> Layer | None:
        """The layer whose tar has the digest `diff_id`, if it lies here whole."""
        known = self._known(diff_id)
        return None if known is None else Layer(what, known, diff_id, partial(self.open, known.digest))

    def _known(self, diff_id: str) -> Descriptor | None:
        note = self.read_note(_note_of(diff_id))
        if note is None or not isinstance(note.get("digest"), str):
            return None
        with contextlib.suppress(OSError), self.open(str(note["digest"])) as file:
            digest, size = digest_of_stream(file)
            if digest == note["digest"]:
                return Descriptor(LAYER_GZIP, digest, size)
        return None

    def _compress(self, write: Callable[[Sink], None], diff_id: str) -> Descriptor:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".packing-", dir=self.folder) as scratch:
            path = Path(scratch, "blob")
            with path.open("wb") as file:
                outer = Digest(file)
                with compressed(outer) as stream:
                    inner = Digest(stream)
                    write(inner)
            if inner.digest != diff_id:
                raise ImageError("a file changed while it was being packed", next_step="run it again")
            blob = self._blob(outer.digest)
            blob.parent.mkdir(parents=True, exist_ok=True)
            path.replace(blob)
        self.keep_note(_note_of(diff_id), {"digest": outer.digest})
        return Descriptor(LAYER_GZIP, outer.digest, outer.size)

    def _blob(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")


def _note_of(diff_id: str) -> str:
    return f"packed/{diff_id.partition(':')[2]}-gzip{COMPRESSION}.json"


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is at `path`, whole, once the block has ended well; else nothing has happened there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
