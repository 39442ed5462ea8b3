"""`toolkit trace ui` as a user meets it: a real run, the real server, a real browser; and the run's page, offline."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import looking
from tests.browser.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
Open = Callable[[str], Opened]
REQUESTS = 1100  # a p99 needs 1,000
PROGRAM = (sys.executable, "-m", "toolkit.cli")


def toolkit(*words: str) -> None:
    """A process of its own: the browser's event loop runs in this one."""
    subprocess.run([*PROGRAM, *words], check=True, capture_output=True, timeout=100)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of an eventing chain."""
    out = tmp_path_factory.mktemp("runs")
    for seed in ("1", "2"):
        load = ("--requests", str(REQUESTS), "--concurrency", "4", "--seed", seed)  # as fast as a busy machine is
        toolkit("run", "chained-eventing", *load, "--out", str(out))
    one, other = sorted(out.iterdir())
    return one, other


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """The address that `toolkit trace ui` prints."""
    with subprocess.Popen(
        [*PROGRAM, "trace", "ui", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            said = process.communicate(timeout=20)
    assert process.returncode in (0, 130), said


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    contexts = []

    def open_one(address: str, scheme: Any = "light") -> Opened:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda said: found.errors.append(said.text))
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on("dialog", found.refuse)
        found.page.on("request", lambda asked: found.requests.append(asked.url))
        found.page.goto(address)
        found.page.wait_for_selector("#traces-chain svg")
        return found

    yield open_one
    for each in contexts:
        each.close()


def test_a_run_is_looked_at_from_the_graph_to_the_trace_at_its_p99(opened: Open, runs: tuple[Path, Path]) -> None:
    with serving(str(runs[0])) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        found = opened(address)
        drawn = found.page.inner_text("#traces-chain figure .scroll >> nth=0")
        assert all(word in drawn for word in ("caller", "producer", "broker", "consumer", f"{REQUESTS:,}"))
        found.picture("trace-ui-overview")
        found.page.get_by_role("group", name="The trace at each percentile").get_by_text("p99", exact=True).click()
        found.page.wait_for_selector("#traces-view:not([hidden]) svg, #traces-view:not([hidden]) [role=treegrid]")
        told = found.page.inner_text("#traces-view")
        assert "sayhello" in told
        assert "consumer" in told
        assert "#trace=" in found.page.url
        found.picture("trace-ui-p99")
        found.page.go_back()
        found.page.wait_for_selector("#traces-overview:not([hidden])")
        assert found.errors == []
        assert all(each.startswith((address, "data:")) for each in found.requests)


def test_two_traces_and_two_runs_are_held_beside_each_other(opened: Open, runs: tuple[Path, Path]) -> None:
    spans = json.loads((runs[0] / "spans.json").read_text())
    first, second = spans[0]["traceId"], spans[-1]["traceId"]
    with serving(str(runs[0]), "--against", str(runs[1])) as address:
        found = opened(address)
        assert runs[1].name in found.page.inner_text("#traces-against")
        found.picture("trace-ui-against")
        found.page.goto(f"{address}#diff={first},{second}")
        found.page.wait_for_selector("#traces-view:not([hidden])")
        assert "producer → consumer (event)" in found.page.inner_text("#traces-view")
        found.picture("trace-ui-diff")
        assert found.errors == []
    assert first != second


def test_the_page_of_a_run_holds_its_traces_and_opens_offline(
    opened: Open, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    found = opened((runs[0] / "report.html").as_uri())
    assert "producer" in found.page.inner_text("#traces-chain")
    found.picture("trace-ui-report")
    found.page.get_by_role("group", name="The trace at each percentile").get_by_text("p99", exact=True).click()
    found.page.wait_for_selector("#traces-view:not([hidden])")
    found.picture("trace-ui-report-trace")
    assert found.errors == []
    assert [each for each in found.requests if not each.startswith(("data:", "file:"))] == []
    assert len({each for each in found.requests if each.startswith("file:")}) == 1


def test_a_page_of_two_runs_holds_what_changed_between_their_traces(
    opened: Open, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "both.html"
    toolkit("report", str(runs[0]), "-o", "html", "--with", str(runs[1]), "--to", str(page))
    found = opened(page.as_uri())
    assert runs[1].name in found.page.inner_text("#traces-against")
    assert found.errors == []


@pytest.fixture(scope="module")
def scatter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose driver has sixteen workers wait at the same time."""
    out = tmp_path_factory.mktemp("scatter")
    asked = ("--set", "width=16", "--set", "pause=1s", "--set", "size=1000", "--requests", "3", "--concurrency", "1")
    toolkit("run", "fan-out", *asked, "--out", str(out))
    (run,) = out.iterdir()
    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_ran_at_once_is_told_of_all_traces_and_in_the_waterfall_of_one(
    opened: Callable[..., Opened], scatter: Path, scheme: str
) -> None:
    found = opened((scatter / "report.html").as_uri(), scheme)
    head, *rest = found.page.locator("#traces-fans tbody tr").all_inner_texts()
    assert rest == []
    assert "driver → worker" in head
    assert re.search(r"\t16\t", head)
    found.picture(f"fans-overview-{scheme}")
    found.page.locator("#traces-fans a").press("Enter")
    found.page.wait_for_selector("section.trace")
    (row,) = found.page.locator("section.trace table.fans tbody tr").all()
    branches, at_once, overlap, *_ = row.locator("td").all_inner_texts()
    assert branches == "16"
    assert 1 < int(at_once) <= 16
    assert "%" in overlap
    row.get_by_role("button").press("Enter")
    sender = found.page.locator("tr:focus")
    assert f"{at_once} at once" in sender.inner_text()
    sender.press("Enter")
    assert "driver → worker: 16 branches" in found.page.inner_text("tr.detail")
    found.picture(f"fans-trace-{scheme}")
    assert found.ask(looking.POOR_CONTRAST) == []
    sender.press("Escape")
    assert found.ask(looking.UNNAMED) == []
    found.page.set_viewport_size({"width": 400, "height": 900})
    assert (found.ask(looking.OVERFLOW), found.ask(looking.UNREACHABLE)) == (0, [])
    found.picture(f"fans-trace-{scheme}-narrow")
    assert found.errors == []


def test_the_live_page_tells_what_ran_at_once_too(opened: Open, scatter: Path) -> None:
    with serving(str(scatter)) as address:
        found = opened(address)
        assert "driver → worker" in found.page.inner_text("#traces-fans")
        assert found.errors == []
