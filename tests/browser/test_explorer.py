"""The trace explorer in a real browser: whole, quiet, readable, used by keyboard, and deaf to what strangers say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser import looking, traces_pages
from tests.browser.conftest import Opened
from tests.browser.traces_made import Document

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

PAGES = ("ordinary", "beside", "hostile", "huge", "wide", "nothing", "single")
Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("traces")
    for name, document in traces_pages.documents().items():
        (folder / f"{name}.html").write_text(traces_pages.page(document), encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def opened(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens an embedded page, or an address, at a place that its hash names, and waits until something is drawn."""
    contexts = []

    def open_one(name: str, place: str = "", scheme: Any = "light", width: int = 1280) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda said: found.errors.append(said.text))
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on("dialog", found.refuse)
        found.page.on("request", lambda asked: found.requests.append(asked.url))
        found.page.goto((name if "://" in name else pages[name].as_uri()) + place)
        found.page.wait_for_selector("#traces-chips .chip, #traces-trouble:not([hidden])")
        if place.startswith(("#trace=", "#diff=")):
            found.page.wait_for_selector("#traces-view section")
        return found

    yield open_one
    for each in contexts:
        each.close()


def at(document: Document, quantile: float) -> str:
    exemplars = document["overview"]["analysis"]["exemplars"]
    return str(next(each["trace"] for each in exemplars if each["quantile"] == quantile))


def places(name: str) -> list[str]:
    """Every view that a page has: its overview, a trace, two traces."""
    document = traces_pages.documents()[name]
    assert document is not None
    ids = list(document["details"])
    return ["", *(f"#trace={each}" for each in ids[-1:]), *([f"#diff={ids[0]},{ids[-1]}"] if ids else [])]


def until(found: Opened, script: str) -> None:
    """Waits for what a script asks; the page's policy keeps the browser's own waiting from evaluating text."""
    deadline = monotonic() + 10
    while not found.ask(script):
        assert monotonic() < deadline, script
        found.page.wait_for_timeout(20)


def text(found: Opened, selector: str) -> str:
    return found.page.inner_text(selector).replace("\N{NO-BREAK SPACE}", " ")


VIEWS = [(name, place) for name in PAGES for place in places(name)]
each_view = pytest.mark.parametrize(("name", "place"), VIEWS, ids=[f"{name}{place[:7]}" for name, place in VIEWS])


@each_view
def test_a_view_is_quiet_whole_and_readable(opened: Open, name: str, place: str) -> None:
    found = opened(name, place)
    found.picture(f"traces-{name}{place[:6]}")
    assert found.errors == []
    assert [urlsplit(each).scheme for each in found.requests if not each.startswith("data:")] == ["file"]
    assert found.ask(looking.UNNAMED) == []
    assert found.ask(looking.POOR_CONTRAST) == []
    assert found.ask(looking.FAINT_SHAPES) == []
    for width in (1280, 400):
        found.page.set_viewport_size({"width": width, "height": 900})
        assert found.ask(looking.OVERFLOW) == 0
        assert found.ask(looking.UNREACHABLE) == []
    found.picture(f"traces-{name}{place[:6]}-narrow")


@each_view
def test_a_view_is_readable_in_the_dark(opened: Open, name: str, place: str) -> None:
    found = opened(name, place, "dark")
    found.picture(f"traces-{name}{place[:6]}-dark")
    assert found.ask(looking.POOR_CONTRAST) == []
    assert found.ask(looking.FAINT_SHAPES) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_kind_of_time_has_a_colour_that_stands_out_from_the_card(opened: Open, scheme: str) -> None:
    found = opened("ordinary", scheme=scheme)
    ratios = found.page.evaluate(
        """() => {
          const light = (node, which) => {
            const said = getComputedStyle(node)[which];  // rgb(0 to 255) or, of a mixture, color(srgb 0 to 1)
            const whole = said.startsWith("color") ? 1 : 255;
            const n = said.match(/[\\d.]+/g).slice(0, 3).map(Number).map((v) => v / whole)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * n[0] + 0.7152 * n[1] + 0.0722 * n[2];
          };
          const card = light(document.querySelector("section"), "backgroundColor");
          return Object.fromEntries([...document.querySelectorAll("#traces-bands .legend .swatch")].map((each) => {
            const [a, b] = [light(each, "backgroundColor"), card].sort((x, y) => y - x);
            return [each.parentElement.textContent, (a + 0.05) / (b + 0.05)];
          }));
        }"""
    )
    assert len(ratios) == 10
    assert {name: ratio for name, ratio in ratios.items() if ratio < 3} == {}


@pytest.mark.parametrize("name", ["ordinary", "hostile", "wide", "single"])
def test_nothing_in_a_drawing_is_outside_or_upon_other_words(opened: Open, name: str) -> None:
    found = opened(name)
    assert found.page.locator("svg[role=img]").count() == 2
    assert found.ask(looking.OUTSIDE) == []
    assert found.ask(looking.OVERLAPPING) == []


def test_the_chain_is_drawn_with_what_flows_and_what_failed(opened: Open) -> None:
    found = opened("ordinary")
    said = " | ".join(found.page.locator("#traces-graph text").all_text_contents()).replace("\N{NO-BREAK SPACE}", " ")
    for each in ("1,200 · 100/s", "p50 3.14 ms · p99 18.2 ms", "✗ 12 failed · ◌ 4 missing", "◌ 1,200 missing", "audit"):
        assert each in said
    assert found.page.locator("#traces-graph .edge.event").count() == 3
    assert found.ask("getComputedStyle(document.querySelector('.edge.event .line')).strokeDasharray") != "none"
    assert found.ask("getComputedStyle(document.querySelector('.edge.call .line')).strokeDasharray") == "none"


def test_a_drawing_is_read_out_and_opened_by_keyboard(opened: Open) -> None:
    found = opened("ordinary")
    page = found.page
    page.focus("#traces-spread .scroll")
    page.keyboard.press("End")
    assert re.search(r"to 1\.80.s: \d+ traces", page.inner_text("#traces-spread .readout"))
    page.keyboard.press("Enter")
    page.wait_for_selector("section.trace")
    assert page.url.endswith(page.inner_text("section.trace .run code"))
    page.keyboard.press("Escape")
    page.wait_for_selector("#traces-overview:not([hidden])")
    page.focus("#traces-chain .scroll")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert text(found, "#traces-chain .readout") == "producer: 1,200 spans · works 942 µs"
    page.keyboard.press("Enter")
    until(found, "document.querySelector('[name=service]').value === 'producer'")


def test_a_percentile_is_a_link_to_the_trace_there(opened: Open) -> None:
    found = opened("ordinary")
    found.page.click("a.step:has-text('p99.9')")
    found.page.wait_for_selector("section.trace")
    assert found.page.url.endswith(f"#trace={at(traces_pages.ordinary(), 0.999)}")


def test_one_sentence_says_what_makes_the_slow_ones_slow(opened: Open) -> None:
    found = opened("ordinary")
    said = text(found, "#traces-bands .finding")
    assert said.startswith(
        "What makes the slow ones slow: the slowest 1 % (12) take 1.56 s longer than the fastest 50 %"
    )
    assert "cold wait in activator +1.56 s" in said


def test_bars_of_bands_are_times_or_shares(opened: Open) -> None:
    found = opened("ordinary")
    width = "document.querySelector('.band-row:nth-child(2) .stack').lastElementChild.getBoundingClientRect().right"
    shares = found.ask(width)
    found.page.click("[data-mode=time]")
    assert found.ask(width) < shares / 2
    assert found.page.get_attribute("[data-mode=time]", "aria-pressed") == "true"


def test_clocks_and_gaps_are_told_in_sentences(opened: Open) -> None:
    said = text(opened("ordinary"), "#traces-hops .told")
    assert "The clock of node-b is ahead of that of node-a by 2.10 ms to 2.40 ms" in said
    assert "Missing: producer → consumer (event) in 4 traces." in said
    assert "1,196 of 1,200 traces show the whole chain" in said


def test_a_search_finds_and_is_an_address(opened: Open) -> None:
    found = opened("ordinary")
    page = found.page
    page.keyboard.press("/")
    assert found.ask("document.activeElement.name") == "service"
    page.check("[name=failed]")
    failed = sum(each["failed"] for each in traces_pages.ordinary()["overview"]["traces"])
    page.wait_for_selector(f"text=The first {failed} traces, newest first.")
    assert page.locator("table.traces tbody tr").count() == failed
    page.fill("[name=min]", "1s")
    page.keyboard.press("Enter")
    until(found, "location.hash.includes('min_us')")
    assert "min_us%3D1000000" in page.url
    page.reload()
    page.wait_for_selector("#traces-list > .about:not(:empty)")
    assert page.input_value("[name=min]").replace("\N{NO-BREAK SPACE}", " ") == "1.00 s"
    page.click("text=Clear")
    page.wait_for_selector("text=The first 1,000 traces, newest first.")
    page.fill("[name=tag]", "faas.coldstart=true")
    page.keyboard.press("Enter")
    until(found, "/^The first [1-9]\\d? traces/.test(document.querySelector('#traces-list > .about').textContent)")
    assert "are known of the 120 traces that this file keeps whole" in text(found, "#traces-list > .about")


def test_a_duration_that_is_none_is_refused_with_words(opened: Open) -> None:
    found = opened("ordinary")
    found.page.fill("[name=min]", "soon")
    found.page.keyboard.press("Enter")
    assert found.ask("document.querySelector('[name=min]').validationMessage") == "Write 250us, 5ms or 2s."


def test_the_list_is_walked_opened_and_left_by_keyboard(opened: Open) -> None:
    found = opened("ordinary")
    page = found.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    row = found.ask(
        "[...document.querySelectorAll('table.traces tbody tr')].indexOf(document.activeElement.closest('tr'))"
    )
    assert row == 1
    assert found.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    page.wait_for_selector("section.trace")
    assert found.ask("document.activeElement.id") == "traces-h-trace"
    page.keyboard.press("Escape")
    page.wait_for_selector("#traces-overview:not([hidden])")
    back = found.ask(
        "[...document.querySelectorAll('table.traces tbody tr')].indexOf(document.activeElement.closest('tr'))"
    )
    assert back == 1


def test_arrows_scroll_a_page_on_which_nothing_is_focused(opened: Open) -> None:
    found = opened("ordinary")
    found.page.keyboard.press("ArrowDown")
    until(found, "scrollY > 0")
    assert found.ask("document.activeElement === document.body")
    found.page.click("a.step:has-text('max')")
    found.page.wait_for_selector("section.trace")
    found.ask("document.activeElement.blur()")
    found.page.keyboard.press("ArrowDown")
    assert found.ask("document.activeElement === document.body")


@pytest.mark.parametrize("key", ["j", "/", "?", "ArrowDown"])
def test_inside_a_report_keys_are_heard_only_within_the_traces(opened: Open, key: str) -> None:
    found = opened("ordinary")
    found.ask("document.getElementById('traces-title').remove()")  # which only a page of its own has
    found.page.keyboard.press(key)
    assert found.ask("document.activeElement === document.body && !document.getElementById('traces-help').open")
    found.page.focus("#traces-keys")
    found.page.keyboard.press("/")
    assert found.ask("document.activeElement.name") == "service"


@pytest.mark.parametrize("way", ["key", "click"])
def test_the_focus_returns_to_the_row_that_opened_a_trace(opened: Open, way: str) -> None:
    found = opened("ordinary", "#q=sort%3Dslowest")
    page = found.page
    page.wait_for_selector("text=slowest first.")
    row = page.locator("table.traces tbody tr:has(a)").nth(2)
    wanted = row.get_attribute("data-id")
    if way == "key":
        row.locator("a").focus()
        page.keyboard.press("Enter")
    else:
        row.locator("time").click()
    page.wait_for_selector("section.trace")
    page.keyboard.press("Escape")
    page.wait_for_selector("#traces-overview:not([hidden])")
    assert page.url.endswith("#q=sort%3Dslowest")
    until(found, f"document.activeElement.closest('tr')?.dataset.id === '{wanted}'")


@pytest.mark.parametrize("place", ["#trace=zz", "#diff=1", "#trace="])
def test_an_address_that_names_no_trace_says_so(opened: Open, place: str) -> None:
    found = opened("ordinary", place)
    assert "There is no such trace" in text(found, "#traces-view")


def test_back_and_forward_go_through_views(opened: Open) -> None:
    found = opened("ordinary")
    page = found.page
    page.click("a.step:has-text('max')")
    page.wait_for_selector("section.trace")
    page.select_option("section.trace select", index=1)
    page.wait_for_selector("section.difference")
    page.go_back()
    page.wait_for_selector("section.trace")
    page.go_back()
    page.wait_for_selector("#traces-overview:not([hidden])")
    page.go_forward()
    page.wait_for_selector("section.trace")
    assert page.title().endswith("· chained-eventing")


def rows(found: Opened) -> list[str]:
    said = found.page.locator("table.fall tbody tr:not(.detail) .span-name").all_inner_texts()
    return [each.replace("\N{NO-BREAK SPACE}", " ") for each in said]


def test_the_platforms_spans_are_one_line_a_hop_until_they_are_asked_for(opened: Open) -> None:
    found = opened("ordinary", f"#trace={at(traces_pages.ordinary(), 0.5)}")
    folded = rows(found)
    assert [each.split()[0] for each in folded] == [
        "caller",
        "platform",
        "producer",
        "producer",
        "platform",
        "consumer",
    ]
    assert "broker ingress · channel dispatcher · broker filter · gateway · activator · queue-proxy" in folded[4]
    found.page.keyboard.press("p")
    assert len(rows(found)) == 15
    found.page.keyboard.press("p")
    assert rows(found) == folded


def test_the_waterfall_folds_and_tells_by_keyboard(opened: Open) -> None:
    found = opened("ordinary", f"#trace={at(traces_pages.ordinary(), 0.99)}")
    page = found.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert found.ask("document.activeElement.querySelector('.span-name').textContent").startswith("platform")
    page.keyboard.press("ArrowRight")
    assert len(rows(found)) == 9
    page.keyboard.press("ArrowLeft")
    assert len(rows(found)) == 6
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    said = text(found, "tr.detail")
    assert "toolkit.message" in said
    assert "on the critical path" not in said
    assert "of the trace" in said
    page.keyboard.press("Escape")
    assert page.locator("tr.detail").count() == 0
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert len(rows(found)) == 1
    assert page.get_attribute("table.fall tbody tr", "aria-expanded") == "false"


def test_the_critical_path_is_strong_and_adds_up(opened: Open) -> None:
    document = traces_pages.ordinary()
    chosen = at(document, 0.95)
    found = opened("ordinary", f"#trace={chosen}")
    whole = document["details"][chosen]["duration_us"]
    widths = found.page.evaluate(
        "[...document.querySelectorAll('.path-row .piece')].map((each) => Number(each.style.getPropertyValue('--d')))"
    )
    assert sum(widths) == pytest.approx(1.0)
    assert len(widths) == len(document["details"][chosen]["path"])
    assert found.ask("getComputedStyle(document.querySelector('.fall tbody .piece')).borderTopWidth") == "4px"
    assert found.page.locator("tr.off").count() == 2
    assert whole > 0


def window(found: Opened) -> tuple[float, float]:
    style = "document.querySelector('.waterfall').style.getPropertyValue"
    start, zoom = float(found.ask(f"{style}('--from')")), float(found.ask(f"{style}('--zoom')"))
    return start, start + 1 / zoom


def test_time_is_zoomed_by_keys_by_dragging_and_shown_whole_again(opened: Open) -> None:
    found = opened("ordinary", f"#trace={at(traces_pages.ordinary(), 0.9)}")
    page = found.page
    page.keyboard.press("+")
    assert window(found) == pytest.approx((0.25, 0.75))
    page.keyboard.press("Shift+ArrowRight")
    assert window(found) == pytest.approx((0.375, 0.875))
    page.keyboard.press("0")
    assert window(found) == pytest.approx((0, 1))
    box = page.locator(".map").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20, steps=4)
    page.mouse.up()
    start, end = window(found)
    assert start == pytest.approx(0.2, abs=0.01)
    assert end == pytest.approx(0.4, abs=0.01)
    assert " of " in page.inner_text(".wide .tools .hint")
    lane = page.locator("tbody .lane").nth(2).bounding_box()
    assert lane is not None
    page.mouse.move(lane["x"] + lane["width"] * 0.5, lane["y"] + 8)
    page.mouse.down()
    page.mouse.move(lane["x"] + lane["width"] * 0.75, lane["y"] + 8, steps=4)
    page.mouse.up()
    assert window(found)[0] == pytest.approx(0.3, abs=0.01)
    assert page.locator("tr.detail").count() == 0
    page.dblclick(".map")
    assert window(found) == pytest.approx((0, 1))


def test_errors_and_clocks_are_marked_with_words(opened: Open) -> None:
    document = traces_pages.ordinary()
    failed = next(each["id"] for each in document["details"].values() if each["failed"])
    found = opened("ordinary", f"#trace={failed}")
    assert "✗ error" in text(found, "table.fall")
    found.page.click("tr.broken .span-name")
    assert "INTERNAL: no room left on device" in text(found, "tr.detail")
    assert "⧖ clock" in text(opened("hostile", f"#trace={2:032x}"), "table.fall")


def test_two_traces_are_compared_in_words_and_bars(opened: Open) -> None:
    document = traces_pages.ordinary()
    found = opened("ordinary", f"#diff={at(document, 0.5)},{at(document, 0.99)}")
    assert "the cold wait in activator is new: +1.34 s" in text(found, ".difference .finding")
    assert text(found, ".pairs tbody tr >> nth=0").startswith("activator (platform)")
    found.page.click("text=swap")
    found.page.wait_for_selector("text=is gone")


def test_two_are_marked_in_the_list_and_compared(opened: Open) -> None:
    found = opened("ordinary")
    for key in ("j", "c", "j", "c"):
        found.page.keyboard.press(key)
    found.page.wait_for_selector("section.difference")


def test_another_run_stands_beside_with_its_change_in_words(opened: Open) -> None:
    found = opened("beside")
    assert re.match(
        r"On average a trace of this run takes [\d.]+ ms longer than the other run",
        text(found, "#traces-against .finding"),
    )
    assert not opened("ordinary").page.is_visible("#traces-against")


def test_hostile_words_are_words(opened: Open) -> None:
    for place in places("hostile"):
        found = opened("hostile", place)
        assert found.errors == []
        assert found.page.locator("img").count() == 0
        assert found.page.locator("script").count() == 2
        assert "owned" not in found.page.title().split("</script>")[0]
        assert found.page.title() != "owned"
        drawn = found.ask("document.querySelector('#traces').innerText")
        assert "<img src=x onerror=alert(1)>" in drawn
        assert "\u202e" not in drawn
        assert "\x1b" not in drawn
    found.page.goto(found.page.url.split("#")[0] + "#trace=%3Cimg%20src%3Dx%3E")
    assert found.page.locator("img").count() == 0


def test_a_trace_that_is_not_in_the_file_says_where_it_is(opened: Open) -> None:
    found = opened("ordinary", "#trace=abc123")
    assert "open the run with toolkit trace ui" in text(found, "#traces-view")
    found.page.keyboard.press("Escape")
    found.page.wait_for_selector("#traces-overview:not([hidden])")


def test_nothing_is_nothing_and_says_so(opened: Open) -> None:
    found = opened("nothing")
    assert text(found, "#traces-list > .about") == "No traces yet."
    for hidden in ("chain", "spread", "bands", "hops", "against"):
        assert not found.page.is_visible(f"#traces-{hidden}")


def test_the_keys_are_told(opened: Open) -> None:
    found = opened("ordinary")
    found.page.keyboard.press("?")
    assert found.page.is_visible("dialog[open] >> text=zoom in, out, show all")
    assert found.ask(looking.POOR_CONTRAST) == []
    found.page.keyboard.press("Escape")
    assert not found.page.is_visible("dialog")


def test_the_colours_somebody_chose_are_remembered(opened: Open) -> None:
    found = opened("ordinary")
    background = "getComputedStyle(document.body).backgroundColor"
    found.page.click("#theme")
    dark = found.ask(background)
    found.page.reload()
    found.page.wait_for_selector("#traces-chips .chip")
    assert found.ask(background) == dark == "rgb(17, 22, 28)"
    assert "light" in found.page.inner_text("#theme")


def test_a_page_prints_whole_and_without_buttons(opened: Open) -> None:
    found = opened("ordinary", f"#trace={at(traces_pages.ordinary(), 0.9)}")
    found.page.emulate_media(media="print")
    assert not found.page.is_visible(".map")
    assert not found.page.is_visible("#theme")
    assert len(found.page.pdf(format="A4")) > 10_000


def test_a_huge_trace_says_what_it_leaves_out_and_keeps_every_row(opened: Open) -> None:
    found = opened("huge", f"#trace={'f' * 32}")
    assert "The first 2,000 spans of 2,345 are shown." in text(found, "section.trace")
    found.page.keyboard.press("p")
    rows = "document.querySelectorAll('table.fall tbody tr').length"
    found.page.wait_for_selector("table.fall tbody tr >> nth=1999", state="attached")  # drawn later
    assert found.ask(rows) == 2000
    found.page.keyboard.press("j")
    found.page.keyboard.press("End")
    assert "step 1998" in found.ask("document.activeElement.innerText")


class Live(BaseHTTPRequestHandler):
    """The server's part: the page, and documents that grow with every question."""

    questions = 0
    gone = False
    asked: list[str]

    def do_GET(self) -> None:
        at = urlsplit(self.path)
        type(self).asked.append(self.path)
        if at.path == "/":
            return self._say(200, traces_pages.page(None).encode(), "text/html; charset=utf-8")
        if type(self).gone:
            return self._say(503, b'{"error": "the store went away"}')
        status, found = self._found(at.path, {key: each[0] for key, each in parse_qs(at.query).items()})
        return self._say(status, json.dumps(found).encode())

    def _found(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        document = traces_pages.ordinary()
        if path == "/data/overview":
            type(self).questions += 1
            made = traces_pages.overview(traces_pages.drawn(40 + type(self).questions))
            return 200, made | {"live": True, "every_ms": 100, "window_s": 60.0, "source": "zipkin"}
        if path == "/data/trace":
            return 200, document["details"].get(query["id"], next(iter(document["details"].values())))
        if path == "/data/search" and query.get("tag") == "=":
            return 400, {"error": "tag: '=' is not a key"}
        if path == "/data/search":
            return 200, {"traces": document["overview"]["traces"][:3], "more": False, "note": "of the last 60 s"}
        return 404, {"error": f"{path} is not here"}

    def _say(self, status: int, body: bytes, content: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", content)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def live() -> Iterator[tuple[str, type[Live]]]:
    handler = type("Here", (Live,), {"questions": 0, "gone": False, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    running = Thread(target=server.serve_forever)
    running.start()
    yield f"http://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    running.join()
    server.server_close()


def test_a_live_page_grows_pauses_and_goes_on(opened: Open, live: tuple[str, type[Live]]) -> None:
    address, server = live
    found = opened(address)
    page = found.page
    assert page.title() == "chained-eventing"
    until(found, "Number(/(\\d+) traces/.exec(document.querySelector('#traces-chips').textContent)[1]) > 43")
    page.keyboard.press("j")
    first = found.ask("document.activeElement.closest('tr').dataset.id")
    seen = server.questions
    until(found, "document.activeElement.closest('tr') !== null")
    until(found, f"document.querySelector('#traces-chips').textContent.includes('{40 + seen + 2} traces')")
    assert found.ask("document.activeElement.closest('tr').dataset.id") == first
    page.click("text=Pause")
    page.wait_for_selector("text=❙❙ paused")
    assert page.inner_text("#traces-pause") == "Go on"
    page.click("text=Go on")
    page.wait_for_selector("text=● live")
    assert found.errors == []


def test_a_live_page_says_when_its_server_is_gone_and_when_it_is_back(
    opened: Open, live: tuple[str, type[Live]]
) -> None:
    address, server = live
    found = opened(address)
    server.gone = True
    found.page.wait_for_selector("text=the store went away")
    assert "stale: no answer for" in text(found, "#traces-chips")
    assert found.page.is_visible("#traces-graph")
    server.gone = False
    found.page.wait_for_selector("text=● live")
    assert not found.page.is_visible("#traces-trouble")


def test_a_live_page_asks_its_server_to_search_and_tells_its_refusal(
    opened: Open, live: tuple[str, type[Live]]
) -> None:
    address, server = live
    found = opened(address)
    found.page.fill("[name=span]", "a&b=c d")
    found.page.keyboard.press("Enter")
    found.page.wait_for_selector("text=3 traces, newest first. of the last 60 s")
    assert "/data/search?span=a%26b%3Dc+d" in server.asked
    found.page.fill("[name=tag]", "=")
    found.page.keyboard.press("Enter")
    found.page.wait_for_selector("text=tag: '=' is not a key")
    found.page.click("a.step >> nth=0")
    found.page.wait_for_selector("section.trace")
    found.page.goto(address + "#diff=a,b")
    found.page.wait_for_selector("text=diff is not here")
    assert {urlsplit(each).netloc for each in found.requests if each.startswith("http")} == {urlsplit(address).netloc}
