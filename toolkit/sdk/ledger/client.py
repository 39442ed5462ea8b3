"""The ledger as functions, the engines and `toolkit watch` ask it: every operation may be asked twice, so it is.

May live here: requests, and asking again while the ledger restarts. May not: what the answers are used for.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol
from urllib.parse import quote, urlsplit

from toolkit.sdk.failures import Refused
from toolkit.sdk.http1 import Client, Response
from toolkit.sdk.ledger import frames, pages
from toolkit.sdk.ledger.words import MOST_PARTS_BYTES, PAGE_TASKS, Begun, Ended, Ending, Part, Seat, State

PATIENCE_S = 15.0  # for a ledger that is being started again
TIMEOUT_S = 5.0  # for one answer
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
MAX_ANSWER = MOST_PARTS_BYTES + (8 << 20)  # bytes
MAX_ERROR = 500  # characters


class Carrier(Protocol):
    """What carries requests; `http1.Client` where nothing else is named. It raises what that raises."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> Response: ...

    async def close(self) -> None: ...


class LedgerFailed(Refused):
    """The ledger does not answer (UNAVAILABLE), will not do it (FAILED_PRECONDITION, INVALID_ARGUMENT), or what
    answers is no ledger, or not ours (INTERNAL).
    """


class LedgerClient:
    """Of the ledger at `url`, which ends in its token. Connections are kept.

    `patience_s` bounds how long one that does not answer is asked.

    `carrier` carries the requests where the ledger is not reached directly.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S, carrier: Carrier | None = None) -> None:
        self.url, self._patience_s = url.rstrip("/"), patience_s
        self._client: Carrier = carrier or Client(max_body=MAX_ANSWER)

    async def close(self) -> None:
        await self._client.close()

    async def spawn(self, *, call: str, task: str, parent: str, function: str, to: str, depth: int, most: int) -> State:
        """What the task is by now: `waiting`, unless it was known before, or its call was cancelled."""
        asked = {"call": call, "task": task, "parent": parent, "function": function}
        head, _ = await self._do("spawn", {**asked, "to": to, "depth": depth, "most": most})
        return head["state"]  # type: ignore[no-any-return]

    async def withdraw(self, call: str, tasks: Iterable[str]) -> None:
        """Those of them that wait were never spawned: whoever spawned them failed, and their events never left."""
        await self._do("withdraw", {"call": call}, ("\n".join(tasks).encode(),))

    async def begin(self, call: str, task: str, function: str, handling: str) -> Begun:
        """`handling` names this attempt."""
        asked = {"call": call, "task": task, "function": function, "handling": handling}
        head, _ = await self._do("begin", asked)
        return Begun(**{**head, "ending": _ending(head)})

    async def finish(self, call: str, task: str, kind: str | None = None, result: bytes | None = None) -> Ended:
        """`kind` is the result's content type."""
        data = () if result is None else (result,)
        head, _ = await self._do("finish", {"call": call, "task": task, "kind": kind}, data)
        return Ended(**{**head, "ending": _ending(head)})

    async def fail(self, call: str, task: str, error: str) -> Ended:
        head, _ = await self._do("fail", {"call": call, "task": task, "error": error[:MAX_ERROR]})
        return Ended(**{**head, "ending": _ending(head)})

    async def told(self, call: str) -> None:
        await self._do("told", {"call": call})

    async def cancel(self, call: str) -> int:
        head, _ = await self._do("cancel", {"call": call})
        return int(head["cancelled"])

    async def stopped(self, call: str) -> bool:
        head, _ = await self._do("stopped", {"call": call})
        return bool(head["stopped"])

    async def results(self, call: str) -> list[tuple[str, str | None, bytes]]:
        """(task, content type, data) of every task that left one, in the order in which they were spawned."""
        found: list[tuple[str, str | None, bytes]] = []
        after = 0
        while True:
            head, data = await self._do("results", {"call": call, "after": after})
            if not head["results"]:
                return found
            found += [(task, kind, each) for (_, task, kind), each in zip(head["results"], data, strict=True)]
            after = head["results"][-1][0]

    async def join(self, call: str, function: str, seat: Seat, part: Part) -> Sequence[Part] | None:
        """All parts, if this is the one that completes them."""
        said = dataclasses.asdict(dataclasses.replace(part, data=b""))
        del said["data"]
        asked = {**said, **dataclasses.asdict(seat), "call": call, "function": function}
        head, data = await self._do("join", asked, (part.data,))
        if head["parts"] is None:
            return None
        return [Part(**each, data=own) for each, own in zip(head["parts"], data, strict=True)]

    async def joined(self, call: str, function: str, message: str) -> None:
        await self._do("joined", {"call": call, "function": function, "message": message})

    async def forget(self, call: str) -> None:
        await self._do("forget", {"call": call})

    async def state(self) -> dict[str, int]:
        """How many calls there are, and tasks in all: `calls tasks open failed cancelled`."""
        answer = await self._ask("GET", "/v1/state", b"")
        try:
            return pages.state(answer.body)
        except ValueError as error:
            self._no_ledger(error)

    async def changes(self, since: int = 0, call: str | None = None) -> list[dict[str, Any]]:
        """Up to `PAGE_TASKS` tasks that changed after version `since`, in that order; see `Database.changes`.

        Raises LedgerFailed for a page that no ledger writes, and for one that leads back: who asks on gets to an end.
        """
        of = "" if call is None else f"&call={quote(call, safe='')}"
        answer = await self._ask("GET", f"/v1/tasks?since={since}&limit={PAGE_TASKS}{of}", b"")
        try:
            return pages.tasks(answer.body, since)
        except ValueError as error:
            self._no_ledger(error)

    def _no_ledger(self, error: Exception) -> NoReturn:
        raise LedgerFailed("INTERNAL", f"what answers at {shown(self.url)} is no ledger: {error}") from error

    async def _do(
        self, operation: str, head: dict[str, Any], data: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        answer = await self._ask("POST", f"/v1/{operation}", frames.pack(head, data))
        try:
            return frames.unpack(answer.body)
        except ValueError as error:
            self._no_ledger(error)

    async def _ask(self, method: str, path: str, body: bytes) -> Response:
        """The answer; asks again where none came, which is what an operation is made for."""
        clock = asyncio.get_running_loop().time
        until, pause_s = clock() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                answer = await self._client.request(method, self.url + path, (), body, timeout_s=TIMEOUT_S)
            except (ConnectionError, TimeoutError) as error:
                why = str(error) or "no answer in time"
            except ValueError as error:  # a URL that nothing can be sent to
                raise LedgerFailed("INVALID_ARGUMENT", f"{shown(self.url)}: no request can be sent there") from error
            else:
                if answer.status == 200:
                    return answer
                why = answer.body[:MAX_ERROR].decode("utf-8", "replace")
                if answer.status in (403, 404):
                    raise LedgerFailed("INTERNAL", f"no ledger of ours answers at {shown(self.url)}: {answer.status}")
                if answer.status != 503:
                    raise LedgerFailed("FAILED_PRECONDITION" if answer.status == 409 else "INVALID_ARGUMENT", why)
            if clock() + pause_s > until:
                raise LedgerFailed("UNAVAILABLE", f"the ledger at {shown(self.url)} does not answer: {why}")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def shown(url: str) -> str:
    """Where that is, without the token, which no error, span or report may tell."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "this URL"
    if not parts.netloc:
        return url.partition("/proxy/")[0]  # a path of the API server
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _ending(head: dict[str, Any]) -> Ending | None:
    return None if head["ending"] is None else Ending(**head["ending"])
