"""Drive our broker with a recording, case by case, each with a broker and a far side of its own, many at once.

`python -m tests.broker.replay [FILE]` prints how many cases of each group are equal, and why the others are not.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.broker.compare import (
    Masks,
    answer_differences,
    delivery_differences,
    has_waits,
    order_differences,
    summary_differences,
    wait_differences,
)
from tests.broker.differences import KNOWN
from tests.broker.far_side import Answered, Seen, Subscribers, read_answer, request_bytes, send
from tests.broker.recording import CURATED, FAR_SIDE, NAMESPACE, REFUSING, Case, body_of, broker_of, load, spelled_out
from toolkit.engines.local.broker import serve
from toolkit.results import Incident

_AT_ONCE = 64
_AGAIN = 2  # a machine may be busy with something else; a broker that is wrong is wrong each time
_SETTLE_S = 0.4  # after a producer left: time in which a wrong broker would go on delivering
_H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@dataclass
class Replayed:
    """One case: how ours differed (not at all, if that is empty), and what it warned of."""

    case: Case
    differences: list[str]
    incidents: list[Incident]


async def replay(cases: Sequence[Case]) -> list[Replayed]:
    """All of them, many at once; then those in which time decides, in peace, and what still differs again, alone."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> Replayed:
        async with gate:
            return await replay_one(case)

    timed = [case for case in cases if _is_timed(case)]
    results = await asyncio.gather(*(one(case) for case in cases if case not in timed))
    for result in await asyncio.gather(*map(replay_one, timed)):
        for _ in range(_AGAIN):
            if result.differences:
                result = await replay_one(result.case)
        results.append(result)
    return sorted(results, key=lambda each: cases.index(each.case))


def _is_timed(case: Case) -> bool:
    """Somebody waits: a retry, a slow subscriber, a timeout, a producer that leaves."""
    if has_waits(case):
        return True
    text = json.dumps([case["setup"], case["request"]])
    return any(word in text for word in ('"timeout"', '"delay_ms"', '"close_after"'))


async def replay_one(case: Case) -> Replayed:
    incidents: list[Incident] = []
    setup = case["setup"]
    with socket.socket() as nobody:  # bound and never listening: it refuses
        nobody.bind(("127.0.0.1", 0))
        refusing = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        rewrite = {FAR_SIDE: "", REFUSING: refusing}
        async with Subscribers(setup.get("answers") or {}, rewrite) as subscribers:
            far_side = f"http://127.0.0.1:{subscribers.port}"
            rewrite[FAR_SIDE] = far_side
            broker = await serve([broker_of(case, far_side, refusing)], on_incident=incidents.append)
            try:
                masks = Masks(far_side, refusing, f"http://127.0.0.1:{broker.port}")
                differences = await _drive(case, broker.port, subscribers, masks)
            finally:
                await broker.close()
    return Replayed(case, differences, incidents)


async def _drive(case: Case, port: int, subscribers: Subscribers, masks: Masks) -> list[str]:
    if case["id"] == "1.h2c":
        return await _prior_knowledge(port)
    if case["id"] == "1.keepalive":
        return await _one_connection(case, port)
    if "summary" in case:
        return await _many(case, port, subscribers)
    answered = await _one(case, port)
    await _settled(case, subscribers)
    seen = subscribers.seen
    if "outcomes" in case:
        return _any_outcome(case, answered, seen)
    found = answer_differences(case, answered, masks) + delivery_differences(case, seen, masks)
    return found + wait_differences(case, seen) + order_differences(case, answered, seen)


async def _one(case: Case, port: int) -> Answered:
    request = case["request"]
    headers = [(name, spelled_out(value)) for name, value in request["headers"]]
    left = (request.get("transport") or {}).get("close_after")
    return await send(port, request_bytes(request, headers, body_of(request["body"])), close_after_s=left)


async def _settled(case: Case, subscribers: Subscribers) -> None:
    """Until as many deliveries have come as were recorded and none is under way; when one left: a while longer."""
    if (case["request"].get("transport") or {}).get("close_after") is not None:
        await asyncio.sleep(_SETTLE_S)
    answers_first = case["setup"]["broker"].get("annotations") is not None
    await subscribers.quiet(after=len(case["deliveries"]) if answers_first else 0)


def _any_outcome(case: Case, answered: Answered, seen: Sequence[Seen]) -> list[str]:
    """Cases repeated 40 times, some of which the real one answers at random: ours must be one of its answers."""
    kept = ("Ce-", "Content-Type")
    mine = [[name, value] for name, value in seen[0].headers if name.startswith(kept)] if seen else None
    mine = mine and [pair for pair in mine if pair[0] != "Ce-Knativearrivaltime"]
    outcome = [answered.status, mine, seen[0].body.decode() if seen else None]
    allowed = [each["status_headers_body"] for each in case["outcomes"]]
    return [] if outcome in allowed else [f"outcome {outcome} is none of {allowed}"]


async def _many(case: Case, port: int, subscribers: Subscribers) -> list[str]:
    same = case["id"] == "6.dup-id"
    headers = [("ce-specversion", "1.0"), ("ce-type", "t.test"), ("ce-source", "/src")]
    path = f"/{NAMESPACE}/{case['setup']['broker']['name']}"

    async def one(number: int) -> Answered:
        body = b'{"i":%d}' % number
        own = [*headers, ("ce-id", "same" if same else f"c{number:03}"), ("Content-Type", "application/json")]
        return await send(port, request_bytes({"method": "POST", "path": path}, own, body))

    count = case["setup"]["n"]
    if case["setup"]["mode"] == "parallel":
        answers = await asyncio.gather(*map(one, range(count)))
    else:
        answers = [await one(number) for number in range(count)]
    await subscribers.quiet(after=case["summary"]["deliveries"])
    found = summary_differences(case["summary"], [each.status for each in answers], subscribers.seen)
    takes_time = "delay_ms" in str(case["setup"]["answers"]) or case["setup"]["mode"] == "sequential"
    if takes_time and (case["summary"]["max_in_flight"] > 1) != (subscribers.most > 1) and count > 1:
        found.append(f"in flight: at most {subscribers.most}, recorded {case['summary']['max_in_flight']}")
    return found


async def _one_connection(case: Case, port: int) -> list[str]:
    good = [("ce-specversion", "1.0"), ("ce-type", "t.test"), ("ce-source", "/src"), ("ce-id", "k")]
    path = f"/{NAMESPACE}/{case['setup']['broker']['name']}"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        for number, (status, *_) in enumerate(case["response"]["sequence"]):
            headers = good if number < 3 else good[1:]
            message = request_bytes({"method": "POST", "path": path}, headers, b"{}")
            writer.write(message.replace(b"Connection: close\r\n", b""))
            answered = await read_answer(reader)
            if answered.status != status:
                found.append(f"request {number}: wanted {status}, got {answered.status}")
    finally:
        writer.close()
    return found


async def _prior_knowledge(port: int) -> list[str]:
    """HTTP/2 without an upgrade fails: no SETTINGS frame comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_H2_PREFACE)
        answer = await reader.read(9)
    finally:
        writer.close()
    return ["it speaks HTTP/2"] if answer[3:4] == b"\x04" else []


def table(results: Sequence[Replayed]) -> str:
    groups = Counter(each.case["group"] for each in results)
    equal = Counter(each.case["group"] for each in results if not each.differences)
    lines = [f"{'group':<20}{'cases':>7}{'equal':>7}{'%':>8}"]
    for group, count in groups.items():
        lines.append(f"{group:<20}{count:>7}{equal[group]:>7}{100 * equal[group] / count:>8.1f}")
    lines.append(f"{'all':<20}{groups.total():>7}{equal.total():>7}{100 * equal.total() / groups.total():>8.1f}")
    for each in results:
        if each.differences:
            name = each.case["id"]
            lines.append(f"\n{name}: {case_text(each.case)}" + (f"\n  known: {KNOWN[name]}" if name in KNOWN else ""))
            lines += [f"  {text[:300]}" for text in each.differences[:4]]
    return "\n".join(lines)


def case_text(case: Case) -> str:
    return str(case.get("tests", ""))[:150]


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else CURATED
    results = asyncio.run(replay(load(path)))
    print(table(results))
    return 1 if any(each.differences and each.case["id"] not in KNOWN for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
