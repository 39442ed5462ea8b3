"""The ledger over HTTP/1.1: `POST /TOKEN/v1/OPERATION` with a frame, answered with a frame; three pages to look at.

May live here: what is asked for and how it is answered. May not: what is remembered (`database`, `meetings`).

    GET /healthz · GET /TOKEN/v1/state · GET /TOKEN/v1/tasks?since=VERSION&call=ID&limit=N      (JSON, for people)

Who does not know the token finds nothing here: another user of the machine, another pod, a page in a browser.
An operation answers 200; 400 what makes no sense, 409 what the ledger will not do, 503 what it cannot do now. All of
them can be asked twice: whoever did not hear the answer asks again. They run in the event loop, one after the other:
each is some tens of microseconds of SQLite, less than it takes to hand it to a thread.
"""

from __future__ import annotations

import dataclasses
import hmac
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from toolkit.contract import READY_PATH
from toolkit.sdk.http1 import Request, Response
from toolkit.sdk.ledger import frames, meetings, withdrawing
from toolkit.sdk.ledger.database import Database
from toolkit.sdk.ledger.words import MOST_PARTS_BYTES, MOST_TEXT, PAGE_TASKS, Part, Refusal, Seat

MAX_BODY = MOST_PARTS_BYTES + (1 << 20)  # bytes of a request
MOST_NUMBER = 1 << 53
JSON = ((b"Content-Type", b"application/json"),)
FRAME = ((b"Content-Type", b"application/vnd.toolkit.ledger"),)

Answer = tuple[Mapping[str, Any], Sequence[bytes]]


class Ledger:
    """Answers requests out of a database, under paths that begin with `token`."""

    def __init__(self, database: Database, token: str) -> None:
        if not token:
            raise ValueError("a ledger without a token would answer anybody")
        self._database, self._token = database, token.encode()

    async def answer(self, request: Request) -> Response:
        path, _, query = request.target.partition("?")
        if request.header(b"origin") is not None:
            return _said(403, "this is no page of a browser's")
        if path == READY_PATH and request.method in ("GET", "HEAD"):
            return Response(200)
        token, _, rest = path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
            return _said(404, "nothing is here")
        return self._answered(request, f"/{rest}", query)

    def _answered(self, request: Request, path: str, query: str) -> Response:
        try:
            if request.method in ("GET", "HEAD"):
                return self._page(path, query)
            operation = OPERATIONS.get(path.removeprefix("/v1/"))
            if request.method != "POST" or operation is None:
                return _said(404, "no such operation")
            return self._do(operation, request.body)
        except Refusal as refusal:
            return _said(409, str(refusal))
        except ValueError as error:  # UnicodeError is one
            return _said(400, str(error))
        except sqlite3.Error as error:
            return _said(503, f"the ledger's file: {error}")

    def _page(self, path: str, query: str) -> Response:
        if path == "/v1/state":
            return Response(200, JSON, json.dumps(self._database.state()).encode())
        if path == "/v1/tasks":
            asked = dict(parse_qsl(query))
            since, limit = (_whole(asked.get(name, default)) for name, default in (("since", "0"), ("limit", "1000")))
            tasks = self._database.changes(since, asked.get("call"), min(limit, PAGE_TASKS))
            return Response(200, JSON, json.dumps({"tasks": tasks}).encode())
        return _said(404, "no such page")

    def _do(self, operation: Operation, body: bytes) -> Response:
        head, data = frames.unpack(body)
        values = operation.read(head)
        found, blobs = operation.run(self._database, values, data)
        return Response(200, FRAME, frames.pack(found, blobs))


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """`fields`: what its head has to say, by name; a `?` behind the name: it may be null or left out."""

    run: Callable[[Database, dict[str, Any], Sequence[bytes]], Answer]
    fields: Mapping[str, type]

    def read(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """The values. Raises ValueError, which names the first that is wrong."""
        wanted = {name.removesuffix("?"): (kind, name.endswith("?")) for name, kind in self.fields.items()}
        if strange := [name for name in head if name not in wanted]:
            raise ValueError(f"{strange[0][:MOST_TEXT]!r} is nothing that is asked for here")
        return {name: _checked(name, head.get(name), *each) for name, each in wanted.items()}


def _checked(name: str, value: Any, kind: type, optional: bool) -> Any:
    if value is None and optional:
        return None
    if type(value) is not kind:
        raise ValueError(f"{name}: wanted {kind.__name__}")
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise ValueError(f"{name}: longer than {MOST_TEXT} characters")
    if isinstance(value, int) and not 0 <= value < MOST_NUMBER:
        raise ValueError(f"{name}: {value} is not from 0 to 2^53")
    if isinstance(value, dict) and not all(isinstance(each, str) for each in value.values()):
        raise ValueError(f"{name}: wanted texts by name")
    return value


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        raise ValueError(f"{text[:MOST_TEXT]!r} is no whole number")
    return int(text)


def _said(status: int, text: str) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"),), text.encode("utf-8", "replace"))


# --- operations -------------------------------------------------------------------------------------------------------


def _spawn(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    return {"state": database.spawn(**asked)}, ()


def _withdraw(database: Database, asked: dict[str, Any], data: Sequence[bytes]) -> Answer:
    withdrawing.withdraw(database, asked["call"], b"".join(data).decode().split())
    return {}, ()


def _begin(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    return dataclasses.asdict(database.begin(**asked)), ()


def _finish(database: Database, asked: dict[str, Any], data: Sequence[bytes]) -> Answer:
    result = data[0] if data else None
    return dataclasses.asdict(database.finish(**asked, result=result)), ()


def _fail(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    return dataclasses.asdict(database.fail(**asked)), ()


def _told(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    database.told(**asked)
    return {}, ()


def _cancel(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    return {"cancelled": database.cancel(**asked)}, ()


def _stopped(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    return {"stopped": database.stopped(**asked)}, ()


def _results(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    heads, data = database.results(**asked)
    return {"results": heads}, data


def _join(database: Database, asked: dict[str, Any], data: Sequence[bytes]) -> Answer:
    call, function = asked.pop("call"), asked.pop("function")
    seat = Seat(**{each.name: asked.pop(each.name) for each in dataclasses.fields(Seat)})
    part = Part(**{**asked, "extensions": asked["extensions"] or {}}, data=data[0] if data else b"")
    parts = meetings.join(database, call, function, seat, part)
    if parts is None:
        return {"parts": None}, ()
    return {"parts": [meetings.head(each) for each in parts]}, [each.data for each in parts]


def _joined(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    meetings.joined(database, **asked)
    return {}, ()


def _forget(database: Database, asked: dict[str, Any], _: Sequence[bytes]) -> Answer:
    database.forget(**asked)
    return {}, ()


_TASK = {"call": str, "task": str}
_JOIN = {"call": str, "function": str, "message": str}
OPERATIONS: Mapping[str, Operation] = {
    "spawn": Operation(_spawn, {**_TASK, "parent": str, "function": str, "to": str, "depth": int, "most": int}),
    "withdraw": Operation(_withdraw, {"call": str}),
    "begin": Operation(_begin, {**_TASK, "function": str, "handling": str}),
    "finish": Operation(_finish, {**_TASK, "kind?": str}),
    "fail": Operation(_fail, {**_TASK, "error": str}),
    "told": Operation(_told, {"call": str}),
    "cancel": Operation(_cancel, {"call": str}),
    "stopped": Operation(_stopped, {"call": str}),
    "results": Operation(_results, {"call": str, "after": int}),
    "join": Operation(
        _join,
        {**_JOIN, "wanted": int, "group": str, "slot": str, "room": int, "once": bool}
        | {"source": str, "index?": int}
        | {"content_type?": str, "type?": str, "extensions?": dict},
    ),
    "joined": Operation(_joined, _JOIN),
    "forget": Operation(_forget, {"call": str}),
}
