"""Brings the objects of a deployment up: each as soon as what it needs is ready, all others meanwhile.

May live here: applying and waiting. May not: which waits for which (`order`), why something fails (`diagnosis`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.contract import K_SINK
from toolkit.engines.knative import conditions, evidence, probes
from toolkit.engines.knative.api import Api, Refused
from toolkit.engines.knative.conditions import Trouble
from toolkit.engines.knative.kinds import DEPLOYMENT, EVENT, KSVC, POD, REVISION, Key, Object, labels, leaving, name
from toolkit.engines.knative.order import Step
from toolkit.engines.knative.watching import View
from toolkit.engines.waiting import until

SERVICE_LABEL, NAME_LABEL = "serving.knative.dev/service", "app.kubernetes.io/name"
BINDING = 2  # times as long as a failure has to last, from a SinkBinding to a webhook that knows of it
ERROR_WINDOW_S = 8.0  # what is false for so long is no passing state

Stage = Callable[[Key, str], None]
"""Told how far each object has come."""


class Stuck(Exception):
    """An object does not come up. `refused` when the API server would not even take it."""

    def __init__(self, key: Key, after_s: float, trouble: str | None, refused: Refused | None = None) -> None:
        self.key, self.after_s, self.trouble, self.refused = key, after_s, trouble, refused
        super().__init__(f"{key}: {trouble}")


@dataclass(frozen=True, slots=True)
class Patience:
    """`within_s` for everything to be ready; `error_s` is how long a failure has to last to be one."""

    within_s: float
    error_s: float = ERROR_WINDOW_S


class Rollout:
    """One attempt to bring `steps` up. `view` must watch their kinds, and pods."""

    def __init__(self, api: Api, view: View, steps: Sequence[Step], patience: Patience, stage: Stage) -> None:
        self._api, self._view, self._steps, self._patience, self._stage = api, view, steps, patience, stage
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._ready = {step.key: asyncio.Event() for step in steps}
        self._applied = {step.key: asyncio.Event() for step in steps}
        self._bad_since: dict[Key, float] = {}
        self._heard: dict[str, str | None] = {}  # what queue-proxy's log tells, by pod

    async def run(self) -> None:
        """Returns once everything is ready. Raises Stuck of the first object that will not be, EngineError."""
        await together(self._bring_up(step) for step in self._steps)

    async def _bring_up(self, step: Step) -> None:
        await asyncio.gather(*(self._ready[each].wait() for each in step.after))
        if step.binding is not None:
            await self._bound(step, step.binding)
        self._stage(step.key, "applied")
        generation = (await self._apply(step, dry_run=False))["metadata"].get("generation")
        self._applied[step.key].set()
        await self._wait(step.key, generation)
        self._ready[step.key].set()

    async def _bound(self, step: Step, binding: Key) -> None:
        """Returns once a Service that is applied gets its sink: the webhook has to hear of the binding first."""
        await self._applied[binding].wait()

        async def injected() -> bool:
            template = (await self._apply(step, dry_run=True))["spec"]["template"]
            return K_SINK in conditions.environment(template["spec"])

        if not await until(injected, within_s=min(BINDING * self._patience.error_s, self._left_s()), every_s=0.05):
            raise Stuck(binding, self._after_s(), f"no {K_SINK} is put into {step.key}")

    async def _apply(self, step: Step, *, dry_run: bool) -> Object:
        try:
            return await self._api.apply(step.manifest, dry_run=dry_run)
        except Refused as error:
            raise Stuck(step.key, self._after_s(), error.answer.message, error) from error

    async def _wait(self, key: Key, generation: int | None) -> None:
        told = ""

        def look() -> Object | str | None:
            nonlocal told
            found = self._view.get(key)
            if found is not None and (found["metadata"].get("generation") or 0) < (generation or 0):
                return None  # as it was before it was applied
            trouble = self._trouble(key, found)
            if (said := trouble.text if trouble is not None else self._progress(key, found)) != told:
                told = said
                self._stage(key, said)
            if conditions.ready(found):
                return found
            return self._lasting_trouble(key, found)

        listening = asyncio.ensure_future(self._listen(key))
        try:
            settled = await self._view.until(look, self._left_s())
        finally:
            listening.cancel()
        if settled is None or isinstance(settled, str):
            raise Stuck(key, self._after_s(), settled or self._last_word(key))

    async def _listen(self, key: Key) -> None:
        """Reads what queue-proxy heard of the functions that run and do not answer, now and then."""
        while key.kind == KSVC:
            await asyncio.sleep(self._patience.error_s / 2)
            for pod in self._silent(key):
                lines = await evidence.log_of(self._api, pod["metadata"]["namespace"], name(pod), probes.QUEUE_PROXY)
                self._heard[name(pod)] = probes.heard(lines) or self._heard.get(name(pod))

    def _progress(self, key: Key, found: Object | None) -> str:
        pod = None if conditions.ready(found) else next(self._silent(key), None)
        return probes.progress(pod, self._heard.get(name(pod))) if pod is not None else conditions.progress(found)

    def _last_word(self, key: Key) -> str | None:
        """What speaks against it when there is no time left."""
        if (last := self._trouble(key, self._view.get(key))) is not None:
            return last.text
        pod = next(self._silent(key), None)
        return probes.verdict(pod, self._heard.get(name(pod))) if pod is not None else None

    def _lasting_trouble(self, key: Key, found: Object | None) -> str | None:
        trouble = self._trouble(key, found)
        if trouble is None:
            self._bad_since.pop(key, None)
            return None
        since = self._bad_since.setdefault(key, self._clock())
        return trouble.text if self._clock() - since >= self._patience.error_s * trouble.patience else None

    def _trouble(self, key: Key, found: Object | None) -> Trouble | None:
        of_pods = self._troubles_of_service(key.name) if key.kind == KSVC else self._troubles_of_deployment(key)
        return next(of_pods, None) or conditions.trouble(found)

    def _troubles_of_deployment(self, key: Key) -> Iterator[Trouble]:
        if key.kind == DEPLOYMENT:
            pods = (each for each in self._view.every(POD) if labels(each).get(NAME_LABEL) == key.name)
            yield from (told for each in pods if not leaving(each) and (told := conditions.pod_trouble(each)))

    def _troubles_of_service(self, service: str) -> Iterator[Trouble]:
        yield from (told for each in self._pods(service) if (told := conditions.pod_trouble(each)))
        for event in self._view.every(EVENT):
            about = event.get("involvedObject") or {}
            if about.get("kind") == REVISION.kind and str(about.get("name", "")).startswith(f"{service}-"):
                yield from (told for told in [conditions.event_trouble(event)] if told)
        for pod in self._silent(Key(KSVC, service)):
            yield from (told for told in [probes.trouble(pod, self._heard.get(name(pod)))] if told)

    def _pods(self, service: str) -> Iterator[Object]:
        found = (each for each in self._view.every(POD) if labels(each).get(SERVICE_LABEL) == service)
        return (each for each in found if not leaving(each))

    def _silent(self, key: Key) -> Iterator[Object]:
        """The pods of a Service that run and do not answer their probe."""
        return (each for each in (self._pods(key.name) if key.kind == KSVC else ()) if probes.silent(each))

    def _after_s(self) -> float:
        return self._clock() - self._began

    def _left_s(self) -> float:
        return max(0.0, self._patience.within_s - self._after_s())


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Does all of it at once; with the first failure the rest is cancelled, and that failure is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION) if tasks else (set(), set())
        for each in tasks:
            if each in done:
                each.result()
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
