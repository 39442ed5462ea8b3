"""What both stores are asked about generated traces: searches and windows, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from urllib.parse import urlencode

from tests.zipkin.generated import APART_US, BEGIN_US, BETWEEN_US, BROKERS, NAMES, SERVICES

EVERYTHING = 10**7  # a limit that none reaches
ANNOTATIONS = (
    "error", "error=boom", "error=", "http.method=GET and error", "ws", "error and ws", "käse", " retry  and  ws ",
    "retry and http.method=POST", "late=yes", "x=y", "http.method=get", "error=boom and error=500", "nothing",
)  # fmt: skip


def searches(seed: int, count: int, traces: int) -> Iterator[dict[str, str | int]]:
    """Parameters of `/api/v2/traces`."""
    draw = random.Random(seed)
    span_ms = traces * BETWEEN_US // 1000
    for _ in range(count):
        asked: dict[str, str | int] = {
            "endTs": BEGIN_US // 1000
            + draw.choice((draw.randint(0, span_ms), span_ms + 10**7, span_ms + APART_US // 1000)),
            "lookback": draw.choice((1, 1000, 60_000, 600_000, 10**9)),
            "limit": draw.choice((1, 3, 10, 50, EVERYTHING)),
        }
        if draw.random() < 0.7:
            asked["serviceName"] = _cased(draw, draw.choice(SERVICES))
        if draw.random() < 0.2:
            asked["spanName"] = _cased(draw, draw.choice([each for each in NAMES if each and "\0" not in each]))
        if draw.random() < 0.2:
            asked["remoteServiceName"] = _cased(draw, draw.choice((*SERVICES, *BROKERS)))
        if draw.random() < 0.3:
            asked["annotationQuery"] = draw.choice(ANNOTATIONS)
        if draw.random() < 0.3:
            asked["minDuration"] = least = draw.choice((1, 1000, 500_000))
            if draw.random() < 0.5:
                asked["maxDuration"] = least + draw.choice((0, 100_000))
        yield asked


def _cased(draw: random.Random, text: str) -> str:
    return draw.choice((text, text.upper(), text.lower()))


def names() -> Iterator[str]:
    """Every question about names."""
    yield "/api/v2/services"
    yield "/api/v2/autocompleteKeys"
    for service in (*SERVICES, *BROKERS, "nobody", ""):
        for path in ("spans", "remoteServices"):
            for cased in {service, service.upper()}:
                yield f"/api/v2/{path}?{urlencode({'serviceName': cased})}"


def windows(seed: int, count: int, traces: int) -> Iterator[tuple[int, int]]:
    """`endTs` and `lookback` of `/api/v2/dependencies`, in milliseconds; the first has all but what is apart."""
    draw = random.Random(seed)
    begin, span_ms = BEGIN_US // 1000, traces * BETWEEN_US // 1000
    yield begin + span_ms + 10**9, 10**12
    for _ in range(count):
        yield begin + draw.randint(0, span_ms), draw.choice((1, 100, 5000, 300_000, 10**9))
