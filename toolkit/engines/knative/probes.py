"""What a Knative function's readiness probe says: where queue-proxy asks the function, and what it heard. Pure.

queue-proxy asks every 50 ms, and writes every 10 s what came of it (knative.dev/serving, pkg/queue/readiness/probe.go).
That nothing listens cannot be told from a function that is not there yet: only time tells, so it is no trouble.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.engines.knative import conditions
from toolkit.engines.knative.conditions import Trouble
from toolkit.engines.knative.evidence import USER_CONTAINER
from toolkit.engines.knative.kinds import Object

QUEUE_PROXY = "queue-proxy"
RUNS = "its container runs, but"
LASTS = 2  # times as long as others: something else may answer while the function starts
LONGEST = 120
_SAID = re.compile(r"aggressive probe error \(failed \d+ times\): (.*)")
# What no function says that only needs more time; the words are those of net/http, grpc-go and queue-proxy.
_UNFIT = {
    "http2: frame too large": "speaks another protocol",
    "malformed HTTP response": "speaks another protocol",
    "does not implement the grpc health protocol": "does not know grpc.health.v1.Health",
    "got status code: 404": "does not know that path",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Where and how queue-proxy asks the function whether it is ready."""

    port: str
    how: str


def silent(pod: Object) -> bool:
    """Whether the function's process runs and queue-proxy has not heard yet that it is ready."""
    states = {each["name"]: each.get("state") or {} for each in conditions.containers(pod)}
    return all("running" in states.get(each, {}) for each in (USER_CONTAINER, QUEUE_PROXY)) and not conditions.holds(
        pod
    )


def asked(pod: Object) -> Asked:
    proxies = [each for each in pod["spec"]["containers"] if each["name"] == QUEUE_PROXY]
    said = conditions.environment({"containers": proxies}) if proxies else {}
    try:
        probe = json.loads(said.get("SERVING_READINESS_PROBE", ""))
    except ValueError:
        probe = {}
    if "grpc" in probe:
        how = "for gRPC health"
    elif "httpGet" in probe:
        how = f"for {probe['httpGet'].get('path', '/')} by HTTP"
    else:
        how = "for a connection"
    return Asked(said.get("USER_PORT", "8080"), how)


def heard(log: Sequence[str]) -> str | None:
    """What came of the probe the last time that queue-proxy's log tells of it; None when it does not."""
    return next((found[1] for line in reversed(log) if (found := _SAID.match(line))), None)


def trouble(pod: Object, said: str | None) -> Trouble | None:
    """What will not pass by waiting."""
    for words, verdict in _UNFIT.items():
        if said is not None and words in said:
            where = asked(pod)
            told = f"what listens on port {where.port}, where Knative asks {where.how}, {verdict}{_brief(said)}"
            return Trouble(f"{RUNS} {told}", LASTS)
    return None


def progress(pod: Object, said: str | None) -> str:
    """How it is while that may still pass."""
    return f"runs, does not answer on port {asked(pod).port} yet{_brief(said)}"


def verdict(pod: Object, said: str | None = None) -> str:
    """How it is once there was time enough."""
    where = asked(pod)
    return f"{RUNS} does not answer on port {where.port}, where Knative asks {where.how}{_brief(said)}"


def _brief(said: str | None) -> str:
    """The last words: grpc-go puts a reason behind each `desc = `."""
    last = (said or "").rpartition("desc = ")[2].strip('"')
    if last.endswith("connection refused"):
        last = "connection refused"
    return f": {last if len(last) <= LONGEST else last[: LONGEST - 1] + '…'}" if last else ""
