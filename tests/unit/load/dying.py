"""Requests whose sender comes to grief: for generators that are processes of their own, which import this module."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.unit.load.endless import Instant
from toolkit.load.http2.stream import Ended
from toolkit.load.sendable import Heads
from toolkit.results import Load


@dataclass(frozen=True, slots=True)
class Dying:
    """The process is gone with its `after`-th call, without a word, if it sends that call."""

    after: int
    target: str = "nobody"
    body: bytes = b"hello"

    def lines(self, load: Load, connections: int | None) -> Instant:
        return Instant()

    def heads(self, load: Load) -> Heads:
        left = [self.after]

        def head(context: bytes) -> bytes:
            left[0] -= 1
            if left[0] == 0:
                os._exit(7)
            return context

        return head


@dataclass(frozen=True, slots=True)
class Stillborn:
    """The process finds that it cannot begin."""

    target: str = "nobody"
    body: bytes = b"hello"

    def lines(self, load: Load, connections: int | None) -> Instant:
        raise ValueError("no lines today")

    def heads(self, load: Load) -> Heads:
        return lambda context: context


class Sleeper(Instant):
    """Hears nothing any more once it waits, and marks that it does."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark = mark

    def step(self, until_ns: int) -> list[Ended]:
        self._mark.touch()
        time.sleep(600)
        return []


@dataclass(frozen=True, slots=True)
class Sleeping(Stillborn):
    """The process begins, and is not heard of again."""

    mark: Path = Path("asleep")

    def lines(self, load: Load, connections: int | None) -> Instant:
        return Sleeper(self.mark)


class Deaf(Instant):
    """Nobody is there."""

    def dial(self) -> str | None:
        return "nobody is at home"


@dataclass(frozen=True, slots=True)
class ToTheDeaf:
    target: str = "nobody"
    body: bytes = b"hello"

    def lines(self, load: Load, connections: int | None) -> Deaf:
        return Deaf()

    def heads(self, load: Load) -> Heads:
        return lambda context: context
