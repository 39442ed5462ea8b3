"""The traces in a run's page: there when there are some, escaped, and allowed by the page's policy."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tests.browser.pages_of_runs import load, ordinary
from tests.unit.report.html.test_page import Reader
from tests.unit.report.traces.made import eventing, hostile, problems, traced
from toolkit import pages
from toolkit import traced as tracing
from toolkit.report.html.sources import hashed
from toolkit.traces.model import Span

DATA = re.compile(r'<script type="application/json" id="traces-data">(.*?)</script>', re.DOTALL)


def page(*traces: Sequence[Span]) -> str:
    return pages.render(ordinary(), traces=tracing.embedded(traced(traces, None)))


def test_the_documents_lie_in_the_page_as_the_schema_says() -> None:
    (data,) = DATA.findall(page(*(eventing(number) for number in range(30))))
    assert problems("embedded", json.loads(data)) == []


def test_hostile_names_end_no_element() -> None:
    document = page(*(hostile(number) for number in range(3)))
    assert Reader(document).open == []
    (data,) = DATA.findall(document)
    assert problems("embedded", json.loads(data)) == []


def test_the_one_script_and_the_one_style_sheet_are_allowed_by_their_hashes() -> None:
    document = page(eventing(0))
    (script,) = re.findall(r"<script>(.*?)</script>", document, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', document)
    assert policy is not None
    assert f"script-src '{hashed(script)}'" in policy[1]
    assert f"style-src '{hashed(style)}'" in policy[1]
    assert "connect-src" not in policy[1]  # and default-src is 'none': it can ask nobody
    assert "default-src 'none'" in policy[1]


def test_a_page_without_traces_says_nothing_of_them() -> None:
    for document in (page(), pages.render(ordinary()), pages.render(load())):
        assert "traces-data" not in document
        assert "explorer" not in document


def test_a_page_of_many_traces_stays_small() -> None:
    small, large = (len(page(*(eventing(number) for number in range(count)))) for count in (200, 5_000))
    assert large < 5 << 20
    assert large < 2 * small
