"""The webhooks of Knative answer as they did when they were recorded: what they refuse, and with what words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.suite import broker, verdicts
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.verdicts import DIFFERENCES, Case
from tests.cluster.suite.waiting import until

CASES = verdicts.recorded()
DECODER = "sinkbindings.webhook.sources.knative.dev"  # the first to decode a Service, once anything binds Services
ASKED_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def court(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with a namespace as it was when the verdicts were recorded: something bound Services there."""
    with namespace(cluster, "verdicts", name=verdicts.NAMESPACE, restricted=False) as name:
        cluster.apply(broker.sink_binding("binds-services", name, "nobody", "nowhere"))
        mistyped = next(each for each in CASES if DECODER in str(each.verdict.message))
        until(
            lambda: DECODER in str(verdicts.ask(cluster, mistyped).message), f"a verdict of {DECODER}", ASKED_WITHIN_S
        )
        yield cluster


@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in CASES if each.verdict.code >= 400])
def test_what_was_forbidden_is_refused_in_the_same_words(court: Cluster, case: Case) -> None:
    assert verdicts.ask(court, case) == DIFFERENCES.get(case.id, case).verdict, case.tests


@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in CASES if each.verdict.code < 400])
def test_what_was_allowed_is_accepted(court: Cluster, case: Case) -> None:
    assert verdicts.ask(court, case) == DIFFERENCES.get(case.id, case).verdict, case.tests
