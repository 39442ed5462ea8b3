"""What the recorded broker and ours must have in common, with what changes from run to run masked.

Masked: arrival time, Date, times, the order of baggage members, the order between Triggers, hosts and ports, the words
of a failed name lookup.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.broker.far_side import Answered, Headers, Seen
from tests.broker.recording import FAR_SIDE, INGRESS, REFUSING, Case, abbreviated, body_of, waits

_EARLY_S = 0.002  # a timer may fire this much before its time
_SAME_TIME_S = 0.02  # two tasks of one loop may notice the same moment so far apart
_LATE_S, _LATE = 0.25, 1.5  # and come so much later, or so many times, whichever is more: a loaded machine's due
_NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z")
_ARRIVAL = re.compile(rb'"knativearrivaltime":"[^"]*"')
_LOOKUP = re.compile(r"(dial tcp: lookup [^ :]+).*")


class Masks:
    """Names for the places that differ: `http://SUB`, `http://REFUSED`, `http://INGRESS`."""

    def __init__(self, far_side: str, refusing: str, ingress: str) -> None:
        pairs = [(FAR_SIDE, "http://SUB"), (REFUSING, "http://REFUSED"), (INGRESS, "http://INGRESS")]
        pairs += [(far_side, "http://SUB"), (refusing, "http://REFUSED"), (ingress, "http://INGRESS")]
        self._pairs = [*pairs, *((a.removeprefix("http://"), b.removeprefix("http://")) for a, b in pairs)]

    def text(self, value: str) -> str:
        for place, name in self._pairs:
            value = value.replace(place, name)
        return value

    def header(self, name: str, value: str) -> tuple[str, str]:
        if name == "Ce-Knativearrivaltime" and _NOW.fullmatch(value):  # in another form it is a difference
            return name, "now"
        if name == "Date":
            return name, "now"
        if name == "Baggage":
            return name, ",".join(sorted(value.split(",")))
        if name == "Ce-Knativeerrordata":
            return name, self._error(value)
        return name, self.text(abbreviated(value))

    def _error(self, value: str) -> str:
        try:
            text = base64.b64decode(value).decode()
        except ValueError:
            return value
        return _LOOKUP.sub(r"\1", self.text(text))


def answer_differences(case: Case, got: Answered, masks: Masks) -> list[str]:
    wanted = case["response"]
    if wanted is None:
        return []
    if "error" in wanted or wanted.get("status") is None:
        return [] if got.status is None else [f"answer: wanted none, got {got.status}"]
    found = []
    if got.status != wanted["status"]:
        found.append(f"status: wanted {wanted['status']}, got {got.status}")
    if got.reason != wanted.get("reason", got.reason):
        found.append(f"reason: wanted {wanted['reason']!r}, got {got.reason!r}")
    if "headers" in wanted:
        found += _unlike("answer's headers", _masked(wanted["headers"], masks), _masked(got.headers, masks))
    if wanted.get("body") is not None and got.body != (body_of(wanted["body"]) or b""):
        found.append(f"answer's body: got {got.body[:80]!r}")
    return found


def delivery_differences(case: Case, got: Sequence[Seen], masks: Masks) -> list[str]:
    """Per subscriber, in order; only where several Triggers feed one subscriber in any order."""
    wanted_by = _by_subscriber([_wanted(each, masks) for each in case["deliveries"]])
    got_by = _by_subscriber([_got(each, masks) for each in got])
    several = len(case["setup"].get("triggers") or ()) > 1
    found = []
    for sub in sorted(wanted_by.keys() | got_by.keys()):
        wanted, mine = wanted_by.get(sub, []), got_by.get(sub, [])
        if len(wanted) != len(mine):
            found.append(f"{sub or '/'}: wanted {len(wanted)} deliveries, got {len(mine)}")
            continue
        if several:
            wanted, mine = sorted(wanted, key=repr), sorted(mine, key=repr)
        for number, (a, b) in enumerate(zip(wanted, mine, strict=True), 1):
            found += [f"{sub or '/'} #{number} {text}" for key in a for text in _unlike(key, a[key], b[key])]
    return found


def has_waits(case: Case) -> bool:
    """Whether the recording holds retries of one Trigger with one subscriber, so that each wait can be told."""
    triggers = case["setup"].get("triggers") or []
    return len(triggers) == 1 and bool((case.get("gaps_ms") or {}).get(triggers[0]["name"]))


def wait_differences(case: Case, got: Sequence[Seen]) -> list[str]:
    """Retries come no earlier than the policy says, and not much later than they did. Not told where one redirects."""
    if not has_waits(case) or any(each.answered in (301, 302, 303, 307, 308) for each in got):
        return []
    name = case["setup"]["triggers"][0]["name"]
    tries = [each for each in got if each.sub == name]
    mine = [b.at - a.ended for a, b in itertools.pairwise(tries)]
    found = []
    for number, (gap, wait, recorded_ms) in enumerate(zip(mine, waits(case), case["gaps_ms"][name], strict=False), 1):
        latest = max(recorded_ms / 1000 + _LATE_S, recorded_ms / 1000 * _LATE)
        if not wait - _EARLY_S <= gap <= latest:
            found.append(f"retry {number} came after {gap:.3f} s, wanted {wait} s, at most {latest:.3f} s")
    return found


def order_differences(case: Case, answered: Answered, got: Sequence[Seen]) -> list[str]:
    """Whether the producer's answer came before or after the last delivery's end, where the recording is clear."""
    ends = [each["end_ms"] for each in case["deliveries"] if each.get("end_ms") is not None]
    last_end = case.get("last_end_ms", max(ends, default=None))
    elapsed = (case["response"] or {}).get("elapsed_ms")
    if last_end is None or elapsed is None or not got or answered.status is None:
        return []
    margin = elapsed - last_end
    first = answered.at < max(each.ended for each in got) - _SAME_TIME_S
    if margin < -50 and not first:
        return ["the answer came after the deliveries, wanted before"]
    if margin > 0 and not (case["setup"]["broker"].get("annotations")) and first:
        return ["the answer came before a delivery ended, wanted after"]
    return []


def summary_differences(summary: Mapping[str, Any], statuses: Sequence[int | None], got: Sequence[Seen]) -> list[str]:
    """Many events at once: all statuses, all deliveries, and that they overlapped if they did."""
    mine = {
        "deliveries": len(got),
        "distinct": len({dict(each.headers)["Ce-Id"] for each in got}),
        "statuses": dict(Counter(map(str, statuses))),
        "subs": dict(Counter(each.sub for each in got)),
    }
    return [text for key, value in mine.items() for text in _unlike(key, summary[key], value)]


def _wanted(each: Mapping[str, Any], masks: Masks) -> dict[str, Any]:
    found: dict[str, Any] = {"sub": each["sub"]}
    if "method" in each:
        body = each.get("body") or {}
        digest = body["sha256"] if "sha256" in body else _digest(body_of(body) or b"")
        found |= _shape(each["method"], each["path"], [tuple(header) for header in each["headers"]], masks)
        found["body"] = digest
    if "answered" in each or "end_ms" in each:
        found["answered"] = each.get("answered")
    return found


def _got(each: Seen, masks: Masks) -> dict[str, Any]:
    found: dict[str, Any] = {"sub": each.sub, **_shape(each.method, each.path, each.headers, masks)}
    return found | {"body": _digest(each.body), "answered": each.answered}


def _shape(method: str, path: str, headers: Headers, masks: Masks) -> dict[str, Any]:
    structured = ("Content-Type", "application/cloudevents+json") in headers
    shown = [pair for pair in headers if not (structured and pair[0] == "Content-Length")]  # the arrival time's length
    return {"method": method, "path": path, "headers": _masked(shown, masks)}


def _masked(headers: Sequence[Sequence[str]], masks: Masks) -> list[tuple[str, str]]:
    return [masks.header(name, value) for name, value in headers]


def _digest(body: bytes) -> str:
    return hashlib.sha256(_ARRIVAL.sub(b'"knativearrivaltime":"now"', body)).hexdigest()


def _by_subscriber(deliveries: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in deliveries:
        found.setdefault(each.pop("sub"), []).append(each)
    return found


def _unlike(what: str, wanted: Any, got: Any) -> list[str]:
    if wanted == got:
        return []
    if isinstance(wanted, list) and isinstance(got, list):
        missing = [each for each in wanted if each not in got]
        extra = [each for each in got if each not in wanted]
        if missing or extra:
            return [f"{what}: missing {missing}, extra {extra}"]
        return [f"{what}: another order: {[each[0] for each in got]}"]
    return [f"{what}: wanted {wanted!r}, got {got!r}"]
