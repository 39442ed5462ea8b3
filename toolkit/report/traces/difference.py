"""Two traces beside each other, and what the other spends its time on that the one does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]


def document(a: Document, b: Document) -> dict[str, Any]:
    """The difference of two traces' documents (see `one`)."""
    return {"a": a, "b": b, "rows": rows(a, b)}


def rows(a: Document, b: Document) -> list[dict[str, Any]]:
    """What each label has of both critical paths, largest change first; None where one does not have it."""
    of_a, of_b = _times(a), _times(b)
    labels = dict.fromkeys([*of_a, *of_b])
    found = [{"label": label, "what": what, "a_us": of_a.get((label, what)), "b_us": of_b.get((label, what))}
             for label, what in labels]  # fmt: skip
    return sorted(found, key=lambda row: (-abs((row["b_us"] or 0) - (row["a_us"] or 0)), row["label"], row["what"]))


def _times(trace: Document) -> dict[tuple[str, str], int]:
    return {(each["label"], each["what"]): each["us"] for each in trace["by_label"]}
