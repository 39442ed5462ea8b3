"""What the cluster looks like right now, kept up to date by one watch a kind, for whoever waits for something.

May live here: the watches and the waiting. May not: what is waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from toolkit.engines.knative.api import Api, Refused
from toolkit.engines.knative.kinds import Key, Kind, Object

Found = TypeVar("Found")


class View:
    """The objects of one namespace: `kinds` says which labels each kind must carry. `async with` it.

    What is `optional` stays unseen where we have no right to see it.
    """

    def __init__(self, api: Api, namespace: str, kinds: Mapping[Kind, str], optional: Collection[Kind] = ()) -> None:
        self._api, self._namespace, self._kinds, self._optional = api, namespace, dict(kinds), optional
        self._objects: dict[Kind, dict[str, Object]] = {kind: {} for kind in self._kinds}
        self._changed = asyncio.Event()
        self._watches: list[asyncio.Task[None]] = []
        self._listed: set[Kind] = set()

    async def __aenter__(self) -> View:
        self._watches = [asyncio.create_task(self._watch(kind)) for kind in self._kinds]
        return self

    async def __aexit__(self, *_: object) -> None:
        for each in self._watches:
            each.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key.kind, {}).get(key.name)

    def listed(self, kind: Kind) -> bool:
        """Whether it is known which there are: before that, none being there says nothing."""
        return kind in self._listed

    def every(self, kind: Kind) -> Sequence[Object]:
        return tuple(self._objects[kind].values())

    async def until(self, look: Callable[[], Found | None], within_s: float, *, every_s: float = 0.5) -> Found | None:
        """What `look` returns as soon as that is something, None when it was not in time.

        It looks at each change, and every `every_s` seconds besides, for what time alone brings. Raises EngineError
        when the cluster can no longer be watched.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + within_s
        while (found := look()) is None:
            if (left_s := deadline - clock()) <= 0:
                return None
            self._raise_if_blind()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left_s, every_s))
        return found

    async def _watch(self, kind: Kind) -> None:
        try:
            async for found in self._api.snapshots(kind, self._namespace, self._kinds[kind]):
                self._objects[kind] = found
                self._listed.add(kind)
                self._tell()
        except Refused:
            if kind not in self._optional:
                raise
        finally:
            self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _raise_if_blind(self) -> None:
        for each in self._watches:
            if each.done() and not each.cancelled() and (error := each.exception()) is not None:
                raise error
