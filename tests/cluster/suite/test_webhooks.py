"""The webhooks of Knative answer as they did when they were recorded: what they refuse, and with what words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.suite import broker, verdicts
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.verdicts import DIFFERENCES, Verdict
from tests.cluster.suite.waiting import until

CASES = verdicts.recorded()
DECODER = "sinkbindings.webhook.sources.knative.dev"  # the first to decode a Service, once anything binds Services
ASKED_WITHIN_S = 30.0

Ask = Callable[[str], tuple[Verdict, Verdict]]


@pytest.fixture(scope="module")
def ask(cluster: Cluster) -> Iterator[Ask]:
    """The verdict of today and the one that is due, of a case; in a namespace as it was when they were recorded."""
    with namespace(cluster, "verdicts", restricted=False) as name:
        cases = verdicts.recorded(name)
        cluster.apply(broker.sink_binding("binds-services", name, "nobody", "nowhere"))
        mistyped = next(each for each in cases.values() if DECODER in str(each.verdict.message))
        until(
            lambda: DECODER in str(verdicts.ask(cluster, mistyped).message), f"a verdict of {DECODER}", ASKED_WITHIN_S
        )
        yield lambda case: (verdicts.ask(cluster, cases[case]), DIFFERENCES.get(case, cases[case]).verdict)


@pytest.mark.parametrize("case", [each.id for each in CASES.values() if each.verdict.code >= 400])
def test_what_was_forbidden_is_refused_in_the_same_words(ask: Ask, case: str) -> None:
    found, due = ask(case)
    assert found == due, CASES[case].tests


@pytest.mark.parametrize("case", [each.id for each in CASES.values() if each.verdict.code < 400])
def test_what_was_allowed_is_accepted(ask: Ask, case: str) -> None:
    found, due = ask(case)
    assert found == due, CASES[case].tests
