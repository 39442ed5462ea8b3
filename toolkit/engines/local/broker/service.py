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
from toolkit.engines.local.broker.under_way import UnderWay
from toolkit.results import Incident
from toolkit.sdk import http1


class RunningBroker:
    """All brokers of one deployment behind one port; `close` may be called more than once."""

    def __init__(
        self, server: http1.Server, client: http1.Client, brokers: Sequence[Broker], under_way: UnderWay
    ) -> None:
        self._server, self._client, self._brokers, self._under_way = server, client, brokers, under_way
        self.host, self.port = server.host, server.port
        self.incidents: Incidents | None = None

    @property
    def open(self) -> int:
        """Events that are not finished: still attempted, waiting for a retry, or on their way as replies or letters."""
        return self._under_way.open

    def url(self, namespace: str, name: str) -> str:
        return f"http://{self.host}:{self.port}/{namespace}/{name}"

    async def close(self, grace_s: float = 0.0) -> None:
        """Stop listening, give what is under way `grace_s` seconds, then cut it off and tell of each event."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._server.drain()
                while background := self._background():  # replies start more of them
                    await asyncio.wait(background)
        self._under_way.cutting = True
        await self._server.close()
        while background := self._background():
            for task in background:
                task.cancel()
            await asyncio.wait(background)
        await self._client.close()
        if self.incidents is not None:
            self._tell(self.incidents)
            self.incidents = None

    def _tell(self, incidents: Incidents) -> None:
        for leg in self._under_way.take_lost():
            if (lost := leg.at_stake) is not None:
                text = f"{lost.describe()} was cut off when the broker was stopped"
                incidents.undelivered(leg.trigger.name, text, lost.id)
        incidents.close()

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
    client, under_way = http1.Client(), UnderWay()
    made = [Broker(config, client, incidents, under_way) for config in brokers]
    ingress = Ingress({broker.config.path: broker for broker in made}, incidents, under_way)
    server = await http1.serve(ingress.handle, host, port)
    running = RunningBroker(server, client, made, under_way)
    running.incidents = incidents
    for broker in made:
        broker.address = f"http://{running.host}:{running.port}"
    return running
