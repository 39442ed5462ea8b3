"""Where clients under test meet servers made for them, and how each call's end is waited for, whatever is spoken."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from toolkit.load.http2.stream import Ended
from toolkit.load.lines import Lines

SECOND = 1_000_000_000
LONG_NS = 20 * SECOND


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], object], patience_s: float = 10) -> Iterator[tuple[str, int]]:
    """Each connection is given to `serve`, in a thread of its own, which has so long to leave at the end."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    threads: list[threading.Thread] = []

    def give(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=give, args=(connection,), daemon=True))
                threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for each in threads:
            each.join(patience_s)


def ends(of: Lines, count: int) -> list[Ended]:
    """What became of calls 0 to `count`."""
    found: list[Ended] = []
    until = time.monotonic_ns() + LONG_NS
    while len(found) < count and time.monotonic_ns() < until:
        found += of.step(time.monotonic_ns() + SECOND // 10)
    assert sorted(each.token for each in found) == list(range(count)), "each call ends exactly once"
    assert of.in_flight == 0
    return found


def statuses(found: list[Ended]) -> Counter[str]:
    return Counter(each.status for each in found)
