"""What a report must name, gathered without flooding anybody: dead letters, lost events, and warnings in words.

May live here: counting and wording. Each warning is told once, of the others the first few; then how many more.
Producers choose much of what is told (paths, ids, types), so every text is cut: one incident is at most 4 KiB of JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Literal

from toolkit.results import Incident

Kind = Literal["restart", "dead-letter", "undelivered", "warning"]

LIMIT = 40  # per kind; so that a pipe nobody reads cannot stop the broker
_DISTINCT = 1000  # warnings told apart
_MORE = "\N{HORIZONTAL ELLIPSIS}"

# What one incident may hold: characters, for people, and bytes of JSON, where a character may take twelve. The bytes
# add up to less than 4 KiB with all that stands around them; a reader's line buffer is often not longer than 64.
_SUBJECT = (200, 800)
_TEXT = (300, 1800)
_MESSAGE = (200, 1200)


class Incidents:
    """`tell` is called at once for each incident that is told."""

    def __init__(self, tell: Callable[[Incident], None]) -> None:
        self._tell = tell
        self._seen: Counter[tuple[Kind, str, str]] = Counter()
        self._told: Counter[Kind] = Counter()
        self._untold: Counter[tuple[Kind, str]] = Counter()

    def warn(self, subject: str, text: str) -> None:
        """Once per subject and text, however often it happens."""
        subject, text = _cut(subject, _SUBJECT), _cut(text, _TEXT)
        if len(self._seen) >= _DISTINCT and ("warning", subject, text) not in self._seen:
            self._untold["warning", "broker"] += 1  # texts may quote what producers send: they must not pile up
            return
        self._seen["warning", subject, text] += 1
        if self._seen["warning", subject, text] == 1:
            self._add("warning", subject, text)

    def dead_letter(self, subject: str, text: str, message: str) -> None:
        """`message` is the event's id."""
        self._add("dead-letter", subject, text, message)

    def undelivered(self, subject: str, text: str, message: str) -> None:
        """`message` is the event's id."""
        self._add("undelivered", subject, text, message)

    def close(self) -> None:
        """Tell how many were not told, and how often a warning repeated."""
        for (kind, subject), count in self._untold.items():
            self._tell(Incident(kind, subject, f"and {count} more like it", count=count))
        for (kind, subject, text), count in self._seen.items():
            if count > 1 and self._told[kind] <= LIMIT:
                self._tell(Incident(kind, subject, _cut(f"{count} times in all: {text}", _TEXT), count=count - 1))
        self._untold.clear()
        self._seen.clear()

    def _add(self, kind: Kind, subject: str, text: str, message: str | None = None) -> None:
        subject = _cut(subject, _SUBJECT)
        self._told[kind] += 1
        if self._told[kind] <= LIMIT:
            message = None if message is None else _cut(message, _MESSAGE)
            self._tell(Incident(kind, subject, _cut(text, _TEXT), message=message))
        else:
            self._untold[kind, subject] += 1


def _cut(text: str, most: tuple[int, int]) -> str:
    """`text`, or as much of its beginning as fits into `most` characters and bytes of JSON, and an ellipsis."""
    characters, size = most
    if len(text) <= characters and len(json.dumps(text)) - 2 <= size:
        return text
    text = text[: characters - 1]
    while len(json.dumps(text + _MORE)) - 2 > size:
        text = text[: -max(1, len(text) // 16)]
    return text + _MORE
