"""Traces of every kind that stores have to bear, made from a seed, and the posts that bring them.

May live here: spans as they are sent, and how they are sent: in which form, packed or not, in how many parts, in which
order. What a trace has is decided by its number, so that each kind is there for certain.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.traces import wire, zipkinproto

Fields = dict[str, Any]

BEGIN_US = 1_795_321_593_143_664
BETWEEN_US = 1_700_000  # traces begin so far apart
APART_US = 30 * 86_400_000_000  # by which some traces begin later, so that a window can be without them
SPANS_A_POST = 400
SERVICES = ("api", "cart", "stock", "mail", "pay", "ledger", "Search", "Ünïcode Dienst", 'a "b" <c>&d', "x" * 200)
BROKERS = ("kafka", "default-broker", "Rabbit")
NAMES = ("get /", "GET /Cart", "post", "helloworld.Greeter/SayHello", "ÄÖß", "", None, "<b>\u2028\u0000\x1f", "all")
ERRORS = ("", "true", "boom", "500")
IDS = ("long", "long", "long", "short", "padded", "mixed", "tiny")  # what the trace's id looks like


def traces(seed: int, count: int) -> list[list[Fields]]:
    """So many traces, as they are sent: spans of one trace need not have one spelling of its id."""
    return [Making(random.Random(seed * 1_000_003 + number), number).trace() for number in range(count)]


class Making:
    """One trace in the making. `draw` decides everything that `number` does not."""

    def __init__(self, draw: random.Random, number: int) -> None:
        self.draw, self.number = draw, number
        self.spans: list[Fields] = []
        self.ids = IDS[number % len(IDS)]
        self.low, self.high = draw.getrandbits(63) | 1, draw.getrandbits(63) | 1
        if self.ids == "tiny":
            self.low = number + 1
        self.wanders = number % 11 == 0  # a service's spans come from several addresses
        self.places: dict[str, Fields] = {}
        tie = number % 10 == 9  # begins in the same millisecond as the one before
        self.begin = BEGIN_US + (number - tie) * BETWEEN_US + (APART_US if self.apart else 0)
        self.skew = {service: draw.choice((0, 0, -3_000_000, 7_200_000_000, -40_000)) for service in SERVICES}

    @property
    def apart(self) -> bool:
        return self.wanders or self.ids == "mixed"

    def trace(self) -> list[Fields]:
        root = self._span(None, self.draw.choice(SERVICES), self.draw.choice(("SERVER", "CLIENT", None, "PRODUCER")))
        for _ in range(self.draw.randint(0, 6)):
            above = self.draw.choice(self.spans)
            self.draw.choice((self._call, self._call, self._event, self._work))(above)
        self._disturb(root)
        if self.number % 3 == 0:
            self.spans += [dict(each) for each in self.draw.sample(self.spans, k=len(self.spans) // 2)]
        if self.number % 2 == 0:
            self.draw.shuffle(self.spans)
        return self.spans

    def _call(self, above: Fields) -> None:
        """A call, told by both sides or one; the far side shares the span or has one of its own below."""
        caller, called = _service(above) or "api", self.draw.choice(SERVICES)
        client = self._span(above, caller, "CLIENT", remoteEndpoint=self._place(called))
        told = self.draw.random()
        if told < 0.4:
            shared = {"id": client["id"], "parentId": client.get("parentId"), "shared": True}
            self._span(client, called, "SERVER", **{key: value for key, value in shared.items() if value is not None})
        elif told < 0.8:
            remote = {"remoteEndpoint": self._place(caller)} if self.draw.random() < 0.3 else {}
            self._span(client, called, "SERVER", **remote)
        if told < 0.1:
            self.spans.remove(client)  # only the server told of it

    def _event(self, above: Fields) -> None:
        broker = self._place(self.draw.choice(BROKERS)) if self.draw.random() < 0.7 else None
        between = {"remoteEndpoint": broker} if broker else {}
        sent = self._span(above, _service(above) or "mail", "PRODUCER", **between)
        for _ in range(self.draw.randint(0, 3)):
            shared = {"id": sent["id"], "shared": True} if self.draw.random() < 0.2 else {}
            received = self._span(sent, self.draw.choice(SERVICES), "CONSUMER", **between, **shared)
            if self.draw.random() < 0.5:
                self._work(received)

    def _work(self, above: Fields) -> None:
        self._span(above, _service(above), None)

    def _span(self, above: Fields | None, service: str | None, kind: str | None, **fields: Any) -> Fields:
        draw = self.draw
        start = self.begin if above is None else above.get("timestamp", self.begin) + draw.randint(0, 900_000)
        span: Fields = {
            "traceId": self._trace_id(),
            "id": f"{draw.getrandbits(64) | 1:016x}",
            "parentId": above["id"] if above else None,
            "kind": kind,
            "name": draw.choice(NAMES),
            "timestamp": max(1, start + self.skew.get(service or "", 0)) if draw.random() < 0.95 else None,
            "duration": draw.choice((0, 1, 100, draw.randint(1, 3_000_000), None)),
            "localEndpoint": self._place(service) if self.wanders else self._home(service),
            "tags": self._tags() or None,
            "annotations": self._notes() or None,
            "debug": True if draw.random() < 0.03 else None,
        }
        span = {key: value for key, value in {**span, **fields}.items() if value is not None}
        self.spans.append(span)
        return span

    def _trace_id(self) -> str:
        low = f"{self.low:x}"
        if self.ids == "mixed":
            return self.draw.choice((f"{self.high:016x}{low:0>16}", f"{low:0>16}"))
        whole = {"long": f"{self.high:016x}{low:0>16}", "padded": f"{low:0>32}", "short": f"{low:0>16}", "tiny": low}
        return whole[self.ids]

    def _home(self, service: str | None) -> Fields | None:
        if service is None:
            return None
        return self.places.setdefault(service, self._place(service) or {})

    def _place(self, service: str | None) -> Fields | None:
        draw = self.draw
        place: Fields = {"serviceName": service} if service else {}
        if draw.random() < 0.3:
            place["ipv4"] = f"10.{draw.randint(0, 255)}.0.1"
        if draw.random() < 0.1:
            place["ipv6"] = draw.choice(("::1", "2001:db8::1", "2001:DB8:0:0:1:0:0:1", "fe80::1:0:0:1"))
        if draw.random() < 0.3:
            place["port"] = draw.randint(1, 65535)
        return place or None

    def _tags(self) -> Fields:
        draw, tags = self.draw, dict[str, Any]()
        if draw.random() < 0.15:
            tags["error"] = draw.choice(ERRORS)
        if draw.random() < 0.4:
            tags["http.method"] = draw.choice(("GET", "POST"))
        if draw.random() < 0.2:
            tags[draw.choice(("käse", "a b", "x=y", '"'))] = draw.choice(("", "ü \u2028 \u0001", "</script>", 5))
        if self.number % 400 == 8 and not self.spans:
            tags["payload"] = "ä1" * 40_000
        return tags

    def _notes(self) -> list[Fields]:
        draw = self.draw
        times = [self.begin + draw.randint(-5, 5) for _ in range(draw.choice((0, 0, 0, 1, 3)))]
        return [{"timestamp": each, "value": draw.choice(("ws", "wr", "retry", "Ünter"))} for each in times]

    def _disturb(self, root: Fields) -> None:
        """Every so often something is lost, repeated with a change, or hangs wrong."""
        some = self.draw.choice(self.spans)
        match self.number % 13:
            case 1 if len(self.spans) > 1:
                self.spans.remove(root)
            case 2:
                some["parentId"] = f"{self.draw.getrandbits(63) | 1:016x}"  # an orphan
            case 3:
                some["parentId"] = some["id"]
            case 4:
                root["parentId"] = self.spans[-1]["id"]  # a cycle
            case 5:
                self._span(None, self.draw.choice(SERVICES), "SERVER")  # a second root
            case 6:
                self.spans.append({**some, "tags": {"late": "yes"}})  # the same span, told once more with less
            case 7:
                for each in self.spans:
                    each.pop("timestamp", None)
            case 8:
                self.spans.append({key: some[key] for key in ("traceId", "id")})


def _service(span: Fields) -> str | None:
    service: str | None = span.get("localEndpoint", {}).get("serviceName")
    return service


@dataclass(frozen=True)
class Posted:
    """One post: what is sent, and as what."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    spans: int


def posts(seed: int, found: list[list[Fields]]) -> Iterator[Posted]:
    """All spans, once or more: a part of them late and out of order, JSON or protobuf, gzipped or not."""
    draw = random.Random(seed)
    early, late = list[Fields](), list[Fields]()
    for trace in found:
        for span in trace:
            (late if draw.random() < 0.2 else early).append(span)
    draw.shuffle(late)
    again = draw.sample(early, k=len(early) // 20)
    waiting = [*early, *late, *again]
    for number, start in enumerate(range(0, len(waiting), SPANS_A_POST)):
        yield _posted(waiting[start : start + SPANS_A_POST], protobuf=number % 3 == 1, packed=number % 4 == 2)


def _posted(spans: list[Fields], *, protobuf: bool, packed: bool) -> Posted:
    kind = b"application/x-protobuf" if protobuf else b"application/json"
    body = zipkinproto.encoded(map(wire.normal, spans)) if protobuf else json.dumps(spans).encode()
    headers = ((b"Content-Type", kind), *(((b"Content-Encoding", b"gzip"),) if packed else ()))
    return Posted(gzip.compress(body, 1) if packed else body, headers, len(spans))
