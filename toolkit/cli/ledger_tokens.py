"""The token of a ledger in manifests that are written, not applied: nobody can guess it, and it is the same every time.

It is derived from a key of this user's, which lies in the cache. A cache that is emptied makes another one: manifests
rendered then belong together again, and not to those rendered before.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.images.store import user_cache

if TYPE_CHECKING:
    from toolkit.plan import Plan

BYTES = 32
NAME = "ledger-key"


def token(plan: Plan, namespace: str) -> str:
    """Of one run of a chain in a namespace."""
    told = "\0".join((plan.chain.name, plan.run, namespace)).encode("utf-8", "surrogatepass")
    return hmac.new(_key(), told, "sha256").hexdigest()[:BYTES]


def _key() -> bytes:
    """Drawn once; drawn each time where nothing can be kept."""
    cache = user_cache()
    if cache is not None:
        with contextlib.suppress(OSError):
            found = _kept(cache.parent / NAME)
            if len(found) == BYTES:
                return found
    return secrets.token_bytes(BYTES)


def _kept(path: Path) -> bytes:
    """The first to draw one has drawn it for all. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, drawn = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)  # nobody else may read it
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(drawn, path)
    finally:
        Path(drawn).unlink()
    return path.read_bytes()
