"""A histogram of fixed size that can be added to others: how a load keeps its live numbers however long it runs.

May live here: the layout of HdrHistogram with three significant digits and lowest value 1, in whole numbers. May not:
anything that says what the numbers are of, or writes HdrHistogram's own files (`report`).

Values are grouped by powers of two; each group has 1,024 places of equal width (the first has 2,048 of width 1), so
that a value is known to better than one part in a thousand. `counts` is what HdrHistogram calls its counts array: a
log of that format can be written from it as it is. Source: HdrHistogram's `AbstractHistogram.countsArrayIndex`.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from operator import add

HOUR_NS = 3_600_000_000_000
DIGITS = 3
HALF_BITS = 10
HALF = 1 << HALF_BITS  # places of a group
_BITS = HALF_BITS + 1  # of the values that are known exactly
_HEAD = struct.Struct("<4sqqqqd")
_MARK = b"KBH1"


class Histogram:
    """Counts of whole numbers from 0 to `highest` (by default an hour in nanoseconds: 264 KiB).

    A larger value is counted as `highest`, so that a total never misses one; `over` tells how many those were.
    """

    __slots__ = ("counts", "highest", "max", "min", "over", "sum", "total")

    def __init__(self, highest: int = HOUR_NS) -> None:
        if highest < 2:
            raise ValueError(f"a histogram up to {highest} tells nothing apart")
        self.highest = highest
        self.counts = array("q", bytes(8 * length(highest)))
        self.total = self.over = self.max = 0
        self.min = highest
        self.sum = 0.0

    def record(self, value: int, count: int = 1) -> None:
        """Raises ValueError for what is below 0."""
        if value > self.highest:
            self.over += count
            value = self.highest
        shift = value.bit_length() - _BITS
        if shift < 0:
            if value < 0:
                raise ValueError(f"{value}: a histogram holds no negative numbers")
            shift = 0
        self.counts[(shift << HALF_BITS) + (value >> shift)] += count
        self.total += count
        self.sum += value * count
        if value > self.max:
            self.max = value
        if value < self.min:
            self.min = value

    def merge(self, other: Histogram) -> None:
        """Adds what another one has counted. Raises ValueError when it is of another size."""
        if other.highest != self.highest:
            raise ValueError(f"a histogram up to {other.highest} cannot be added to one up to {self.highest}")
        self.counts = array("q", map(add, self.counts, other.counts))
        self.total += other.total
        self.over += other.over
        self.sum += other.sum
        self.max, self.min = max(self.max, other.max), min(self.min, other.min)

    @property
    def mean(self) -> float | None:
        return self.sum / self.total if self.total else None

    def quantile(self, share: float) -> int | None:
        """The value that at least this share (0..1) of all does not exceed, to one part in 1,000; None of nothing.

        The upper end of its place, as HdrHistogram has it, and never more than the largest value that was seen.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is not a share")
        if not self.total:
            return None
        first = place(self.min)
        upto = list(accumulate(self.counts[first : place(self.max) + 1]))
        return min(bounds(first + bisect_left(upto, max(1, _up(share, self.total))))[1], self.max)

    def places(self) -> Iterator[tuple[int, int, int]]:
        """(lowest, highest value, count) of every place that holds something, rising."""
        for place, count in enumerate(self.counts):
            if count:
                lower, upper = bounds(place)
                yield lower, upper, count

    def to_bytes(self) -> bytes:
        head = _HEAD.pack(_MARK, self.highest, self.over, self.min, self.max, self.sum)
        return head + zlib.compress(_little(self.counts).tobytes(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Histogram:
        """What `to_bytes` gave. Raises ValueError for anything else."""
        if len(data) < _HEAD.size or data[: len(_MARK)] != _MARK:
            raise ValueError("no histogram")
        _, highest, over, low, high, total = _HEAD.unpack_from(data)
        if not 2 <= highest <= 1 << 62:
            raise ValueError(f"no histogram goes up to {highest}")
        found = cls(highest)
        size = 8 * len(found.counts)
        try:
            unpacking = zlib.decompressobj()
            counts = unpacking.decompress(data[_HEAD.size :], size + 1)
        except zlib.error as error:
            raise ValueError(f"a damaged histogram: {error}") from error
        if len(counts) != size or not unpacking.eof:
            raise ValueError("a damaged histogram: it does not have as many places as it should")
        found.counts = _little(array("q", counts))
        if min(found.counts) < 0:
            raise ValueError("a damaged histogram: it counts less than nothing")
        found.over, found.min, found.max, found.sum = over, low, high, total
        found.total = sum(found.counts)
        return found


def length(highest: int) -> int:
    """How many places it takes to count up to `highest`."""
    groups = max(0, highest.bit_length() - _BITS) + 1
    return (groups + 1) * HALF


def place(value: int) -> int:
    """Where a value is counted."""
    shift = max(0, value.bit_length() - _BITS)
    return (shift << HALF_BITS) + (value >> shift)


def bounds(place: int) -> tuple[int, int]:
    """The lowest and the highest value that are counted there."""
    shift = max(0, (place >> HALF_BITS) - 1)
    lower = (place - (shift << HALF_BITS)) << shift
    return lower, lower + (1 << shift) - 1


def _up(share: float, total: int) -> int:
    """ceil(share * total), for shares as people write them, which floats are not quite."""
    return -(-round(share * 1_000_000_000) * total // 1_000_000_000)


def _little(counts: array[int]) -> array[int]:
    """The same in little-endian order, or back."""
    if sys.byteorder == "big":
        counts = counts[:]
        counts.byteswap()
    return counts
