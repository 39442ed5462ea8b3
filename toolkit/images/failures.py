"""Turns what the operating system refuses into an error that says what, where and what next."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from toolkit.images.model import ImageError

_NEXT = {
    errno.ENOSPC: "make room there and run it again: nothing half-written is left",
    errno.EDQUOT: "make room there and run it again: nothing half-written is left",
    errno.EACCES: "run it as a user who may, or name another place",
    errno.EPERM: "run it as a user who may, or name another place",
    errno.EROFS: "name a place that can be written",
}


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Within the block, an OSError becomes an ImageError that begins with `what`: `out.tar cannot be written`."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise ImageError(f"{what}: {error.strerror or error}{place}", next_step=_NEXT.get(error.errno or 0)) from error
