"""A head (one line of JSON) and the data that follows it: the body of what the ledger is told and tells.

JSON alone would carry data as base64, which costs a third more and two passes. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SIZES = "sizes"


def pack(head: Mapping[str, Any], data: Sequence[bytes] = ()) -> bytes:
    """`head`, and the sizes of `data`, in one line; then the data, one after the other."""
    line = json.dumps({**head, SIZES: [len(each) for each in data]}, separators=(",", ":"))
    return b"".join((line.encode(), b"\n", *data))


def unpack(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The head, without the sizes, and the data. Raises ValueError, with the reason, when `body` is no such thing."""
    line, newline, rest = body.partition(b"\n")
    try:
        head = json.loads(line)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not newline or not isinstance(head, dict):
        raise ValueError("wanted a JSON object, a line break, and data")
    sizes = head.pop(SIZES, [])
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(f"{SIZES}: wanted a list of numbers of bytes")
    if sum(sizes) != len(rest):
        raise ValueError(f"{SIZES}: {sum(sizes)} bytes were announced, {len(rest)} came")
    data, at = [], 0
    for size in sizes:
        data.append(rest[at : at + size])
        at += size
    return head, data
