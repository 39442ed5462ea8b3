"""Zipkin's own pages, as published, in a real browser on our store: they find and draw what chains left there."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest

from tests.browser.conftest import Opened
from tests.cli.program import call, start
from tests.zipkin import real

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
RECORDED = Path(__file__).parents[1] / "unit" / "traces" / "cluster-trace.json"
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>"

# How many pixels of a picture are neither white nor grey: of the drawings only nodes, labels and dots are coloured.
COLOURED = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const data = canvas.getImageData(0, 0, image.width, image.height).data;
  let found = 0;
  for (let at = 0; at < data.length; at += 4)
    if (Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]) > 40) found++;
  return found;
}"""

Look = Callable[[str], Opened]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Starts `toolkit trace serve --lens` and tells its address; as often as it is asked."""
    try:
        jar = real.lens_jar()
    except real.MissingError as missing:
        pytest.skip(str(missing))
    running: list[subprocess.Popen[str]] = []

    def one() -> str:
        folder = tmp_path_factory.mktemp("served")
        program = start(folder, "trace", "serve", "--listen", "127.0.0.1:0", "--lens", str(jar))
        running.append(program)
        assert program.stdout is not None
        return program.stdout.readline().split()[-1].removesuffix("/api/v2/spans")

    yield one
    for program in running:
        program.terminate()
        program.communicate(timeout=20)


@pytest.fixture(scope="module")
def ran(served: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store that holds the traces of two real runs on the local engine."""
    url = served()
    for chain in ("chained-eventing", "chained-serving"):
        done = call(tmp_path_factory.mktemp("ran"), "run", chain, "--requests", "12", "--zipkin", url)
        assert done.returncode == 0, done.stderr
    return url


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    contexts = []

    def one(address: str) -> Opened:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on("dialog", found.refuse)
        found.page.on("request", lambda asked: found.requests.append(asked.url))
        found.page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
        found.page.goto(address)
        return found

    yield one
    for each in contexts:
        each.close()


def put(url: str, spans: list[dict[str, Any]]) -> None:
    asked = Request(f"{url}/api/v2/spans", json.dumps(spans).encode(), {"Content-Type": "application/json"})
    with urlopen(asked, timeout=10) as answer:
        assert answer.status == 202


def graph(page: Page, url: str) -> list[str]:
    """Opens the page of dependencies, waits until it has drawn, and tells whom it offers to look at.

    Circles, as every way through the same gateway makes them, are laid upon each other: the names are what counts.
    """
    page.goto(f"{url}/zipkin/dependency")
    page.get_by_role("button", name="Run query").click()
    canvas = page.locator("canvas").first
    canvas.wait_for()
    deadline = time.monotonic() + 30
    while _coloured(page, canvas.screenshot()) < 1500:
        assert time.monotonic() < deadline, "nothing was drawn within 30 s"
        page.wait_for_timeout(100)
    page.get_by_placeholder("Select...").click()
    offered = page.get_by_role("option")
    offered.first.wait_for()
    return sorted(offered.all_inner_texts())


def _coloured(page: Page, picture: bytes) -> int:
    blank = page.context.new_page()
    found = blank.evaluate(COLOURED, base64.b64encode(picture).decode())
    blank.close()
    return int(found)


def results(found: Opened, url: str, **asked: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    found.page.goto(f"{url}/zipkin/?lookback=1h&limit=100&{query}")
    found.page.get_by_role("button", name="Run query").click()
    found.page.get_by_role("button", name="Show", exact=True).first.wait_for()


def test_the_front_door_shows_the_published_pages_and_asks_nobody_else(ran: str, look: Look) -> None:
    found = look(ran)
    found.page.get_by_text("Find a trace").wait_for()
    found.page.get_by_text("Search Traces").wait_for()
    assert found.page.url == f"{ran}/zipkin/"
    assert all(each.startswith((f"{ran}/", "data:", "blob:")) for each in found.requests)
    assert found.errors == []


def test_our_functions_are_offered_by_name(ran: str, look: Look) -> None:
    found = look(f"{ran}/zipkin/")
    found.page.locator("button:has(svg[data-icon=plus])").click()
    found.page.get_by_text("serviceName", exact=True).click()
    offered = found.page.locator("body")
    for name in ("caller", "producer", "consumer"):
        offered.get_by_text(name, exact=True).first.wait_for()
    assert found.errors == []


def test_a_search_finds_evented_traces_and_opens_one_as_a_timeline(ran: str, look: Look) -> None:
    found = look(ran)
    results(found, ran, serviceName="consumer", remoteServiceName="broker")
    rows = found.page.get_by_role("button", name="Show", exact=True)
    assert rows.count() == 12
    rows.first.click()
    found.page.get_by_text("Total Spans").wait_for()
    shown = found.page.inner_text("body")
    for part in ("caller: helloworld.greeter/sayhello", "producer: emit", "consumer: ", "toolkit.message"):
        assert part in shown
    assert "/zipkin/traces/" in found.page.url
    found.picture("lens-trace")
    assert found.errors == []


def test_a_trace_has_an_address_of_its_own(ran: str, look: Look) -> None:
    with urlopen(f"{ran}/api/v2/traces?serviceName=producer&limit=1", timeout=10) as answer:
        trace = json.load(answer)[0][0]["traceId"]
    found = look(f"{ran}/zipkin/traces/{trace}")
    found.page.get_by_text(trace).first.wait_for()
    found.page.reload()
    found.page.get_by_text(trace).first.wait_for()
    assert found.errors == []


def test_the_graph_of_dependencies_has_the_broker_in_it(ran: str, look: Look) -> None:
    found = look(ran)
    assert graph(found.page, ran) == ["broker", "caller", "consumer", "producer"]
    found.page.keyboard.press("Escape")
    found.picture("lens-dependencies")
    assert found.errors == []


def test_the_platforms_spans_of_a_real_cluster_are_in_the_graph_too(served: Callable[[], str], look: Look) -> None:
    url = served()
    spans = json.loads(RECORDED.read_text())
    late = time.time_ns() // 1000 - max(each["timestamp"] for each in spans) - 60_000_000
    put(url, [{**each, "timestamp": each["timestamp"] + late} for each in spans])
    found = look(url)
    functions = ["caller", "consumer", "producer", "publisher", "subscriber"]
    platform = ["activator", "broker.filter", "broker.ingress", "inmemorychannel-dispatcher", "kourier-knative"]
    assert graph(found.page, url) == sorted([*functions, "broker", *platform])
    found.page.get_by_role("option", name="broker", exact=True).click()
    found.picture("lens-platform")
    assert found.errors == []


def test_what_strangers_say_in_spans_runs_nowhere(served: Callable[[], str], look: Look) -> None:
    url = served()
    span = {
        "traceId": "a" * 32,
        "id": "b" * 16,
        "name": HOSTILE,
        "kind": "SERVER",
        "timestamp": time.time_ns() // 1000 - 1_000_000,
        "duration": 1000,
        "localEndpoint": {"serviceName": HOSTILE},
        "remoteEndpoint": {"serviceName": "javascript:alert(3)"},
        "tags": {HOSTILE: HOSTILE, "http.url": "javascript:alert(4)", "error": HOSTILE},
        "annotations": [{"timestamp": time.time_ns() // 1000 - 1_000_000, "value": HOSTILE}],
    }
    put(url, [span])
    found = look(url)
    results(found, url)
    found.page.get_by_role("button", name="Show", exact=True).click()
    found.page.get_by_text("Total Spans").wait_for()
    assert found.page.get_by_text("onerror=alert(1)").count() > 0
    assert len(graph(found.page, url)) == 2
    assert found.errors == []
