"""`kill -9` of the consumer, again and again, while events come in: nothing is lost, and every restart is named."""

from __future__ import annotations

import signal

from tests.chains.running import Broken, red
from toolkit import catalog
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.results import Load, Progress
from toolkit.run import Order, run

EVENTS, KILLS = 10_000, 20


class Killer:
    """Kills the consumer whenever the next share of the calls was answered and the last victim is back."""

    def __init__(self) -> None:
        self.deployment: LocalDeployment | None = None
        self.killed: set[int] = set()

    async def meet(self, deployment: LocalDeployment) -> None:
        self.deployment = deployment

    def __call__(self, progress: Progress) -> None:
        if self.deployment is None or progress.ok < EVENTS * (len(self.killed) + 0.5) / (KILLS + 1):
            return
        (consumer,) = (each for each in self.deployment.functions if each.name == "consumer")
        if consumer.pid is not None and consumer.pid not in self.killed and len(self.killed) < KILLS:
            self.killed.add(consumer.pid)
            consumer.signal(signal.SIGKILL)


async def test_nothing_is_lost_when_the_consumer_is_killed_twenty_times() -> None:
    killer = Killer()
    order = Order(catalog.load("chained-eventing", {}), Load(requests=EVENTS, concurrency=16, sample=0.01))
    report = (await run(order, Broken(LocalEngine(), then=killer.meet), on_progress=killer)).report
    found = report.measurement
    assert len(killer.killed) == KILLS
    assert (found.sent, found.ok, found.failed, found.lost) == (EVENTS, EVENTS, 0, 0)
    assert red(report) == {"steady"}
    restarts = [incident for incident in report.incidents if incident.kind == "restart"]
    assert [restart.subject for restart in restarts] == ["consumer"] * KILLS
    assert all("SIGKILL" in restart.text for restart in restarts)
