"""Fingerprints of what a block's spans say (`block.fingerprint`), four bytes each, one behind the other.

May live here: uniting them, and looking one up.
"""

from __future__ import annotations


def united(before: bytes, more: bytes) -> bytes:
    """Fingerprints, each once."""
    words = {body[at : at + 4] for body in (before, more) for at in range(0, len(body), 4)}
    return b"".join(sorted(words))


def holds(body: bytes, word: bytes) -> bool:
    """Whether a fingerprint is among these; four bytes of two neighbours are none."""
    at = body.find(word)
    while at % 4 and at >= 0:
        at = body.find(word, at + 1)
    return at >= 0
