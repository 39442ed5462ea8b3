"""A real Zipkin server and a store of ours, given the same posts and asked the same questions."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.zipkin import real
from tests.zipkin.generated import Posted
from tests.zipkin.known import Met

STARTED_WITHIN_S, ANSWERED_WITHIN_S, SHOWN_WITHIN_S = 90.0, 60.0, 10.0
Headers = tuple[tuple[bytes, bytes], ...]
JSON: Headers = ((b"Content-Type", b"application/json"),)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Side:
    """One of the two, on one connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWERED_WITHIN_S)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Headers = ()) -> Answer:
        given = {name.decode(): value.decode() for name, value in headers}
        try:
            self._connection.request(method, path, body, given)
            answer = self._connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except (OSError, ValueError):
            self._connection.close()
            raise

    def ready(self) -> None:
        """Return once it answers."""
        until = time.monotonic() + STARTED_WITHIN_S
        while True:
            try:
                if self.ask("GET", "/health").status == 200:
                    return
            except OSError:
                if time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def close(self) -> None:
        self._connection.close()


class Pair:
    """Both. `met` says which known differences were met."""

    def __init__(self, theirs: Side, ours: Side) -> None:
        self.theirs, self.ours, self.met = theirs, ours, Met()

    def post(self, posted: Posted) -> None:
        for side in (self.theirs, self.ours):
            answer = side.ask("POST", "/api/v2/spans", posted.body, posted.headers)
            assert answer.status == 202, (side.url, answer.body)

    def get(self, path: str) -> tuple[Any, Any]:
        """What both answer, as JSON."""
        theirs, ours = self.theirs.ask("GET", path), self.ours.ask("GET", path)
        assert (theirs.status, ours.status) == (200, 200), (path, theirs.body[:300], ours.body[:300])
        assert theirs.headers["content-type"] == ours.headers["content-type"]
        plain = theirs.body.rstrip(b"\0")
        if len(plain) < len(theirs.body):
            self.met.excuse("padding")
        return json.loads(plain), json.loads(ours.body)

    def shown(self, trace_id: str) -> tuple[Any, Any]:
        """A trace that was just posted, once the real one shows it: it answers before it has stored."""
        until = time.monotonic() + SHOWN_WITHIN_S
        while self.theirs.ask("GET", f"/api/v2/trace/{trace_id}").status == 404 and time.monotonic() < until:
            time.sleep(0.05)
        return self.get(f"/api/v2/trace/{trace_id}")


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    """Two fresh ones, until the end of the block. Raises real.MissingError."""
    words = [sys.executable, "-m", "toolkit.engines.tracestore", "--follow-stdin"]
    with (
        real.running(folder, "768m") as server,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as store,
    ):
        assert store.stdout is not None
        ready = json.loads(store.stdout.readline())["ready"]
        both = Pair(Side(server.url), Side(f"http://{ready['host']}:{ready['port']}"))
        both.theirs.ready()
        try:
            yield both
        finally:
            both.theirs.close()
            both.ours.close()
            store.communicate(timeout=30)
