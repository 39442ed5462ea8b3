"""The other side of the wire, on raw sockets: a producer of exact bytes, and subscribers that answer by script.

May live here: sockets and the least of HTTP that is needed to record what comes. Nothing of the toolkit, so that a
fault in our own HTTP code cannot hide itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.broker.recording import body_of

Headers = list[tuple[str, str]]


@dataclass
class Seen:
    """One request as a subscriber saw it."""

    sub: str
    method: str
    path: str
    headers: Headers
    body: bytes
    at: float  # loop seconds
    ended: float = 0.0
    answered: int | str | None = None  # None: the caller was gone before the answer


@dataclass
class Answered:
    """What a producer got; `status` None: the connection closed without an answer."""

    status: int | None
    reason: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    at: float = 0.0  # loop seconds


class Subscribers:
    """Every subscriber, reply target and dead letter sink of one case: path `/NAME` is subscriber NAME."""

    def __init__(self, answers: Mapping[str, Any], rewrite: Mapping[str, str]) -> None:
        self._answers, self._rewrite = answers, rewrite
        self._count: dict[str, int] = defaultdict(int)
        self._failed: set[str] = set()
        self.seen: list[Seen] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self.running = 0
        self.most = 0
        self.port = 0

    async def __aenter__(self) -> Subscribers:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def quiet(self, *, after: int = 0, within_s: float = 5.0) -> None:
        """Until `after` requests have come, at most `within_s`, and then until none is being handled."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: len(self.seen) >= after)
        async with self._changed:
            await self._changed.wait_for(lambda: not self.running)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await _request(reader)) is not None:
                if not await self._handle(seen, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller is gone
        finally:
            writer.close()

    async def _handle(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.seen.append(seen)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self._answer(seen, reader, writer)
        finally:
            self.running -= 1
            seen.ended = asyncio.get_running_loop().time()
            await self._tell()

    def _script(self, seen: Seen) -> Mapping[str, Any]:
        script = self._answers.get(seen.sub)
        if isinstance(script, str):  # "every 10th event fails once with 500, then 200; 20 ms"
            name = dict(seen.headers)["Ce-Id"]
            fails = int(name[1:]) % 10 == 0 and name not in self._failed
            self._failed.add(name)
            return {"status": 500 if fails else 200, "delay_ms": 20}
        if not script:
            return {"status": 200}
        step = script[min(self._count[seen.sub], len(script) - 1)]
        self._count[seen.sub] += 1
        assert isinstance(step, dict)
        return step

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        step = self._script(seen)
        if step.get("delay_ms") and await _gone_within(reader, step["delay_ms"] / 1000):
            return False
        if step.get("action") == "close":
            seen.answered = "connection closed without a byte"
            return False
        if step.get("action") == "raw":
            writer.write(body_of(step["raw"]) or b"")
            seen.answered = "raw bytes then close"
            await writer.drain()
            return False
        writer.write(self._bytes(step))
        seen.answered = step["status"]
        await writer.drain()
        return True

    def _bytes(self, step: Mapping[str, Any]) -> bytes:
        body = body_of(step.get("body")) or b""
        head = f"HTTP/1.1 {step['status']} X\r\n"
        for name, value in step.get("headers") or ():
            for recorded, here in self._rewrite.items():
                value = value.replace(recorded, here)
            head += f"{name}: {value}\r\n"
        if step["status"] in (204, 304):
            return (head + "\r\n").encode("latin-1")
        if step.get("chunked"):
            framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
            return (head + "Transfer-Encoding: chunked\r\n\r\n").encode("latin-1") + framed + b"0\r\n\r\n"
        return (head + f"Content-Length: {len(body)}\r\n\r\n").encode("latin-1") + body


async def _gone_within(reader: asyncio.StreamReader, delay_s: float) -> bool:
    """Whether the caller closed before `delay_s` was over; it sends nothing meanwhile."""
    try:
        async with asyncio.timeout(delay_s):
            return not await reader.read(1)
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def _head(reader: asyncio.StreamReader) -> tuple[list[str], Headers] | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    headers = [(name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines)]
    return first.split(" ", 2), headers


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    head = await _head(reader)
    if head is None:
        return None
    (method, path, _), headers = head
    at = asyncio.get_running_loop().time()
    length = next((value for name, value in headers if name == "Content-Length"), "0")
    body = await reader.readexactly(int(length))
    return Seen(path.partition("?")[0].strip("/").partition("/")[0], method, path, headers, body, at)


async def send(port: int, message: bytes, *, close_after_s: float | None = None) -> Answered:
    """Send bytes, read one answer until the end of the connection or of its body."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
    try:
        writer.write(message)
        if close_after_s is not None:
            await asyncio.sleep(close_after_s)
            return Answered(None, at=loop.time())
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return await read_answer(reader, head_only=message.startswith(b"HEAD "))
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, head_only: bool = False) -> Answered:
    loop = asyncio.get_running_loop()
    while (head := await _head(reader)) is not None:
        (_, status, reason), headers = head
        if status == "100":
            continue
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        if head_only:
            length = "0"
        body = await (reader.read() if length is None else reader.readexactly(int(length)))
        return Answered(int(status), reason, headers, body, loop.time())
    return Answered(None, at=loop.time())


def request_bytes(request: Mapping[str, Any], headers: Sequence[tuple[str, str]], body: bytes | None) -> bytes:
    """A recorded request as the recording's client sent it: Host first, framing, `Connection: close` last."""
    transport = request.get("transport") or {}
    host = transport.get("host", "broker-ingress.knative-eventing.svc.cluster.local")
    lines = [f"{request['method']} {request['path']} HTTP/{transport.get('version', '1.1')}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    chunked = transport.get("framing") == "chunked"
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if chunked and body:
        return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + (body or b"")
