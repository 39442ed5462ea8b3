"""Verification that can fail: each thing that is broken on purpose turns exactly its own check red."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path

import pytest

from tests.chains.running import Broken, outcome, red
from toolkit.engines.base import Bound
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.engines.waiting import until
from toolkit.plan import Plan
from toolkit.testing.faults import (
    BlackHole,
    Fault,
    between_calls,
    between_events,
    corrupt,
    padded,
    twice,
    untouched,
    without_trace,
)

UNANSWERED = "expected"  # what never came to the consumer has no answer either

FORGETFUL = """
from toolkit.stubs.helloworld_pb2 import HelloReply

async def produce(ctx, request):
    return HelloReply(message="I forgot to send it on")
"""
DENYING = """
from toolkit.stubs.prodcon_pb2 import ConsumeByteReply

async def consume(ctx, request):
    return ConsumeByteReply(value=False)
"""


def in_front_of_the_consumer(chain: str, fault: Fault) -> LocalEngine:
    between = between_calls if chain == "chained-serving" else between_events
    return LocalEngine(intercept={"consumer": between(fault)})


async def kill_the_consumer(deployment: LocalDeployment) -> None:
    (consumer,) = (process for process in deployment.functions if process.name == "consumer")
    consumer.signal(signal.SIGKILL)


def without_triggers(plan: Plan) -> Plan:
    return dataclasses.replace(plan, triggers=())


def instead(folder: Path, function: str, handler: str, source: str) -> Broken:
    """Another handler in the place of a function's own."""
    (folder / "another.py").write_text(source)

    def change(plan: Plan) -> Plan:
        wiring = dataclasses.replace(plan.wirings[function], handler=f"{folder}/another.py:{handler}")
        return dataclasses.replace(plan, wirings={**plan.wirings, function: wiring})

    return Broken(LocalEngine(), change=change)


def bound_elsewhere(bound: Bound) -> Bound:
    return dataclasses.replace(bound, targets={**bound.targets, "consumer": "127.0.0.1:1"})


BOTH = pytest.mark.parametrize("chain", ["chained-serving", "chained-eventing"])


@BOTH
async def test_a_healthy_chain_keeps_every_promise(chain: str) -> None:
    report = (await outcome(chain)).report
    assert red(report) == set()
    assert report.measurement.ok == 10
    assert report.measurement.traces_complete == report.measurement.traces_expected == 10


@BOTH
async def test_a_corrupted_byte_is_found_and_nothing_else(chain: str) -> None:
    assert red((await outcome(chain, in_front_of_the_consumer(chain, corrupt))).report) == {"intact"}


@pytest.mark.parametrize(("function", "answers"), [("consumer", 10), ("producer", 10)])
async def test_a_changed_answer_is_found_and_nothing_else(function: str, answers: int) -> None:
    """It still parses and means the same: between two functions, and between the entry and the caller."""
    engine = LocalEngine(intercept={function: between_calls(untouched, answers=padded)})
    report = (await outcome("chained-serving", engine)).report
    assert red(report) == {"intact"}
    (intact,) = (check for check in report.checks if check.name == "intact")
    assert intact.got.startswith(f"{answers} wrong: ")
    assert f"{function} answered" in intact.got


async def test_a_changed_answer_that_makes_the_call_fail_is_found_and_nothing_else() -> None:
    """The last bit of the consumer's answer is its yes."""
    engine = LocalEngine(intercept={"consumer": between_calls(untouched, answers=corrupt)})
    report = (await outcome("chained-serving", engine)).report
    assert red(report) == {"intact"}
    assert report.measurement.failed == 10


async def test_a_consumer_that_says_no_fails_the_calls_and_nothing_else(tmp_path: Path) -> None:
    report = (await outcome("chained-serving", instead(tmp_path, "consumer", "consume", DENYING))).report
    assert red(report) == {"answered"}


@BOTH
async def test_a_message_delivered_twice_is_found_and_nothing_else(chain: str) -> None:
    report = (await outcome(chain, in_front_of_the_consumer(chain, twice))).report
    assert red(report) == {"once"}
    assert report.measurement.duplicated == 10


@BOTH
async def test_a_dropped_trace_header_is_found_and_nothing_else(chain: str) -> None:
    assert red((await outcome(chain, in_front_of_the_consumer(chain, without_trace))).report) == {"traced"}


@BOTH
async def test_a_killed_consumer_is_named_and_nothing_else(chain: str) -> None:
    report = (await outcome(chain, Broken(LocalEngine(), then=kill_the_consumer))).report
    assert red(report) == {"steady"}
    assert [(incident.kind, incident.subject) for incident in report.incidents] == [("restart", "consumer")]


@BOTH
async def test_a_producer_that_sends_nothing_on_is_found_and_nothing_else(chain: str, tmp_path: Path) -> None:
    report = (await outcome(chain, instead(tmp_path, "producer", "produce", FORGETFUL))).report
    assert red(report) == {"followed", UNANSWERED}


async def test_a_dropped_trigger_is_found_and_nothing_else() -> None:
    report = (await outcome("chained-eventing", Broken(LocalEngine(), change=without_triggers))).report
    assert red(report) == {"delivered", UNANSWERED}


async def test_a_sink_that_points_elsewhere_is_found_and_nothing_else() -> None:
    async with BlackHole() as hole:
        engine = LocalEngine(environment={"producer": {"K_SINK": hole.url}})
        report = (await outcome("chained-eventing", engine)).report
        assert hole.taken == 10
    assert red(report) == {"routed", UNANSWERED}


async def test_a_call_that_goes_elsewhere_is_found_and_nothing_else() -> None:
    report = (await outcome("chained-serving", Broken(LocalEngine(), rebind=bound_elsewhere))).report
    assert red(report) == {"routed"}


@pytest.mark.parametrize("service", ["broker", "trace-store"])
async def test_a_part_of_the_engine_that_was_killed_is_named_and_nothing_else(service: str) -> None:
    async def kill(deployment: LocalDeployment) -> None:
        (process,) = (each for each in deployment.services if each.name == service)
        killed = process.pid
        process.signal(signal.SIGKILL)

        async def back() -> bool:
            return process.pid not in (None, killed)

        assert await until(back, within_s=10)

    report = (await outcome("chained-eventing", Broken(LocalEngine(), then=kill))).report
    assert red(report) == {"steady"}
    assert [incident.subject for incident in report.incidents] == [service]
