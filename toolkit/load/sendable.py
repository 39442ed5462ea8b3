"""What a load sends, as `direct` sees it: one request, again and again, each time with a trace context of its own.

May live here: that one protocol. May not: anything that sends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from toolkit.load.lines import Lines
from toolkit.results import Load

Heads = Callable[[bytes], bytes]
"""Makes a call's head, as `Lines.submit` wants it, of W3C's `traceparent`: 55 bytes, `00-trace-span-flags`."""


class Sendable(Protocol):
    """A gRPC call, an HTTP request, an event."""

    @property
    def target(self) -> object:
        """Where it goes; its text is how reports call it."""

    @property
    def body(self) -> bytes:
        """Every call's body, as `Lines.submit` wants it."""

    def lines(self, load: Load, connections: int | None) -> Lines:
        """What carries such calls; nothing is connected yet. `connections` None: as many as such a load needs."""

    def heads(self, load: Load) -> Heads:
        """To be asked for each call of the load, in their order."""
