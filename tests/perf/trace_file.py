"""A file of many traces, as a small chain on a cluster leaves them: three spans of functions and the caller's, eight of
the platform.

What the spans say of themselves was recorded from a real cluster; ids and times are drawn from a seed. An event goes on
after the call that sent it was answered, every hundredth function was at zero, and every thousandth call fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).parents[1] / "unit" / "traces" / "cluster-trace.json"
SPANS = 12
PIECE = 1000
SPANS_OF = (  # (service, kind, beginning of the name, the span it is below)
    ("caller", "CLIENT", "", None),
    ("kourier-knative", "SERVER", "", 0),
    ("activator", "SERVER", "", 1),
    ("activator", None, "throttler_try", 2),
    ("producer", "SERVER", "post", 2),
    ("producer", "SERVER", "helloworld", 4),
    ("publisher", "PRODUCER", "", 5),
    ("broker.ingress", "SERVER", "post /", 6),
    ("inmemorychannel-dispatcher", "SERVER", "", 7),
    ("broker.filter", "SERVER", "", 8),
    ("subscriber", "SERVER", "post", 9),
    ("subscriber", "CONSUMER", "", 10),
)
# The order in which spans begin (n) and end (-n - 1), and how long each of these moments is after the one before (us).
CALLED = ((0, 0), (1, 300), (2, 100), (3, 100), (-4, 20), (4, 400), (5, 250), (6, 900), (7, 300))
ANSWERED = ((-8, 800), (-7, 90), (-6, 300), (-5, 100), (-3, 80), (-2, 60), (-1, 250))
DELIVERED = ((8, 700), (9, 500), (10, 400), (11, 200), (-12, 1500), (-11, 90), (-10, 60), (-9, 60))
COLD_US = 900_000.0


def write(path: Path, traces: int, seed: int = 1) -> None:
    """`traces` traces of `SPANS` spans as a run stores them: one span a line, those of a trace together."""
    with path.open("w", encoding="ascii") as file:
        file.write("[")
        separator = "\n"
        for spans in made(traces, seed):
            file.write(separator + ",\n".join(spans))
            separator = ",\n"
        file.write("\n]\n")


def made(traces: int, seed: int = 1) -> Iterator[list[str]]:
    """The spans of each trace as JSON."""
    draw = np.random.default_rng(seed)
    patterns = [_pattern(*each) for each in SPANS_OF]
    for start in range(0, traces, PIECE):
        n = min(PIECE, traces - start)
        begins, durations = _times(draw, n)
        ids = draw.integers(1 << 62, 1 << 63, (n, SPANS + 3), dtype=np.int64)
        failed = draw.random(n) < 0.001
        for at in range(n):
            yield _trace(patterns, begins[at].tolist(), durations[at].tolist(), ids[at].tolist(), bool(failed[at]))


def _trace(patterns: list[str], begins: list[int], durations: list[int], ids: list[int], failed: bool) -> list[str]:
    names = [f"{each:016x}" for each in ids]
    trace, call, message = names[-3] + names[-2], names[-1] * 2, names[-2] * 2
    said = '"error":"made up",' if failed else ""
    return [
        pattern % {"t": trace, "p": names[SPANS_OF[at][3] or 0], "i": names[at], "s": begins[at], "d": durations[at],
                   "c": call, "m": message if at in (6, 11) else call, "o": names[6], "e": said if at == 5 else ""}
        for at, pattern in enumerate(patterns)
    ]  # fmt: skip


def _pattern(service: str, kind: str | None, name: str, parent: int | None) -> str:
    """The recorded span as JSON, with places for what is drawn."""
    rows: list[dict[str, Any]] = json.loads(RECORDED.read_text())
    found = next(
        each
        for each in rows
        if each["localEndpoint"]["serviceName"] == service
        and each.get("kind") == kind
        and each["name"].startswith(name)
    )
    found["localEndpoint"]["serviceName"] = "producer" if kind == "PRODUCER" else service
    found |= {"traceId": "%(t)s", "id": "%(i)s", "timestamp": 111, "duration": 222}
    found.pop("parentId", None)
    if parent is not None:
        found["parentId"] = "%(p)s"
    tags = {key: text.replace("%", "%%") for key, text in found["tags"].items()}
    if "toolkit.message" in tags:
        tags |= {"toolkit.message": "%(m)s", "toolkit.call": "%(c)s"}
    if "cloudevents.traceparent" in tags:
        tags["cloudevents.traceparent"] = "00-%(t)s-%(o)s-01"
    found["tags"] = tags
    text = json.dumps(found, separators=(",", ":"))
    return text.replace(":111,", ":%(s)d,").replace(":222,", ":%(d)d,").replace('"tags":{', '"tags":{%(e)s', 1)


def _times(draw: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """When each span of `n` traces begins (microseconds since the epoch), and how long it lasts."""
    at = {}
    start = 1_790_000_000_000_000 + np.cumsum(draw.exponential(10_000.0, n))
    cold = (draw.random(n) < 0.01) * COLD_US
    published = None
    for moments in (CALLED, ANSWERED, DELIVERED):
        now = start if published is None else published
        for moment, after_us in moments:
            now = now + after_us * draw.lognormal(0.0, 0.6, n) + (cold if moment == -4 else 0.0)
            at[moment] = now
        published = published if published is not None else now
    begins = np.stack([at[span] for span in range(SPANS)], axis=1).astype(np.int64)
    ends = np.stack([at[-span - 1] for span in range(SPANS)], axis=1).astype(np.int64)
    return begins, np.maximum(ends - begins, 1)
