"""Asks a gRPC server how it is (grpc.health.v1), directly or through an ingress."""

from __future__ import annotations

from typing import Any

TIMEOUT_S = 2.0
SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}


async def complaint(target: str, authority: str | None = None, *, timeout_s: float = TIMEOUT_S) -> str | None:
    """None when the server at `target` says that it serves; what it said in place of that otherwise."""
    import grpc.aio  # heavy, and a chain of event consumers does without

    options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    if authority is not None:
        options.append(("grpc.default_authority", authority))
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = await check(b"", timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
    return None if answer == SERVING else "it does not serve yet"
