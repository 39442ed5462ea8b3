"""The page of a run in a real browser: whole, quiet, readable by everybody, and deaf to what strangers say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser import looking
from tests.browser.conftest import Opened

pytestmark = pytest.mark.browser

PAGES = ("ordinary", "hostile", "load", "nothing", "beside")
DRAWN = {
    "ordinary": ("percentiles", "histogram", "timeline", "critical-path", "cold-starts"),
    "hostile": ("percentiles", "histogram", "timeline", "critical-path"),
    "load": ("percentiles", "histogram", "timeline"),
    "beside": ("percentiles", "histogram", "timeline", "critical-path"),
}
Open = Callable[..., Opened]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_but_itself_and_complains_of_nothing(opened: Open, name: str) -> None:
    found = opened(name)
    found.picture(f"{name}-light")
    assert found.errors == []
    assert [each for each in found.requests if not each.startswith("data:")] == [found.page.url]


@pytest.mark.parametrize("name", DRAWN)
def test_every_chart_is_drawn(opened: Open, name: str) -> None:
    found = opened(name)
    for chart in DRAWN[name]:
        width, height = found.page.evaluate(looking.DRAWN, chart)
        assert width > 300, chart
        assert height > 40, chart
    assert found.ask(looking.OUTSIDE) == []


@pytest.mark.parametrize("name", DRAWN)
def test_no_two_words_in_a_chart_lie_upon_each_other(opened: Open, name: str) -> None:
    assert opened(name).ask(looking.OVERLAPPING) == []


@pytest.mark.parametrize("width", [360, 768, 1920])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_its_window(opened: Open, name: str, width: int) -> None:
    found = opened(name, width=width)
    if width == 360:
        found.picture(f"{name}-narrow")
    assert found.ask(looking.OVERFLOW) == 0
    assert found.ask(looking.UNREACHABLE) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_all_text_can_be_read(opened: Open, name: str, scheme: str) -> None:
    found = opened(name, scheme)
    found.picture(f"{name}-{scheme}")
    assert found.ask(looking.POOR_CONTRAST) == []
    assert found.ask(looking.FAINT_SHAPES) == []


@pytest.mark.parametrize("name", PAGES)
def test_everything_has_a_name_and_a_place(opened: Open, name: str) -> None:
    assert opened(name).ask(looking.UNNAMED) == []


def test_the_switch_changes_the_colours_and_back(opened: Open) -> None:
    found = opened("ordinary")
    background = "getComputedStyle(document.body).backgroundColor"
    light = found.ask(background)
    found.page.click("#theme")
    dark = found.ask(background)
    assert dark != light
    assert found.ask(looking.POOR_CONTRAST) == []
    found.page.click("#theme")
    assert found.ask(background) == light


def test_the_system_decides_until_somebody_switches(opened: Open) -> None:
    found = opened("ordinary", "dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert found.ask(background) == "rgb(17, 22, 28)"
    found.page.click("#theme")
    assert found.ask(background) == "rgb(246, 247, 249)"


def test_the_keyboard_reaches_the_switch_the_charts_and_the_tables(opened: Open) -> None:
    found = opened("ordinary")
    reached = []
    for _ in range(12):
        found.page.keyboard.press("Tab")
        reached.append(found.ask("document.activeElement.className + '/' + document.activeElement.id"))
        outline = found.ask("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached[-1]
    assert reached[:2] == ["skip/", "/theme"]
    assert "scroll/" in reached


def test_arrow_keys_read_a_chart_out(opened: Open) -> None:
    found = opened("ordinary")
    found.page.focus("figure:has(#timeline) .scroll")
    found.page.keyboard.press("ArrowRight")
    first = found.page.inner_text("figure:has(#timeline) .readout")
    found.page.keyboard.press("ArrowRight")
    second = found.page.inner_text("figure:has(#timeline) .readout")
    assert first.startswith("0 s: due 100/s")
    assert second != first


def test_the_pointer_reads_a_chart_out(opened: Open) -> None:
    found = opened("ordinary")
    found.page.hover("#percentiles .band >> nth=30")
    assert "latency" in found.page.inner_text("figure:has(#percentiles) .readout")


def test_hostile_words_are_words(opened: Open) -> None:
    found = opened("hostile")
    assert found.errors == []
    assert found.page.locator("img").count() == 0
    assert found.page.locator("script").count() == 1
    assert found.page.title().startswith("</script></style></title><script>document.title='owned'")
    assert "{{ 7*7 }}" in found.page.inner_text("h1")
    assert "\u202e" not in found.page.content()
    assert "\x1b" not in found.page.content()


def test_the_policy_stops_what_would_slip_through(opened: Open) -> None:
    found = opened("ordinary")
    found.ask("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=`owned`\">')")
    found.ask(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title=1'}))"
    )
    refused = found.ask("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert refused == "refused"
    assert found.page.title().startswith("chained-eventing")
    assert any("Content Security Policy" in each for each in found.errors)


def test_without_script_everything_is_there_but_the_switch(opened: Open) -> None:
    found = opened("ordinary", script=False)
    assert not found.page.is_visible("#theme")
    assert found.page.is_visible("#percentiles")
    assert found.page.is_visible("text=chained-eventing >> nth=0")
    found.page.click("summary >> nth=0")
    assert found.page.is_visible("details[open] table >> nth=0")


def test_an_invalid_run_says_so_before_any_number(opened: Open) -> None:
    found = opened("hostile")
    assert found.page.inner_text(".banner >> nth=0").startswith("INVALID: the generator does not trust these numbers")
    banner, table = (found.page.locator(each).first.bounding_box() for each in (".banner", "table"))
    assert banner is not None
    assert table is not None
    assert banner["y"] < table["y"]


def test_a_page_prints_without_scroll_bars_or_buttons(opened: Open) -> None:
    found = opened("ordinary")
    found.page.emulate_media(media="print")
    assert not found.page.is_visible("#theme")
    assert found.ask("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
    assert len(found.page.pdf(format="A4")) > 10_000


def test_calls_of_a_small_run_are_dots_and_those_of_a_large_one_lines(opened: Open) -> None:
    assert opened("ordinary").page.locator("#timeline circle").count() > 1000
    large = opened("load").page
    assert large.locator("#timeline circle").count() == 0
    assert large.locator("#timeline path.line.tail").count() == 1
