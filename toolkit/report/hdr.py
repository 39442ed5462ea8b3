"""HdrHistogram's own files: the percentile text (`.hgrm`) and the interval log (`.hlog`), from what was counted.

May live here: both formats. May not: counting (`measure.hdr`).

Sources: HdrHistogram's `AbstractHistogram.encodeIntoByteBuffer` (V2), `ZigZagEncoding`, `HistogramLogWriter` (1.3),
`AbstractHistogram.outputPercentileDistribution`.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.report.characters import printable

_V2, _V2_COMPRESSED = 0x1C849303 | 0x10, 0x1C849304 | 0x10
_HEAD = struct.Struct(">iiiiqqd")  # cookie, payload, index offset, digits, lowest, highest, ratio of doubles
_SHORT_HEAD = struct.Struct(">ii")
DIGITS, LOWEST = 3, 1
NS_IN_MS = 1e6


@dataclass(frozen=True, slots=True)
class Counted:
    """A histogram of one stretch of time. `counts` is HdrHistogram's counts array, up to the last that is not 0."""

    start_s: float
    length_s: float
    max_ns: int
    counts: Sequence[int]
    tag: str | None = None


def log(intervals: Iterable[Counted], *, started_s: float, highest_ns: int, about: Mapping[str, str]) -> Iterator[str]:
    """The lines of an interval log in nanoseconds; the largest of each stands in milliseconds, as usual.

    `started_s` is the wall clock's time (seconds since 1970) of second 0.
    """
    for key, value in about.items():
        yield f"#{printable(key)}: {printable(value)}\n"
    yield "#[Histogram log format version 1.3]\n"
    yield f"#[StartTime: {started_s:.3f} (seconds since epoch)]\n"
    yield f"#[BaseTime: {started_s:.3f} (seconds since epoch)]\n"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
    for each in intervals:
        tag = f"Tag={each.tag}," if each.tag else ""
        told = base64.b64encode(compressed(each.counts, highest_ns)).decode()
        yield f"{tag}{each.start_s:.3f},{each.length_s:.3f},{each.max_ns / NS_IN_MS:.3f},{told}\n"


def compressed(counts: Sequence[int], highest: int) -> bytes:
    """A histogram with three significant digits as HdrHistogram's `encodeIntoCompressedByteBuffer` writes it."""
    payload = _zigzag(counts)
    plain = _HEAD.pack(_V2, len(payload), 0, DIGITS, LOWEST, highest, 1.0) + payload
    packed = zlib.compress(plain)
    return _SHORT_HEAD.pack(_V2_COMPRESSED, len(packed)) + packed


def _zigzag(counts: Sequence[int]) -> bytes:
    """Each count as a ZigZag LEB128 number; a run of zeros as minus its length."""
    found, zeros = bytearray(), 0
    for number in counts:
        if number == 0:
            zeros += 1
            continue
        if zeros:
            found += _leb128(2 * zeros - 1)
            zeros = 0
        found += _leb128(2 * number)
    return bytes(found)


def _leb128(number: int) -> bytes:
    """Seven bits a byte; the ninth byte has all eight (as HdrHistogram has it, 64 bits are nine bytes at most)."""
    found = bytearray()
    while number > 0x7F and len(found) < 8:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number & 0xFF)
    return bytes(found)


@dataclass(frozen=True, slots=True)
class Spread:
    """Sorted samples in a few points: (value in ns, share not above, samples not above), then their moments."""

    points: Sequence[tuple[int, float, int]]
    n: int
    mean_ns: float
    deviation_ns: float
    max_ns: int


def percentiles(found: Spread) -> Iterator[str]:
    """The text that HdrHistogram's plotters read; milliseconds, exact at each line."""
    yield f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"
    for value, share, upto in found.points:
        line = f"{value / NS_IN_MS:12.3f} {share:2.12f} {upto:10d}"
        yield f"{line} {1 / (1 - share):14.2f}\n" if upto < found.n else f"{line}\n"
    mean, deviation = found.mean_ns / NS_IN_MS, found.deviation_ns / NS_IN_MS
    yield f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n"
    yield f"#[Max     = {found.max_ns / NS_IN_MS:12.3f}, Total count    = {found.n:12d}]\n"
    yield f"#[Buckets = {1:12d}, SubBuckets     = {found.n:12d}]\n"
