"""Requests to an API server: plain dicts in, plain dicts out; tried again where that helps, refused in words.

May live here: HTTP, retries, discovery, watches. May not: what any object means. Made by `connection.connect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from toolkit.engines.knative.kinds import Key, Kind, Object, uid
from toolkit.errors import EngineError

FIELD_MANAGER = "kn-bench"
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
REQUEST_WITHIN_S = 30.0
WATCH_S = 240  # how long the server keeps one watch open
TRIES = 8
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 3.0  # 9 s in all
FORBIDDEN, NOT_FOUND = 403, 404
_ASK = "ask an administrator for a Role with that verb on that resource; 'kubectl auth can-i' tells what you may do"
Query = Mapping[str, str | int | bool]
_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
_SCHEMA = ("failed to create typed patch object", "failed to create typed live object", "failed to create manager")


class Unreachable(EngineError):
    """The API server does not answer."""


class Refused(EngineError):
    """The API server said no. `code` and `reason` are its own; the message names what was asked for."""

    def __init__(self, what: str, answer: Answer) -> None:
        self.what, self.answer, self.code = what, answer, answer.code
        step = _ASK if self.code == FORBIDDEN else None
        super().__init__(f"{what}: {answer.message or 'refused'} ({answer.code})", next_step=step)


class UnknownKind(EngineError):
    """The cluster has no such kind of object: something is not installed."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        super().__init__(f"the cluster knows no {kind.kind} of {kind.api_version}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said. `body` is the object, or the Status that tells why not."""

    code: int
    body: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: float | None = None

    @property
    def message(self) -> str:
        return str(self.body.get("message", "")) if self.code >= 400 else ""

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", "")) if self.code >= 400 else ""


class Wire(Protocol):
    """What carries requests. `ask` raises Unreachable, and so does `lines` while it is read."""

    @property
    def server(self) -> str: ...

    async def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], within_s: float
    ) -> tuple[int, bytes, Mapping[str, str]]: ...

    def lines(self, path: str, silent_s: float | None) -> contextlib.AbstractAsyncContextManager[Lines]: ...


class Lines(Protocol):
    """A body that comes line by line."""

    @property
    def code(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Api:
    """One API server."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._known: dict[str, Mapping[str, tuple[str, bool]]] = {}  # version -> kind -> (plural, namespaced)

    @property
    def server(self) -> str:
        """Its URL."""
        return self._wire.server

    @property
    def wire(self) -> Wire:
        return self._wire

    async def path(self, kind: Kind, namespace: str | None = None, name: str | None = None) -> str:
        """Where objects of this kind, or one of them, are found. Raises UnknownKind."""
        base = _base(kind.api_version)
        if kind.kind not in self._known.get(kind.api_version, {}):
            answer = await self.ask("GET", base)
            listed = accepted(f"look for {kind}s", answer).get("resources", ()) if answer.code != NOT_FOUND else ()
            found = {
                each["kind"]: (each["name"], each.get("namespaced", True)) for each in listed if "/" not in each["name"]
            }
            self._known[kind.api_version] = found
        plural, namespaced = self._known[kind.api_version].get(kind.kind, ("", False))
        if not plural:
            raise UnknownKind(kind)
        within = f"/namespaces/{namespace}" if namespace and namespaced else ""
        return f"{base}{within}/{plural}" + (f"/{name}" if name else "")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        tries: int = TRIES,
    ) -> Answer:
        """The answer, whatever it is, to the last try at the latest. Raises Unreachable."""
        place = path + (f"?{_encoded(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": JSON, **({"Content-Type": content_type} if data is not None else {})}
        for attempt in range(tries):
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            try:
                code, said, told = await self._wire.ask(method, place, data, headers, REQUEST_WITHIN_S)
            except Unreachable:
                if attempt == tries - 1:
                    raise
            else:
                answer = Answer(code, _object(said), _seconds(told.get("Retry-After")))
                if attempt == tries - 1 or not worth_another_try(method, answer):
                    return answer
                wait = max(wait, min(answer.retry_after_s or 0.0, LONGEST_WAIT_S))
            await asyncio.sleep(wait)
        raise AssertionError("unreachable: the last try returned or raised")

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, None when there is none."""
        answer = await self.ask("GET", await self.path(kind, namespace, name))
        return None if answer.code == NOT_FOUND else accepted(f"get {kind} {name}", answer)

    async def see(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """As `get`; None too of what we have no right to see."""
        try:
            return await self.get(kind, name, namespace)
        except Refused as error:
            if error.code != FORBIDDEN:
                raise
            return None

    async def every(self, kind: Kind, namespace: str | None = None, labels: str = "") -> list[Object]:
        """The objects of a kind, of one namespace or of all, whose labels fit the selector."""
        query = {"labelSelector": labels} if labels else None
        listed = accepted(f"list {kind}s", await self.ask("GET", await self.path(kind, namespace), query=query))
        return [_typed(each, kind) for each in listed["items"]]

    async def every_known(self, kind: Kind, namespace: str | None = None, labels: str = "") -> list[Object]:
        """As `every`; none of a kind that this cluster does not have."""
        try:
            return await self.every(kind, namespace, labels)
        except UnknownKind:
            return []

    async def apply(self, manifest: Object, *, dry_run: bool = False) -> Object:
        """Server-side apply. It is strict: a field that the cluster does not know is refused."""
        key = Key.of(manifest)
        path = await self.path(key.kind, manifest["metadata"].get("namespace"), key.name)
        query: dict[str, str | bool] = {"fieldManager": FIELD_MANAGER, "force": True}
        if dry_run:
            query["dryRun"] = "All"
        return accepted(f"apply {key}", await self.ask("PATCH", path, query=query, body=manifest, content_type=APPLY))

    async def delete(self, found: Object, *, grace_s: int | None = None) -> bool:
        """Ask for the end of exactly this object: one of the same name that came later is left alone.

        False when it was gone already.
        """
        key = Key.of(found)
        options: dict[str, Any] = {"propagationPolicy": "Background", "preconditions": {"uid": uid(found)}}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        path = await self.path(key.kind, found["metadata"].get("namespace"), key.name)
        answer = await self.ask("DELETE", path, body={"apiVersion": "v1", "kind": "DeleteOptions", **options})
        if answer.code == NOT_FOUND or (answer.code == 409 and "uid" in answer.message.lower()):
            return False
        accepted(f"delete {key}", answer)
        return True

    async def text(self, path: str, query: Query | None = None) -> str | None:
        """A body that is no JSON, such as a log; None when there is none."""
        place = path + (f"?{_encoded(query)}" if query else "")
        code, said, _ = await self._wire.ask("GET", place, None, {"Accept": "*/*"}, REQUEST_WITHIN_S)
        return said.decode("utf-8", "replace") if code == 200 else None

    async def follow(self, path: str, query: Query) -> AsyncIterator[bytes]:
        """The lines of a body that grows, until the server ends it; none of one that is not there."""
        async with self._wire.lines(f"{path}?{_encoded(query)}", None) as lines:
            if lines.code == 200:
                async for line in lines:
                    yield line

    async def snapshots(
        self, kind: Kind, namespace: str | None = None, labels: str = ""
    ) -> AsyncIterator[dict[str, Object]]:
        """All objects of a kind by name: as they are now, and again after each change, for ever.

        A watch that ends, breaks or expires (410) is begun anew with a list, so nothing is missed but what came and
        went meanwhile.
        """
        path = await self.path(kind, namespace)
        only: dict[str, str | int | bool] = {"labelSelector": labels} if labels else {}
        while True:
            listed = accepted(f"list {kind}s", await self.ask("GET", path, query=only))
            found = {each["metadata"]["name"]: _typed(each, kind) for each in listed["items"]}
            yield dict(found)
            version = listed["metadata"]["resourceVersion"]
            query = {**only, "watch": True, "resourceVersion": version, "timeoutSeconds": WATCH_S}
            async with contextlib.aclosing(self._changes(f"{path}?{_encoded(query)}")) as changes:
                async for kind_of_change, each in changes:
                    if kind_of_change == "DELETED":
                        found.pop(each["metadata"]["name"], None)
                    else:
                        found[each["metadata"]["name"]] = each
                    yield dict(found)
            await asyncio.sleep(FIRST_WAIT_S)  # a server that ends every watch at once must not be asked without pause

    async def _changes(self, place: str) -> AsyncGenerator[tuple[str, Object], None]:
        with contextlib.suppress(Unreachable):
            async with self._wire.lines(place, WATCH_S + REQUEST_WITHIN_S) as lines:
                if lines.code != 200:
                    return
                async for line in lines:
                    event = _object(line)
                    if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
                        return
                    yield event["type"], event["object"]


def worth_another_try(method: str, answer: Answer) -> bool:
    """Whether the same request may be answered otherwise a moment later.

    Server-side apply answers 500 for a field that the schema does not have: that will never change.
    """
    if answer.code == 409:
        return method == "PATCH"
    return answer.code in _AGAIN and not answer.message.startswith(_SCHEMA)


def accepted(what: str, answer: Answer) -> Object:
    """The object. Raises Refused."""
    if answer.code >= 400:
        raise Refused(what, answer)
    return answer.body


def _base(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _encoded(query: Query) -> str:
    return urlencode({key: str(value).lower() if isinstance(value, bool) else value for key, value in query.items()})


def _typed(found: Object, kind: Kind) -> Object:
    """A list leaves kind and version away from its items."""
    return {"apiVersion": kind.api_version, "kind": kind.kind, **found}


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdecimal() else None


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {"message": data[:2000].decode("utf-8", "replace")}
    return found if isinstance(found, dict) else {"message": data[:2000].decode("utf-8", "replace")}
