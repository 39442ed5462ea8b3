"""A stranger's way out: what it sends over the function's edges goes through the scaffold, so receipts and traces hold.

It calls `$TOOLKIT_EGRESS` with the edge's method, says in the metadata `toolkit-to` which function it means, and passes
on the `toolkit-message` (and `traceparent`) of the message that it works for. An event edge takes `link.Link/Send`: the
data of that message is the event's. May live here: that server. May not: what sending is (`toolkit.sdk.handling`).
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio

from toolkit import contract
from toolkit.contract import Outgoing
from toolkit.sdk import methods
from toolkit.sdk.failures import CallFailed, EmitFailed, Refused, SdkError
from toolkit.sdk.handling import Handling
from toolkit.sdk.propagation import extract
from toolkit.sdk.server import OPTIONS
from toolkit.sdk.tracing import Unrecorded

_CODES = {code.name: code for code in grpc.StatusCode}
_GENERIC = (None, contract.GENERIC_METHOD, contract.GENERIC_STREAM)  # methods of edges that take any message


class Egress(grpc.GenericRpcHandler):
    """Sends on behalf of the messages that are being handled (`during`). `address` is where it listens."""

    def __init__(self, address: str) -> None:
        """`address` may end in port 0. Raises RuntimeError when it cannot be had."""
        self._open: dict[str, Handling] = {}
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        port = self._server.add_insecure_port(address)
        self.address = f"{address.rpartition(':')[0]}:{port}"

    async def start(self) -> None:
        await self._server.start()

    async def close(self) -> None:
        await self._server.stop(None)

    @contextmanager
    def during(self, handling: Handling) -> Iterator[None]:
        """The message of this handling may be sent for, for so long."""
        message = handling.arrival.message
        self._open[message] = handling
        try:
            yield
        finally:
            if self._open.get(message) is handling:  # delivered again meanwhile: the other one is still open
                del self._open[message]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        path = str(handler_call_details.method).lstrip("/")
        return grpc.unary_unary_rpc_method_handler(functools.partial(self._answer, path))

    async def _answer(self, path: str, raw: bytes, context: Any) -> bytes:
        headers = dict(context.invocation_metadata() or ())
        try:
            return await self._sent(path, raw, headers, context.time_remaining())
        except (CallFailed, Refused) as failed:
            return _said(context, failed.code, failed.details if isinstance(failed, Refused) else str(failed))
        except EmitFailed as failed:
            return _said(context, "UNAVAILABLE", str(failed))
        except (SdkError, TypeError, ValueError) as failed:
            return _said(context, "FAILED_PRECONDITION", str(failed))

    async def _sent(self, path: str, raw: bytes, headers: dict[str, Any], timeout_s: float | None) -> bytes:
        message, to = headers.get(contract.MESSAGE_KEY), headers.get(contract.TO_KEY)
        handling = self._open.get(message) if isinstance(message, str) else None
        if handling is None:
            raise Refused(
                "FAILED_PRECONDITION",
                f"no message {message!r} is being handled: pass on the metadata {contract.MESSAGE_KEY} of the call "
                "that you work for, before you answer it",
            )
        edge, method = _edge(handling, to), methods.find(path)
        below = _below(handling, headers)
        if edge.via == "event":
            await below.emit(method.request.parse(raw), edge.type, None)
            return b""
        generic = path == contract.GENERIC_METHOD and edge.method in _GENERIC
        if not generic and (path != edge.method or method.streams):
            raise Refused("UNIMPLEMENTED", f"the edge to {to} is of {edge.method}, not {path}")
        said = method.request.parse(raw) if generic else methods.Raw(raw)  # the former travels as the edge says
        return method.reply.serialize(await below.call(said, edge.to, timeout_s))


def _edge(handling: Handling, to: Any) -> Outgoing:
    outgoing = handling.wiring.outgoing
    found = next((each for each in outgoing if each.to == to), None)
    if found is None:
        known = ", ".join(each.to for each in outgoing)
        raise Refused("FAILED_PRECONDITION", f"no edge to {to!r}: say in the metadata {contract.TO_KEY} one of {known}")
    return found


def _below(handling: Handling, headers: dict[str, Any]) -> Handling:
    """The same handling, at the place in the trace that the stranger says, if it is in the same trace."""
    position = extract(headers)
    if position is None or position.trace != handling.span.position.trace:
        return handling
    found = copy.copy(handling)
    found.span = Unrecorded(position)
    return found


def _said(context: Any, code: str, details: str) -> bytes:
    context.set_code(_CODES[code])
    context.set_details(details)
    return b""
