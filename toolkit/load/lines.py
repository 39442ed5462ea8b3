"""What carries calls to whoever is loaded, as `driving` sees it: HTTP/2 or HTTP/1.1, one connection or many.

May live here: that one protocol. May not: anything that sends.
"""

from __future__ import annotations

from typing import Protocol

from toolkit.load.http2.stream import Ended


class Lines(Protocol):
    """Calls over one or several connections, in one thread that does nothing else. To be closed.

    No call is lost from sight: each one that is submitted comes back once, by `step` or `give_up`, as an `Ended` with
    its `token`; its status is a gRPC status code's name. All times are nanoseconds of the one monotonic clock.
    """

    @property
    def in_flight(self) -> int:
        """Calls that were submitted and have not ended."""

    def dial(self) -> str | None:
        """Connects; returns once every connection stands, with None, or when the time is over, with the reason."""

    def submit(self, token: int, block: bytes, message: bytes, deadline_ns: int) -> None:
        """Sends a call, or keeps it until there is room; never waits. Deadlines do not decrease from call to call.

        `block` is the call's encoded head, `message` its encoded body, in the words of the protocol that is spoken.
        """

    def step(self, until_ns: int) -> list[Ended]:
        """Works until something ended or `until_ns` has come; what ended. Returns at once if that has passed."""

    def give_up(self, status: str, why: str) -> list[Ended]:
        """Ends everything that is under way, with this status."""

    def close(self) -> None:
        """Leaves every connection."""
