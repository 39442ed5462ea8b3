"""Redis as a store. The library (`pip install 'kn-bench[redis]'`) is loaded when a store is opened.

May live here: keys and their lifetime. May not: where the server is.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import redis.asyncio
from redis import exceptions

from toolkit.sdk.transfers.store import LIFETIME_S, TransferFailed, missing, parts, resized

NAME = "redis"
WITHIN_S = 5.0  # until a connection stands
LARGEST = 512 << 20  # bytes; Redis's own limit of a value
CONNECTIONS = 64
_BATCH = 500  # keys


class RedisStore:
    """Values that Redis forgets by itself after an hour, whatever becomes of us."""

    def __init__(self, url: str) -> None:
        self._at = _shown(url)
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=None, socket_connect_timeout=WITHIN_S
        )
        self._client = redis.asyncio.Redis.from_pool(pool)

    async def put(self, key: str, data: bytes) -> None:
        if len(data) > LARGEST:
            raise TransferFailed("RESOURCE_EXHAUSTED", NAME, key, f"{len(data):,} bytes; a value holds 512 MiB")
        async with self._told(key):
            await self._client.set(key, data, ex=LIFETIME_S)

    async def get(self, key: str, size: int) -> bytes:
        async with self._told(key):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.exists(key)
            pipeline.strlen(key)
            pipeline.getrange(key, 0, max(0, size - 1))
            known, there, data = await pipeline.execute()
        if not known:
            raise missing(NAME, key)
        if there != size:
            raise resized(NAME, key, there, size)
        return bytes(data) if size else b""

    async def delete(self, key: str) -> None:
        async with self._told(key):
            await self._client.unlink(key)

    async def delete_prefix(self, prefix: str) -> int:
        if parts(prefix) is None:
            raise TransferFailed("INVALID_ARGUMENT", NAME, prefix, "this is no prefix")
        count = 0
        async with self._told(prefix):
            batch: list[bytes] = []
            async for key in self._client.scan_iter(match=f"{prefix}/*", count=_BATCH):
                batch.append(key)
                if len(batch) == _BATCH:
                    count += await self._client.unlink(*batch)
                    batch = []
            return count + (await self._client.unlink(*batch) if batch else 0)

    async def close(self) -> None:
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def _told(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except exceptions.RedisError as error:
            raise TransferFailed(_code(error), NAME, key, f"{self._at}: {error}") from error
        except OSError as error:
            raise TransferFailed("UNAVAILABLE", NAME, key, f"{self._at}: {error}") from error


def _shown(url: str) -> str:
    """The server without what is secret."""
    parsed = urlsplit(url)
    return parsed.path if parsed.scheme == "unix" else f"{parsed.hostname}:{parsed.port or 6379}"


_CODES: tuple[tuple[type[Exception], str], ...] = (  # the narrower class first
    (exceptions.AuthenticationError, "UNAUTHENTICATED"),
    (exceptions.NoPermissionError, "PERMISSION_DENIED"),
    (exceptions.OutOfMemoryError, "RESOURCE_EXHAUSTED"),
    (exceptions.ConnectionError, "UNAVAILABLE"),
    (exceptions.TimeoutError, "UNAVAILABLE"),
)


def _code(error: Exception) -> str:
    return next((code for kind, code in _CODES if isinstance(error, kind)), "INTERNAL")
