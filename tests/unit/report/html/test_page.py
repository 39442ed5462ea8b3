"""The page as text: what it holds, and what it must not. What it looks like is asked in tests/browser."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.browser.pages_of_runs import HOSTILE, calls, documents, hostile, load, ordinary
from tests.unit.measure.columns import rows
from tests.unit.report.sample import REPORT
from toolkit import pages
from toolkit.report.html import page, view
from toolkit.report.html.scales import Scale, nines, ticks, times
from toolkit.results import CallNumbers, Load, LoadReport, Quantiles

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Reader(HTMLParser):
    """Which elements there are, whether they are closed, and every attribute."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


DOCUMENTS = documents()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_element_is_closed_and_none_can_fetch_or_run(name: str) -> None:
    found = Reader(DOCUMENTS[name])
    assert found.open == []
    assert set(found.elements) & {"img", "iframe", "object", "embed", "base", "form", "video", "use", "image"} == set()
    assert [value for key, value in found.attributes if key in ("src", "srcset", "action", "style")] == []
    assert [key for key, _ in found.attributes if key.startswith("on")] == []
    assert [value for key, value in found.attributes if key == "href"] == ["data:,", "#main"]
    assert found.elements.count("script") == found.elements.count("style") == 1


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_policy_knows_the_one_script_and_the_one_style_by_their_hashes(name: str) -> None:
    document = DOCUMENTS[name]
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', document)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]
    for tag in ("script", "style"):
        source = re.search(rf"<{tag}>(.*?)</{tag}>", document, re.DOTALL)
        assert source is not None
        told = base64.b64encode(hashlib.sha256(source[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{told}'" in policy[1].replace("&#39;", "'")


def test_hostile_words_are_in_it_as_words() -> None:
    document = DOCUMENTS["hostile"]
    assert HOSTILE[:20] not in document
    assert "&lt;script&gt;document.title=&#39;owned&#39;" in document
    assert "\x1b" not in document
    assert "\u202e" not in document


def test_conditions_are_told() -> None:
    document = DOCUMENTS["load"]
    for told in ("h2c://127.0.0.1:50051/helloworld.Greeter/SayHello", "poisson arrivals", "seed 1", "2 processes"):
        assert told in document


def test_a_load_whose_calls_were_not_all_answered_ok_says_so_before_any_number() -> None:
    subject = load().subject
    assert subject.chips[0] == ("bad", "✗ 3 calls not answered OK")
    assert subject.banners == (("bad", "FAILED: 3 of 19,500 calls were not answered OK", ("2 failed, 1 lost",)),)
    document = DOCUMENTS["load"]
    assert 0 < document.index("FAILED: 3 of 19,500 calls") < document.index("p99")


def test_a_load_that_was_answered_has_nothing_bad_on_its_page() -> None:
    found = LoadReport(
        *("load-1", "h2c://x", "t", "0", {}, (), Load(requests=10, rate=10.0), 1, None, None, ()),
        CallNumbers(10, 10, 0, 0, 0, 1.0, 10.0, None, None, None),
    )
    subject = view.of_load(found)
    assert subject.banners == ()
    assert subject.chips == (("good", "✓ all 10 calls answered OK"), ("good", "✓ valid measurement"))


def test_a_run_without_a_call_has_a_page_without_a_chart() -> None:
    document = DOCUMENTS["nothing"]
    assert "No call was answered OK." in document
    assert "role=" in document
    assert "<svg" not in document.split("</header>")[1]


def test_a_large_run_has_a_small_page() -> None:
    made = calls(300_000)
    document = pages.render(page.Side(ordinary().subject, pages.side(REPORT, made).series))
    assert len(document) < 400_000


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=30), st.integers(0, 10**10))
def test_any_latencies_can_be_drawn(latencies: list[int], every_ns: int) -> None:
    made = rows(len(latencies), every_ns=every_ns, latency_ns=latencies)
    document = pages.render(page.Side(ordinary().subject, pages.side(REPORT, made).series))
    assert "nan" not in re.sub(r"<script>.*?</script>|<style>.*?</style>", "", document, flags=re.DOTALL).lower()
    assert Reader(document).open == []


def test_a_run_beside_another_says_which_is_which() -> None:
    document = DOCUMENTS["beside"]
    assert "Beside another run" in document
    assert "A difference here is no verdict" in document


def test_differences_are_of_this_run_against_the_other() -> None:
    one, other = {"latency": Quantiles(100, p50=1100.0)}, {"latency": Quantiles(200, p50=1000.0)}
    assert view.compared(one, other) == [("latency p50", "1.10", "100", "1.00", "200", "+10.0 %")]


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (Load(requests=10, rate=5.0), "open loop at 5/s, constant arrivals, 10 calls, seed 1"),
        (Load(duration_s=60.0, concurrency=3), "closed loop, 3 at a time, for 60 s, seed 1"),
    ],
)
def test_a_load_is_told_in_a_line(load: Load, told: str) -> None:
    assert view.asked(load) == told


def test_nested_conditions_are_rows() -> None:
    assert list(view.flat({"a": {"b": 1, "c": None}, "d": "x"})) == [("a.b", "1"), ("d", "x")]


def test_the_axis_of_nines_gives_each_nine_the_same_room() -> None:
    scale = Scale("nines", 0.0, 0.999, 0.0, 300.0)
    assert [scale(share) for share in (0.0, 0.9, 0.99, 0.999, 1.0)] == [0.0, 100.0, 200.0, 300.0, 300.0]
    assert [name for _, name in nines(1000)] == ["p0", "p50", "p90", "p99", "p99.9"]


@settings(deadline=None)
@given(st.floats(1e-3, 1e12), st.floats(1e-3, 1e12))
def test_ticks_are_few_and_on_the_scale(one: float, other: float) -> None:
    scale = times(min(one, other), max(one, other), 0.0, 100.0)
    found = ticks(scale)
    assert 1 <= len(found) <= 16
    assert all(scale.low <= each <= scale.high * (1 + 1e-9) for each in found)


def test_subjects_of_both_kinds_have_a_name() -> None:
    assert (load().subject.kind, hostile().subject.kind, ordinary().subject.kind) == ("load", "chain", "chain")
