"""Spans as Zipkin v2 says them, in JSON.

May live here: the encoding. May not: the sending (`toolkit.sdk.exporter`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from toolkit.sdk.ended import Told, said, text
from toolkit.sdk.tags import PEER


class Zipkin:
    """The list that `POST /api/v2/spans` takes. `tags` are on every span, whose own ones go before them."""

    content_type = "application/json"

    def __init__(self, service: str, tags: Mapping[str, str]) -> None:
        self._local = f'"localEndpoint":{{"serviceName":{quoted(service)}}}'
        self._tags = dict(tags)
        self._common = _members(self._tags)

    def encode(self, spans: Sequence[Told]) -> bytes:
        return f"[{','.join(map(self._span, spans))}]".encode("utf-8", "replace")

    def rejected(self, answer: bytes) -> tuple[int, str]:
        return 0, ""  # Zipkin takes a list as a whole

    def _span(self, span: Told) -> str:
        """Written by hand: json.dumps of such a dictionary costs three times as much. A test reads it back."""
        position = span.position
        # Microseconds, and at least 1: 0 means unknown there.
        parts = [
            f'{{"traceId":"{position.trace}","id":"{position.span}","name":{quoted(span.name)},'
            f'"timestamp":{max(1, span.start_ns // 1000)},"duration":{max(1, (span.end_ns - span.start_ns) // 1000)}',
            self._local,
        ]
        if span.parent is not None:
            parts.append(f'"parentId":"{span.parent}"')
        if span.kind is not None:
            parts.append(f'"kind":"{span.kind}"')
        if (peer := span.tags.get(PEER)) is not None:
            parts.append(f'"remoteEndpoint":{{"serviceName":{quoted(text(peer))}}}')
        if tags := self._tagged(span):
            parts.append(f'"tags":{{{tags}}}')
        if span.notes:
            parts.append(f'"annotations":[{",".join([_note(*each) for each in span.notes])}]')
        return ",".join(parts) + "}"

    def _tagged(self, span: Told) -> str:
        own: Mapping[str, Any] = span.tags if span.error is None else {**span.tags, "error": span.error}
        if not self._tags.keys().isdisjoint(own):
            return _members({**self._tags, **own})
        return f"{self._common},{_members(own)}".strip(",")


def _note(at: int, name: str, attributes: Mapping[str, Any]) -> str:
    """An event, as the OpenTelemetry specification has Zipkin told: JSON, if there is more than a name."""
    value = said({name: dict(attributes)}) if attributes else name
    return f'{{"timestamp":{at // 1000},"value":{quoted(value)}}}'


def _members(tags: Mapping[str, Any]) -> str:
    return ",".join(
        [
            f"{quoted(name)}:{quoted(value if type(value) is str else text(value))}"
            for name, value in tags.items()
            if name != PEER
        ]
    )
