"""The recording of a real Knative broker, replayed against ours."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.broker.differences import KNOWN
from tests.broker.recording import Case, load
from tests.broker.replay import Replayed, replay
from toolkit.engines.local.broker import DeliveryConfig, delivery, event, golang, ingress, policy, tracing
from toolkit.engines.local.broker.policy import Failure

GROUPS = ("ingress", "attributes-headers", "filters", "replies", "delivery", "concurrency")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return load()


@pytest.fixture(scope="module")
def results(cases: list[Case]) -> list[Replayed]:
    return asyncio.run(replay(cases))


def test_the_recording_is_all_there(cases: list[Case]) -> None:
    assert len(cases) > 500
    assert {case["group"] for case in cases} == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_case_of_a_group_is_equal_or_a_known_difference(results: list[Replayed], group: str) -> None:
    unexpected = {
        each.case["id"]: each.differences
        for each in results
        if each.case["group"] == group and each.differences and each.case["id"] not in KNOWN
    }
    assert unexpected == {}


@pytest.mark.parametrize("group", GROUPS)
def test_the_document_tells_the_truth_about_a_group(results: list[Replayed], group: str) -> None:
    document = Path(__file__).parents[2] / "docs" / "broker.md"
    (row,) = [line for line in document.read_text().splitlines() if line.startswith(f"| {group} |")]
    of_group = [each for each in results if each.case["group"] == group]
    equal = [each for each in of_group if not each.differences]
    assert row.endswith(f"| {len(of_group)} | {len(equal)} |")


def test_what_is_listed_as_a_difference_does_differ(results: list[Replayed]) -> None:
    differing = {each.case["id"] for each in results if each.differences}
    assert set(KNOWN) <= differing


def test_where_the_real_one_dies_ours_warns(results: list[Replayed]) -> None:
    warnings = {each.case["id"]: " ".join(incident.text for incident in each.incidents) for each in results}
    assert "'ce-' kills the handler" in warnings["1.bin-ext-emptyname"]
    assert "over 768 bytes" in warnings["5.dls-longbody-crash"]
    assert "dies of it" in warnings["3.panic-sql-nonbool"]
    assert "at random" in warnings["1.rep-03-dce-base64"]
    assert "a producer left" in warnings["5.producer-leaves"]
    assert "retries multiply" in warnings["4.second-fails-retry1"]
    assert "no CloudEvent" in warnings["4.200-text"]


def _told_nothing(message: event.Message, failure: Failure, ttl: int) -> event.Message:
    return event.Message({**message.attributes, event.TTL: b"%d" % ttl}, message.content_type, message.body)


def _too_long(delivery: DeliveryConfig, retry: int, as_it_is: Any = policy.wait_s) -> float:
    return float(3 * as_it_is(delivery, retry) + 0.2)


# What is broken: where, what it is replaced by, and the case that must differ.
MUTANTS: dict[str, tuple[Any, str, Any, str]] = {
    "hops are not counted": (policy, "next_ttl", lambda value: 255, "2.ttl-2"),
    "no wait before a retry": (policy, "wait_s", lambda delivery, retry: 0.0, "5.exp-503"),
    "waits are three times as long plus 0.2 s": (policy, "wait_s", _too_long, "5.exp-recover1"),
    "linear waits are, too": (policy, "wait_s", _too_long, "5.lin-404"),
    "404 is not retried": (policy, "is_retried", lambda status: status >= 500, "5.exp-404"),
    "every failure is retried": (policy, "is_retried", lambda status: True, "5.exp-400"),
    "times keep their offset": (golang, "utc_time", lambda value: value, "1.bin-time-offset"),
    "sources are left alone": (golang, "rewrite_url", lambda value: value, "1.bin-source-space"),
    "dead letters say nothing": (policy, "dead_letter", _told_nothing, "5.dls-500"),
    "events are not validated": (event, "validate", lambda message: None, "1.bin-no-type"),
    "trace context is dropped": (tracing, "trace_headers", lambda *_: (), "2.trace-tp-flag03"),
    "redirects are not followed": (delivery, "_REDIRECTED", frozenset(), "5.redirect-307"),
    "a batch of filters always passes": (delivery, "compile_filters", lambda filters: None, "3.bin-othertype"),
    "the body is not sniffed": (golang, "sniff", lambda body: b"application/octet-stream", "4.noct"),
    "the arrival time is not now": (ingress, "_now", lambda: b"2001-01-01T00:00:00.50Z", "2.arrival-bin"),
}

# How it must differ.
FOUND = {
    "2.ttl-2": "extra [('Ce-Knativebrokerttl', '255')]",
    "5.exp-503": "retry 1 came after 0.0",
    "5.exp-recover1": "wanted 0.1 s, at most 0.3",
    "5.lin-404": "wanted 0.2 s, at most 0.4",
    "5.exp-404": "wanted 4 deliveries, got 1",
    "5.exp-400": "wanted 1 deliveries, got 4",
    "1.bin-time-offset": "extra [('Ce-Time', '2020-01-02T03:04:05+02:00')]",
    "1.bin-source-space": "extra [('Ce-Source', 'a b')]",
    "5.dls-500": "missing [('Ce-Knativeerrorcode', '500')",
    "1.bin-no-type": "status: wanted 400, got 202",
    "2.trace-tp-flag03": "missing [('Traceparent',",
    "5.redirect-307": "status: wanted 202, got 500",
    "3.bin-othertype": "g-all: wanted 0 deliveries, got 1",
    "4.noct": "extra [('Content-Type', 'application/octet-stream')]",
    "2.arrival-bin": "extra [('Ce-Knativearrivaltime', '2001-01-01T00:00:00.50Z')]",
}


@pytest.mark.parametrize("mutant", MUTANTS)
async def test_a_broker_with_a_rule_broken_is_found_out(
    cases: list[Case], results: list[Replayed], monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    module, name, broken, case = MUTANTS[mutant]
    assert [each.differences for each in results if each.case["id"] == case] == [[]]
    monkeypatch.setattr(module, name, broken)
    (result,) = await replay([each for each in cases if each["id"] == case])
    assert FOUND[case] in " ".join(result.differences)
