"""Requests whose sender comes to grief: for generators that are processes of their own, which import this module."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.unit.load.endless import Instant
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
