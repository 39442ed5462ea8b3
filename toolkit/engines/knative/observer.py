"""Watches a deployment while it is under load, and names what went wrong.

May live here: turning what the cluster shows into incidents. May not: judging them (`toolkit.checks`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.engines.knative import conditions, subscribers
from toolkit.engines.knative.api import Api
from toolkit.engines.knative.evidence import log_of, when
from toolkit.engines.knative.instances import Instances
from toolkit.engines.knative.kinds import (
    BROKER,
    CHANNEL,
    EVENT,
    KSVC,
    POD,
    SINK_BINDING,
    TRIGGER,
    Key,
    Kind,
    Object,
    labels,
    leaving,
    name,
    owned_by,
    uid,
)
from toolkit.errors import EngineError
from toolkit.manifests.names import FUNCTION, GENERATOR
from toolkit.results import Incident

TELLING = frozenset(
    ("Evicted", "Preempted", "OOMKilling", "FailedScheduling", "FailedCreate", "NodeNotReady", "TaintManagerEviction")
)  # reasons of warning events that a measurement must not pass over; others come and go with every new pod
SIGNALS = 128


class Observer:
    """The incidents of one deployment since `start`."""

    def __init__(self, api: Api, namespace: str, ours: str) -> None:
        self._api, self._namespace, self._ours = api, namespace, ours
        self._restarts: dict[tuple[str, str], int] = {}  # by pod and container
        self._failed: set[str] = set()
        self._old_events: frozenset[str] = frozenset()
        self._watch: asyncio.Task[None] | None = None
        self._first = asyncio.Event()
        self.incidents: list[Incident] = []
        self.instances = Instances()
        self._images: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """What happened before is not told: a function may have tried twice until it was ready."""
        self._old_events = frozenset(map(_identity, await self._events()))
        self._watch = asyncio.create_task(self._pods())
        waits = [asyncio.ensure_future(self._first.wait()), self._watch]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        waits[0].cancel()

    async def close(self) -> None:
        watches = [each for each in (self._watch, self._images) if each is not None]
        for each in watches:
            each.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        self._watch = self._images = None

    def watch_images(self) -> None:
        """From now on it is seen too when an image was there: that costs a watch of all events."""
        if self._images is None:
            self._images = asyncio.create_task(self._see_images())

    async def _see_images(self) -> None:
        first = True
        with contextlib.suppress(EngineError):  # a moment that nobody tells joins its segment to the next
            async for found in self._api.snapshots(EVENT, self._namespace):
                self.instances.saw_events(found.values(), None if first else time.time_ns())
                first = False

    async def look_once_more(self) -> None:
        """At the end of the load: what no watch tells of."""
        try:
            await self._see_what_is_ready()
            await self._see_who_is_subscribed()
            for event in await self._events():
                if _identity(event) not in self._old_events and event.get("reason") in TELLING:
                    about = event.get("involvedObject") or {}
                    text = f"{about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}"
                    self._tell("warning", "cluster", text)
        except EngineError as error:
            self._tell("warning", "cluster", f"it could not be seen whether all stayed well: {error}")

    async def _pods(self) -> None:
        try:
            async for found in self._api.snapshots(POD, self._namespace, self._ours):
                self.instances.saw(found.values(), time.time_ns() if self._first.is_set() else None)
                for pod in found.values():
                    if GENERATOR not in labels(pod):  # what becomes of those, who waits for their calls tells
                        await self._look_at(pod)
                self._first.set()
        except EngineError as error:
            self._tell("warning", "cluster", f"its pods could not be watched: {error}")

    async def _look_at(self, pod: Object) -> None:
        function = labels(pod).get(FUNCTION, name(pod))
        for container, state in restarted(pod, self._restarts):
            if self._first.is_set():
                lines = await log_of(self._api, self._namespace, name(pod), container)
                self._tell("restart", function, how(container, state), lines)
        status = pod.get("status") or {}
        if status.get("phase") == "Failed" and not leaving(pod) and uid(pod) not in self._failed:
            self._failed.add(uid(pod))
            if self._first.is_set():
                self._tell("restart", function, f"its pod was ended: {conditions.why(status)}")

    async def _see_what_is_ready(self) -> None:
        for kind in (BROKER, TRIGGER, SINK_BINDING, KSVC):
            for each in await self._every(kind, self._ours):
                if not conditions.ready(each):
                    self._tell("warning", str(Key.of(each)), f"is no longer ready: {conditions.progress(each)}")

    async def _see_who_is_subscribed(self) -> None:
        for line in await mismatches(self._api, self._namespace, self._ours):
            self._tell("warning", "broker", line)

    async def _events(self) -> Sequence[Object]:
        found = await self._every(EVENT, "")
        return sorted((each for each in found if each.get("type") == "Warning"), key=when)

    async def _every(self, kind: Kind, selector: str) -> Sequence[Object]:
        return await self._api.every_known(kind, self._namespace, selector)

    def _tell(self, kind: Any, subject: str, text: str, lines: Sequence[str] = ()) -> None:
        self.incidents.append(Incident(kind, subject, text, tuple(lines)))


async def mismatches(api: Api, namespace: str, ours: str) -> list[str]:
    """What is wrong between the Triggers of a run and the channel of its broker; nothing where brokers have none."""
    wanted = await api.every_known(TRIGGER, namespace, ours)
    triggers = await api.every_known(TRIGGER, namespace, "")
    channels = await api.every_known(CHANNEL, namespace, "")
    brokers = await api.every_known(BROKER, namespace, ours)
    return [
        line
        for broker in brokers
        for channel in channels
        if owned_by(channel, uid(broker))
        for line in subscribers.mismatches(
            channel, triggers, [each for each in wanted if each["spec"].get("broker") == name(broker)]
        )
    ]


def restarted(pod: Object, seen: dict[tuple[str, str], int]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The containers that began again since `seen` was written, each with how it ended; writes `seen`."""
    for each in conditions.containers(pod):
        key, count = (uid(pod), each["name"]), int(each.get("restartCount") or 0)
        if count > seen.get(key, 0):
            yield each["name"], each
        seen[key] = count


def how(container: str, state: Mapping[str, Any]) -> str:
    """How a container ended, in words."""
    ended = (state.get("lastState") or {}).get("terminated") or (state.get("state") or {}).get("terminated") or {}
    who = "" if container == "user-container" else f"its {container} "
    status = ended.get("exitCode")
    if ended.get("reason") == "OOMKilled":
        told = "was killed: it needed more memory than its limit (OOMKilled)"
    elif isinstance(status, int) and status > SIGNALS:
        told = f"was ended by signal {status - SIGNALS}"
    else:
        told = f"left with exit status {status}" if status is not None else "ended"
    return f"{who}{told} and is started again"


def _identity(event: Object) -> str:
    """An event that is seen again keeps its name and counts on."""
    return f"{uid(event)}/{event.get('count')}/{when(event)}"
