"""What travels in place of data that is in a store: a few words of JSON under a content type of its own.

May live here: the words, and their careful reading: they come from whoever can reach the function. May not: stores.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

from toolkit.sdk.failures import Refused

CONTENT_TYPE = "application/vnd.toolkit.reference+json"
MOST = 4096  # bytes of a reference
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """Which store, where in it, how much (bytes), the BLAKE2b checksum, and what the data is."""

    transfer: str
    key: str
    size: int
    digest: str
    content_type: str | None = None

    def encode(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @staticmethod
    def decode(data: bytes) -> Reference:
        """The reference in `data`. Raises Refused (INVALID_ARGUMENT) for anything else."""
        if len(data) > MOST:
            raise _refused(f"{len(data):,} bytes are too many")
        try:
            found = Reference(**json.loads(data))
        except (ValueError, TypeError, RecursionError) as error:
            raise _refused(str(error) or type(error).__name__) from None
        if not isinstance(found.key, str) or not isinstance(found.transfer, str):
            raise _refused("`transfer` and `key` are texts")
        if type(found.size) is not int or found.size < 0:
            raise _refused("`size` is a number of bytes")
        if not isinstance(found.digest, str) or not _DIGEST.fullmatch(found.digest):
            raise _refused("`digest` has 64 hex digits")
        if found.content_type is not None and not isinstance(found.content_type, str):
            raise _refused("`content_type` is a text")
        return found


def _refused(why: str) -> Refused:
    return Refused("INVALID_ARGUMENT", f"this is no reference to data in a store: {why:.200}")
