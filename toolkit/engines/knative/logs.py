"""The functions' logs, as the cluster keeps them: kept in files at the end of a run, or told as they come.

May live here: reading logs. May not: what a line means.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path

from toolkit.engines.knative.api import Api, Query
from toolkit.engines.knative.evidence import USER_CONTAINER
from toolkit.engines.knative.kinds import POD, Object, labels, name
from toolkit.errors import EngineError
from toolkit.manifests.names import FUNCTION, GENERATOR

KEPT = 8 << 20  # bytes of each log's end


async def keep(api: Api, namespace: str, ours: str, folder: Path) -> None:
    """Writes each function's log into `folder`. Never fails: logs are not worth a run's numbers."""
    with contextlib.suppress(EngineError, OSError):
        pods = [each for each in await api.every(POD, namespace, ours) if GENERATOR not in labels(each)]
        found = await asyncio.gather(*(_whole(api, pod) for pod in pods))
        await asyncio.to_thread(_write, folder, {_file(pod): text for pod, text in zip(pods, found, strict=True)})


def _file(pod: Object) -> str:
    return f"{labels(pod).get(FUNCTION, 'pod')}.{name(pod).rpartition('-')[2]}.log"


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, "utf-8")


async def _whole(api: Api, pod: Object) -> str:
    path = await api.path(POD, pod["metadata"]["namespace"], name(pod))
    query: Query = {"container": USER_CONTAINER, "timestamps": False, "limitBytes": KEPT}
    return await api.text(f"{path}/log", query) or ""


async def recent(api: Api, pods: Sequence[Object], lines: int | None) -> AsyncGenerator[tuple[Object, str], None]:
    """The last lines of each pod's function, all of them when `lines` is None."""
    for pod in pods:
        for line in (await api.text(*await _request(api, pod, lines, follow=False)) or "").splitlines():
            yield pod, line


async def follow(api: Api, namespace: str, ours: str, lines: int | None, tell: Callable[[Object, str], None]) -> None:
    """Tells the lines of every pod as they come, also of pods that come later; until it is cancelled."""
    followed: dict[str, asyncio.Task[None]] = {}
    try:
        async for found in api.snapshots(POD, namespace, ours):
            for each, pod in found.items():
                if each not in followed and _has_begun(pod):
                    followed[each] = asyncio.create_task(_follow(api, pod, lines, tell))
    finally:
        for task in followed.values():
            task.cancel()
        await asyncio.gather(*followed.values(), return_exceptions=True)


async def _follow(api: Api, pod: Object, lines: int | None, tell: Callable[[Object, str], None]) -> None:
    with contextlib.suppress(EngineError):  # the pod went away
        async for line in api.follow(*await _request(api, pod, lines, follow=True)):
            tell(pod, line.decode("utf-8", "replace"))


async def _request(api: Api, pod: Object, lines: int | None, *, follow: bool) -> tuple[str, Query]:
    path = await api.path(POD, pod["metadata"]["namespace"], name(pod))
    query: dict[str, str | int | bool] = {"container": USER_CONTAINER, "follow": follow}
    if lines is not None:
        query["tailLines"] = lines
    return f"{path}/log", query


def _has_begun(pod: Object) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    return any(each["name"] == USER_CONTAINER and "waiting" not in (each.get("state") or {}) for each in states)
