"""gRPC health (grpc.health.v1) of one function: serving from the start, until it stops.

May live here: the protocol's two methods. The stock servicer is not used because a client that watches would hold it:
the server waits for every stream before it stops, and a stock watch never ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

NAME = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Health:
    """Tells of the server as a whole (`""`) and of each service, the same of all."""

    def __init__(self, services: Sequence[str]) -> None:
        self._known = frozenset(("", *services))
        self._stopping = asyncio.Event()

    def handler(self) -> grpc.GenericRpcHandler:
        parse, serialize = HealthCheckRequest.FromString, HealthCheckResponse.SerializeToString
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self.check, parse, serialize),
            "Watch": grpc.unary_stream_rpc_method_handler(self.watch, parse, serialize),
        }
        return grpc.method_handlers_generic_handler(NAME, handlers)

    def stop(self) -> None:
        """NOT_SERVING from now on; those who watch are told, and their streams end."""
        self._stopping.set()

    async def check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        if request.service not in self._known:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return HealthCheckResponse(status=self._status(request.service))

    async def watch(self, request: HealthCheckRequest, context: Any) -> AsyncIterator[HealthCheckResponse]:
        status = self._status(request.service)
        yield HealthCheckResponse(status=status)
        await self._stopping.wait()
        if status == HealthCheckResponse.SERVING:
            yield HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)

    def _status(self, service: str) -> HealthCheckResponse.ServingStatus.ValueType:
        if service not in self._known:
            return HealthCheckResponse.SERVICE_UNKNOWN
        stopping = self._stopping.is_set()
        return HealthCheckResponse.NOT_SERVING if stopping else HealthCheckResponse.SERVING
