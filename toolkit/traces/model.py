"""A span as Zipkin v2 knows it. Times are microseconds since the epoch, as on the wire; ids are lower-case hex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["CLIENT", "SERVER", "PRODUCER", "CONSUMER"]
Via = Literal["call", "event"]
Edge = tuple[str, str, Via]  # who sent, who received, and how


@dataclass(frozen=True, slots=True)
class Annotation:
    timestamp: int
    value: str


@dataclass(frozen=True, slots=True)
class Span:
    """One Zipkin v2 span. `parent` is None at the root; `kind` is None for work inside a service."""

    trace: str
    id: str
    name: str
    service: str | None = None
    parent: str | None = None
    kind: Kind | None = None
    timestamp: int | None = None
    duration: int | None = None
    remote: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    annotations: tuple[Annotation, ...] = ()
    shared: bool = False
    debug: bool = False
