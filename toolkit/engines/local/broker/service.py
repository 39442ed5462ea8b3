"""The broker as a thing that runs: a listening ingress, its brokers and their client, in this process or as one.

May live here: starting and stopping. `python -m toolkit.engines.local.broker` is the same in a process of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from toolkit.engines.local.broker.config import BrokerConfig
from toolkit.engines.local.broker.incidents import Incidents
from toolkit.engines.local.broker.ingress import Broker, Ingress
from toolkit.results import Incident
from toolkit.sdk import http1


class RunningBroker:
    """All brokers of one deployment behind one port; `close` may be called more than once."""

    def __init__(self, server: http1.Server, client: http1.Client, brokers: Sequence[Broker], ingress: Ingress) -> None:
        self._server, self._client, self._brokers, self._ingress = server, client, brokers, ingress
        self.host, self.port = server.host, server.port
        self.incidents: Incidents | None = None

    def url(self, namespace: str, name: str) -> str:
        return f"http://{self.host}:{self.port}/{namespace}/{name}"

    async def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, give what is under way `grace_s` seconds, then cut it off."""
        self._ingress.closing = True
        await self._server.close(grace_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while background := self._background():  # replies start more of them
                    await asyncio.wait(background)
        while background := self._background():
            for task in background:
                task.cancel()
            await asyncio.wait(background)
        await self._client.close()
        if self.incidents is not None:
            self.incidents.close()
            self.incidents = None

    def _background(self) -> list[asyncio.Task[bool]]:
        return [task for broker in self._brokers for task in broker.background]


async def serve(
    brokers: Sequence[BrokerConfig],
    host: str = "127.0.0.1",
    port: int = 0,
    on_incident: Callable[[Incident], None] = lambda incident: None,
) -> RunningBroker:
    """Start; port 0 is any free one. Raises ConfigError for a bad filter, OSError for a port that cannot be had."""
    incidents = Incidents(on_incident)
    client = http1.Client()
    made = [Broker(config, client, incidents) for config in brokers]
    ingress = Ingress({broker.config.path: broker for broker in made}, incidents)
    server = await http1.serve(ingress.handle, host, port)
    running = RunningBroker(server, client, made, ingress)
    running.incidents = incidents
    for broker in made:
        broker.address = f"http://{running.host}:{running.port}"
    return running
