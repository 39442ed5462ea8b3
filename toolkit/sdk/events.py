"""The server side of event edges: CloudEvents over HTTP/1.1, as a broker's dispatcher delivers them.

May live here: what is answered to whom. May not: HTTP itself (`toolkit.sdk.http1`) or the event format.
"""

from __future__ import annotations

import re
from typing import Any

from toolkit import contract
from toolkit.sdk.arrival import Arrival, Received, fresh_identity, of_event, usable_id
from toolkit.sdk.cloudevents import Event, EventError, decode, encode_binary
from toolkit.sdk.function import Function, HandlingFailed
from toolkit.sdk.handling import Handling
from toolkit.sdk.http1 import MAX_BODY as MAX_REQUEST
from toolkit.sdk.http1 import Request, Response, Server, serve
from toolkit.sdk.message import Message
from toolkit.sdk.propagation import TRACEPARENT, TRACESTATE, extract, parse

# A dispatcher with a dead-letter sink puts the body of a failure into a header of its own; long ones kill it.
MAX_BODY = 500  # bytes of an answer that says why not
_STATUS = re.compile(r"[1-5][0-9][0-9]")  # as HTTP counts them; anything else is none
_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"),)
_ATTRIBUTES = frozenset(
    (
        "id",
        "source",
        "type",
        "specversion",
        "datacontenttype",
        "time",
        TRACEPARENT,
        TRACESTATE,
        contract.METADATA_EXTENSION,
    )
)


class EventServer:
    """Answers 200 (with the reply event, if the handler made one), 400 for what is no event, 500 for a failure.

    And 422 where the handler asks for what its chain does not have: brokers try 5xx again, and that would not help.
    """

    max_body = MAX_REQUEST  # bytes of a request
    slow_s: float | None = None  # how long a request may take to come whole

    def __init__(self, function: Function) -> None:
        self._function = function
        self._ready = False
        self._server: Server | None = None

    async def start(self, host: str | None, port: int) -> int:
        """Listens and returns the port. Raises OSError when the address cannot be had."""
        place = host or ("" if port else "0.0.0.0")  # noqa: S104 - a container's port
        self._server = await serve(self.answer, place, port, max_body=self.max_body, patience_s=self.slow_s)
        self._ready = True
        return self._server.port

    async def stop(self, grace_s: float) -> None:
        self._ready = False
        if self._server is not None:
            await self._server.close(grace_s)

    async def answer(self, request: Request) -> Response:
        """The whole protocol, without a socket."""
        path = request.target.partition("?")[0]
        if request.method in ("GET", "HEAD") and path == contract.READY_PATH:
            return Response(200 if self._ready else 503)
        if request.method != "POST":
            found = path in ("/", contract.READY_PATH)
            return (
                _refusal(405, "only POST is served here", (b"Allow", b"POST"))
                if found
                else _refusal(404, "no such page")
            )
        try:
            event = decode(request.headers, request.body)
        except EventError as error:
            return _refusal(400, str(error))
        try:
            return await self._function.handle(self._arrival(event, request), _reply)
        except HandlingFailed as failed:
            return _refusal(422 if failed.for_good else 500, f"{failed.code}: {failed.details}")

    def _arrival(self, event: Event, request: Request) -> Arrival:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
        hop, origin = extract(headers), event.get(TRACEPARENT)
        position = hop or parse(origin or "", event.get(TRACESTATE) or "")
        data, wiring = event.data or b"", self._function.wiring
        known = of_event(event.get(contract.METADATA_EXTENSION))
        # Without metadata the event's own id is the call's: delivered again, it is the same call again.
        call, metadata = known or fresh_identity(wiring.chain, usable_id(event.id))
        return Arrival(
            via="event",
            call=call,
            message=event.id,
            sender=event.source,
            metadata=metadata,
            request=_message(event, data),
            received=Received(data),
            position=position,
            type=event.type,
            origin=origin if origin is not None and hop is not None and origin != headers.get(TRACEPARENT) else None,
            raw=data,
            headers=event.attributes,
        )


def _message(event: Event, data: bytes) -> Message:
    extensions = {name: value for name, value in event.attributes.items() if name not in _ATTRIBUTES}
    said = extensions.get(contract.STATUS_EXTENSION, "")
    status = int(said) if _STATUS.fullmatch(said) else None
    return Message(data, event.get("datacontenttype"), event.type, event.source, event.id, extensions, status)


def _reply(handling: Handling, value: Any) -> Response:
    if value is None:
        return Response(200)
    headers, body = encode_binary(handling.reply(value))
    return Response(200, headers, body)


def _refusal(status: int, why: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, (*_TEXT, *headers), why.encode()[:MAX_BODY])
