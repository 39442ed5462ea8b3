"""Cold starts on a real cluster: functions at zero, called again and again, with the platform's own spans; and one that
is kept warm behind our back.

Both chains fall asleep and are called together: that saves a minute. A pod that Knative ends is not left to drain for
half a minute, but taken away: how it drains is no part of a cold start.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.cluster.suite import platform, tracing
from tests.cluster.suite.api import NAMESPACE, POD
from tests.cluster.suite.cluster import Cluster
from toolkit import catalog
from toolkit.cold import FromZero, soon_asleep
from toolkit.engines.here import Here
from toolkit.engines.knative.engine import KnativeEngine
from toolkit.engines.knative.settings import Settings
from toolkit.errors import EngineError
from toolkit.manifests import Manifest
from toolkit.report import json as as_json
from toolkit.report.reading import from_json
from toolkit.results import ColdStarts, Load
from toolkit.run import Order, Outcome, run

CHAINS = ("chained-serving", "chained-eventing")
TIMES = 3
ASLEEP_WITHIN_S = 120.0
KEPT_FOR_S = 25.0  # longer than a function needs to fall asleep
WARM = "kept-warm"
LOOK_S = 0.5
AUTOSCALING = "autoscaling.knative.dev"
PLATFORM = {"autoscaler", "scheduling", "sandbox and image", "containers"}
PROCESS = {"import", "listen", "readiness", "handler"}


def kept_warm(objects: Sequence[Manifest]) -> Sequence[Manifest]:
    for each in objects:
        if each["kind"] == "Service" and each["metadata"]["name"] == "consumer":
            each["spec"]["template"]["metadata"].setdefault("annotations", {})[f"{AUTOSCALING}/min-scale"] = "1"
    return objects


@dataclass
class Ran:
    """What became of each, by chain; of the chain that was kept warm, what was said."""

    outcomes: Mapping[str, Outcome]
    refused: BaseException


@pytest.fixture(scope="module")
def ran(
    cluster: Cluster,
    images: Mapping[str, str],
    on_purpose: tracing.OnPurpose,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ran]:
    """All of it, while the platform traces; in the end it does not, whatever happened."""
    before = platform.containers(cluster)
    places = {name: f"cold-{secrets.token_hex(3)}" for name in (*CHAINS, WARM)}
    with tracing.taker(tmp_path_factory.mktemp("tracing")) as taker:
        try:
            tracing.toolkit("tracing", "setup", *taker.arguments)
            yield asyncio.run(_all(cluster, images, places, taker.zipkin))
        finally:
            tracing.toolkit("tracing", "setup", "--undo")
            on_purpose.restarted(before, platform.containers(cluster))
            assert not any(cluster.get(NAMESPACE, place) for place in places.values())


async def _all(cluster: Cluster, images: Mapping[str, str], places: Mapping[str, str], zipkin: str | None) -> Ran:
    settings = {name: Settings(image=images[name], namespace=places[name], zipkin=zipkin) for name in CHAINS}
    warm = Settings(image=images[CHAINS[0]], namespace=places[WARM], zipkin=zipkin, alter=kept_warm)
    hurrying = asyncio.create_task(_without_drain(cluster, places.values()))
    done = await asyncio.gather(
        *(_cold(name, settings[name], ASLEEP_WITHIN_S) for name in CHAINS),
        _cold(CHAINS[0], warm, KEPT_FOR_S),
        return_exceptions=True,
    )
    hurrying.cancel()
    await asyncio.gather(hurrying, return_exceptions=True)
    outcomes = dict(zip(CHAINS, done, strict=False))
    for each in outcomes.values():
        if isinstance(each, BaseException):
            raise each
    assert isinstance(done[-1], BaseException), "a function that is kept warm was said to be cold"
    return Ran({name: each for name, each in outcomes.items() if isinstance(each, Outcome)}, done[-1])


async def _without_drain(cluster: Cluster, places: Iterable[str]) -> None:
    """Takes every pod away whose end Knative has asked for, until it is cancelled."""
    while True:
        for place in places:
            for pod in await asyncio.to_thread(cluster.list, POD, place):
                if "deletionTimestamp" in pod["metadata"]:
                    name = pod["metadata"]["name"]
                    await asyncio.to_thread(cluster.delete, POD, name, place, gracePeriodSeconds=0)
        await asyncio.sleep(LOOK_S)


async def _cold(name: str, settings: Settings, within_s: float) -> Outcome:
    chain = soon_asleep(catalog.load(name))
    order = Order(chain, Load(requests=TIMES, concurrency=1))
    return await run(order, KnativeEngine(settings), source=FromZero(TIMES, Here(), within_s=within_s))


@pytest.fixture(params=CHAINS)
def outcome(ran: Ran, request: pytest.FixtureRequest) -> Outcome:
    return ran.outcomes[request.param]


def test_every_repetition_was_cold_and_answered(outcome: Outcome) -> None:
    found = starts(outcome)
    assert (found.asked, found.tried, found.n, found.failures) == (TIMES, TIMES, TIMES, ())
    assert outcome.report.passed, [each for each in outcome.report.checks if not each.passed]
    assert outcome.report.measurement.latency_us is None, "no call of these is a warm one"


def test_three_witnesses_call_every_call_cold(outcome: Outcome) -> None:
    said = outcome.report.measurement.witnesses
    assert said is not None
    assert (said.instance, said.activator, said.pod, said.disagree) == (TIMES, TIMES, TIMES, 0)


def test_segments_are_disjoint_and_add_up_to_the_end_to_end_time(outcome: Outcome) -> None:
    for each in outcome.cold:
        ends = [0]
        for stretch in sorted(each.stretches, key=lambda stretch: (stretch.start_ns, stretch.end_ns)):
            assert stretch.start_ns == stretch.end_ns or stretch.start_ns == ends[-1]
            ends.append(max(stretch.end_ns, ends[-1]))
        assert each.end_to_end_us == pytest.approx(sum(stretch.us for stretch in each.stretches))
        assert each.end_to_end_us == pytest.approx(ends[-1] / 1e3)


def test_each_function_s_way_from_nothing_to_an_answer_is_told(outcome: Outcome) -> None:
    for function in ("producer", "consumer"):
        told = {each.segment for each in starts(outcome).segments if each.function == function}
        assert told >= PLATFORM | PROCESS, f"{function}: {sorted(told)}"


def test_most_of_a_cold_start_is_attributed_and_takes_what_a_pod_takes(outcome: Outcome) -> None:
    found = starts(outcome)
    (unattributed,) = (each for each in found.segments if each.function is None)
    assert unattributed.share < 0.1
    loading = [each for each in found.segments if each.segment == "import"]
    assert len(loading) == 2
    assert all(each.min_us > 20_000 for each in loading), "no Python imports gRPC in less"


def test_what_decides_the_way_to_zero_is_in_the_report_and_the_report_is_read_back(outcome: Outcome) -> None:
    found = starts(outcome)
    assert found.settings["window"] == "6s"
    assert "scale-to-zero-grace-period" in found.settings
    document = json.loads(json.dumps(as_json.to_json(outcome.report)))
    assert document["cold"]["how"] == "forced"
    assert from_json(document, "report.json").measurement.cold_starts == found


def test_a_function_that_is_kept_warm_is_told_never_timed(ran: Ran) -> None:
    assert isinstance(ran.refused, EngineError), ran.refused
    assert "not at zero: pod consumer-" in str(ran.refused)
    assert "is kept" in str(ran.refused)


def starts(outcome: Outcome) -> ColdStarts:
    found = outcome.report.measurement.cold_starts
    assert found is not None
    return found
