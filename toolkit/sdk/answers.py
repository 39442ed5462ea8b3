"""The chain's answer as text, as a receipt holds it and a benchmark's `validate_output` gets it.

May live here: what can be one. May not: who judges it.
"""

from __future__ import annotations

from typing import Any

from toolkit.sdk.failures import Unanswerable
from toolkit.sdk.message import Message

MOST = 256 << 10  # bytes: a receipt is one line, and a run keeps them all


def text(value: Any) -> str:
    """The text of anything that can be sent: of a message with one field of content, that field.

    Raises Unanswerable for what is no text or too long, and TypeError for what cannot be sent.
    """
    data = Message.of(value).data
    if len(data) > MOST:
        raise Unanswerable(f"an answer has at most {MOST:,} bytes, this one {len(data):,}: answer with its digest")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Unanswerable(
            f"an answer is text in UTF-8, and this is not: {error.reason} at byte {error.start}"
        ) from None
