"""Real runs with a real Zipkin: every trace arrives whole, and what can be wrong with an address is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.cli.program import all_gone, call, start, wait_until
from tests.zipkin.real import Real
from toolkit.engines import zipkin_client

pytestmark = [pytest.mark.zipkin, pytest.mark.timeout(240)]
START_WITHIN_S = 90.0
NOBODYS = "fade" * 8  # a trace that no test brings


@pytest.fixture
def ready(zipkin_url: str) -> str:
    asyncio.run(zipkin_client.ready(zipkin_url, within_s=START_WITHIN_S))
    return zipkin_url


def asked(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        return json.load(answer)


def ran(folder: Path, *words: str) -> dict[str, Any]:
    done = call(folder, "run", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(("chain", "spans"), [("chained-serving", 4), ("chained-eventing", 4), ("chained-mixed", 8)])
def test_every_trace_of_a_run_is_whole_in_a_real_zipkin(tmp_path: Path, ready: str, chain: str, spans: int) -> None:
    report = ran(tmp_path, chain, "--requests", "20", "--zipkin", ready)
    assert report["traces"]["complete"] == report["traces"]["expected"] == 20
    (check,) = (each for each in report["checks"] if each["name"] == "traced")
    assert check["passed"]
    (kept,) = tmp_path.glob("runs/*/spans.json*")
    stored = json.loads(kept.read_text())
    ids = {each["traceId"] for each in stored}
    assert len(ids) == 20
    for trace in sorted(ids)[:3]:
        there = asked(f"{ready}/api/v2/trace/{trace}")
        assert len(there) == spans
        assert {each["id"] for each in there} == {each["id"] for each in stored if each["traceId"] == trace}


def test_a_trace_is_shown_out_of_a_real_zipkin(tmp_path: Path, ready: str) -> None:
    ran(tmp_path, "chained-eventing", "--requests", "5", "--zipkin", ready)
    found = asked(f"{ready}/api/v2/traces?serviceName=consumer&remoteServiceName=broker&limit=1")
    trace = found[0][0]["traceId"]
    shown = call(tmp_path, "trace", "show", trace, "--zipkin", ready)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0].startswith(f"trace {trace} · 4 spans · 3 services")
    assert [line.split("[")[1].split("]")[0] for line in lines[1:5]] == ["client", "server", "producer", "consumer"]


def test_a_real_zipkin_draws_the_broker_between_functions(tmp_path: Path, ready: str) -> None:
    ran(tmp_path, "chained-eventing", "--requests", "5", "--zipkin", ready)
    end = max(each["timestamp"] for trace in asked(f"{ready}/api/v2/traces?limit=1") for each in trace) // 1000
    links = asked(f"{ready}/api/v2/dependencies?endTs={end + 10_000}&lookback=3600000")
    drawn = {(each["parent"], each["child"]) for each in links}
    assert {("caller", "producer"), ("producer", "broker"), ("broker", "consumer")} <= drawn


def test_what_a_real_zipkin_holds_is_analysed_and_carried_on_like_a_run(tmp_path: Path, mortal: Real) -> None:
    """A server of its own, so that it holds nothing but this run."""
    asyncio.run(zipkin_client.ready(mortal.url, within_s=START_WITHIN_S))
    ran(tmp_path, "chained-eventing", "--requests", "30", "--zipkin", mortal.url)
    of_the_run = call(tmp_path, "trace", "analyze", "-o", "json")
    of_zipkin = call(tmp_path, "trace", "analyze", "--zipkin", mortal.url, "--chain", "chained-eventing", "-o", "json")
    assert (of_the_run.returncode, of_zipkin.returncode) == (0, 0), of_the_run.stderr + of_zipkin.stderr
    mine, theirs = json.loads(of_the_run.stdout)["analysis"], json.loads(of_zipkin.stdout)["analysis"]
    apart = theirs["cold"] + theirs["failed"]
    assert (theirs["traces"] + apart, theirs["spans"] + 4 * apart) == (30, 120)
    for part in ("durations_us", "bands", "hops", "completeness"):
        assert theirs[part] == mine[part], part
    exported = call(tmp_path, "trace", "export", "--zipkin", mortal.url, "--to", "spans.json.gz")
    assert exported.returncode == 0, exported.stderr
    again = call(tmp_path, "trace", "import", "spans.json.gz", "--zipkin", mortal.url)
    assert again.returncode == 0, again.stderr
    once_more = call(tmp_path, "trace", "export", "--zipkin", mortal.url, "--to", "again.json.gz")
    assert once_more.returncode == 0, once_more.stderr
    assert _spans(tmp_path / "again.json.gz") == _spans(tmp_path / "spans.json.gz")


def _spans(file: Path) -> set[str]:
    return {json.dumps(each, sort_keys=True) for each in json.loads(gzip.decompress(file.read_bytes()))}


@pytest.mark.parametrize("place", ["/", "/api/v2/spans"])
def test_any_address_that_zipkin_is_known_by_will_do(tmp_path: Path, ready: str, place: str) -> None:
    report = ran(tmp_path, "chained-serving", "--requests", "3", "--zipkin", ready + place)
    assert report["traces"]["complete"] == 3


@pytest.mark.parametrize("place", ["/zipkin", "/zipkin/"])
def test_the_address_of_its_pages_is_told_apart(tmp_path: Path, ready: str, place: str) -> None:
    done = call(tmp_path, "run", "chained-serving", "--requests", "3", "--zipkin", ready + place)
    assert done.returncode == 3
    assert f"{ready}/zipkin/api/v2/spans takes no spans" in done.stderr
    assert f"name it {ready}\n" in done.stderr
    shown = call(tmp_path, "trace", "show", NOBODYS, "--zipkin", ready + place)
    assert f"has no trace {NOBODYS}" in shown.stderr


def test_a_zipkin_that_dies_during_a_run_costs_the_run_its_spans_and_nothing_else(tmp_path: Path, mortal: Real) -> None:
    asyncio.run(zipkin_client.ready(mortal.url, within_s=START_WITHIN_S))
    words = ("run", "chained-serving", "--duration", "4s", "--rate", "20", "--zipkin", mortal.url)
    program = start(tmp_path, *words)
    wait_until(lambda: "producer" in asked(f"{mortal.url}/api/v2/services"), "spans in Zipkin")
    mortal.process.send_signal(signal.SIGKILL)
    mortal.process.wait(10)
    told, said = program.communicate(timeout=60)
    assert program.returncode == 4, said
    assert "Traceback" not in said + told
    assert f"the spans could not be had: {mortal.url}/api/v2/spans cannot be reached" in " ".join(told.split())
    report = json.loads(next(tmp_path.glob("runs/*/report.json")).read_text())
    assert report["load"]["ok"] == 80
    assert {each["name"] for each in report["checks"] if not each["passed"]} == {"traced", "clean"}
    assert all_gone(tmp_path) == {}


# --- what is no Zipkin; these need none


class Page(BaseHTTPRequestHandler):
    """A site that has a page for everything, as a single-page application's server does."""

    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><title>Everything is fine</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_page_in_place_of_a_zipkin_is_refused_before_anything_is_started(tmp_path: Path, page: str) -> None:
    done = call(tmp_path, "run", "chained-serving", "--requests", "3", "--zipkin", page)
    assert done.returncode == 3
    assert "answered with something else than" in done.stderr
    assert page in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("runs/*/report.json")) == []


def test_nobody_in_place_of_a_zipkin_is_told(tmp_path: Path) -> None:
    done = call(tmp_path, "run", "chained-serving", "--requests", "3", "--zipkin", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert "http://127.0.0.1:9" in done.stderr
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["zipkin:9411", "ftp://127.0.0.1:9411", "http://", "http://a b/", "9411"])
def test_what_is_no_address_is_told_as_bad_input(tmp_path: Path, text: str) -> None:
    done = call(tmp_path, "run", "chained-serving", "--zipkin", text)
    assert done.returncode == 2
    assert "--zipkin" in done.stderr
    assert "Traceback" not in done.stderr
