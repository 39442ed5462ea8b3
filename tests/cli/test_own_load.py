"""What a chain's own load (`load:` in its chain.yaml) comes to beside what is typed and what the environment says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from toolkit.cli import load_options, main, run_command, tree
from toolkit.results import Load
from toolkit.spec.model import OwnLoad

CLOSED, OPEN = OwnLoad(requests=8, concurrency=2), OwnLoad(requests=50, rate=20)
AMOUNT, NOTHING = OwnLoad(requests=8), OwnLoad()
CHAIN = "name: own\nfunctions: {only: {handler: 'handlers.py:handle'}}\n"


class Sent(NamedTuple):
    requests: int | None
    rate: float | None
    concurrency: int | None
    arrivals: str = "constant"
    think: str | None = None
    duration_s: float | None = None


def told(load: Load) -> Sent:
    return Sent(load.requests, load.rate, load.concurrency, load.arrivals, load.think, load.duration_s)


def asked(own: OwnLoad | None, *words: str) -> Sent:
    return told(load_options.load(tree.parser_of("run").parse_args(["x", *words]), own))


@pytest.fixture
def chain(tmp_path: Path) -> str:
    (tmp_path / "chain.yaml").write_text(f"{CHAIN}load: {{requests: 8, concurrency: 2}}\n")
    (tmp_path / "handlers.py").write_text("async def handle(ctx, request):\n    return request.name\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("own", "words", "sent"),
    [
        (None, "", Sent(200, 100.0, None)),
        (NOTHING, "", Sent(200, 100.0, None)),
        (CLOSED, "", Sent(8, None, 2)),
        (OPEN, "", Sent(50, 20, None)),
        (AMOUNT, "", Sent(8, 100.0, None)),
        (OwnLoad(rate=20), "", Sent(200, 20, None)),
        (OwnLoad(concurrency=2), "", Sent(200, None, 2)),
        # How much, and how fast, are told apart.
        (CLOSED, "--requests 3", Sent(3, None, 2)),
        (CLOSED, "--duration 5s", Sent(None, None, 2, duration_s=5.0)),
        (OPEN, "--duration 5s", Sent(None, 20, None, duration_s=5.0)),
        (CLOSED, "--rate 5", Sent(8, 5.0, None)),
        (CLOSED, "--concurrency 1", Sent(8, None, 1)),
        (OPEN, "--rate 5", Sent(50, 5.0, None)),
        (OPEN, "--concurrency 1", Sent(50, None, 1)),
        (CLOSED, "--requests 3 --rate 5", Sent(3, 5.0, None)),
        # Arrivals are an open loop's.
        (CLOSED, "--arrivals poisson", Sent(8, 100.0, None, "poisson")),
        (CLOSED, "--arrivals constant", Sent(8, 100.0, None)),
        (OPEN, "--arrivals poisson", Sent(50, 20, None, "poisson")),
        (CLOSED, "--arrivals constant --concurrency 3", Sent(8, None, 3)),
        # To think is a closed one's.
        (CLOSED, "--think 1s", Sent(8, None, 2, think="1s")),
        (OPEN, "--think 1s", Sent(50, None, 1, think="1s")),
        (NOTHING, "--think 1s", Sent(200, None, 1, think="1s")),
        (OPEN, "--think 1s --concurrency 4", Sent(50, None, 4, think="1s")),
        # Each generator has something to do.
        (CLOSED, "--generators 4", Sent(8, None, 4)),
        (OwnLoad(requests=2), "--generators 4", Sent(4, 100.0, None)),
        (OPEN, "--generators 4 --think 1s", Sent(50, None, 4, think="1s")),
    ],
)
def test_a_chains_own_load_is_what_is_sent_where_nobody_says_it(own: OwnLoad | None, words: str, sent: Sent) -> None:
    assert asked(own, *words.split()) == sent


@pytest.mark.parametrize(
    ("own", "environment", "words", "sent"),
    [
        (CLOSED, {"REQUESTS": "3"}, "", Sent(3, None, 2)),
        (CLOSED, {"DURATION": "5s"}, "", Sent(None, None, 2, duration_s=5.0)),
        (CLOSED, {"RATE": "5"}, "", Sent(8, 5.0, None)),
        (OPEN, {"CONCURRENCY": "3"}, "", Sent(50, None, 3)),
        (CLOSED, {"ARRIVALS": "poisson"}, "", Sent(8, 100.0, None, "poisson")),
        (OPEN, {"THINK": "1s"}, "", Sent(50, None, 1, think="1s")),
        (CLOSED, {"RATE": "5"}, "--concurrency 1", Sent(8, None, 1)),
        (OPEN, {"THINK": "1s"}, "--arrivals poisson", Sent(50, 20, None, "poisson")),
        (CLOSED, {"ARRIVALS": "poisson"}, "--think 1s", Sent(8, None, 2, think="1s")),
        (CLOSED, {"REQUESTS": "3"}, "--duration 5s", Sent(None, None, 2, duration_s=5.0)),
        (CLOSED, {"CONCURRENCY": "3"}, "--arrivals constant", Sent(8, 100.0, None)),
    ],
)
def test_a_variable_of_the_environment_wins_over_the_chain(
    own: OwnLoad, environment: dict[str, str], words: str, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"TOOLKIT_{name}", value)
    assert asked(own, *words.split()) == sent


@pytest.mark.parametrize("own", [CLOSED, OPEN])
def test_a_recording_says_how_many_and_when_itself(own: OwnLoad, tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("seq,due_ns\n0,0\n1,500000000\n2,1000000000\n")
    arrivals = f"recorded:{tmp_path}/calls.csv"
    assert asked(own, "--arrivals", arrivals) == Sent(3, None, None, arrivals)
    assert asked(own, "--arrivals", arrivals, "--requests", "2") == Sent(2, None, None, arrivals)


def test_cold_starts_come_one_at_a_time_whatever_the_chain_says(chain: str) -> None:
    order = run_command._order(tree.parser_of("run").parse_args([chain, "--cold", "3"]))
    assert told(order.load) == Sent(3, None, 1)


def test_the_load_that_is_planned_is_the_one_that_is_run(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "plan", chain, "-o", "json"]) == 0
    planned = json.loads(capsys.readouterr().out)["load"]
    assert (planned["requests"], planned["concurrency"], planned["rate"]) == (8, 2, None)
    assert main(["load", "plan", "-o", "json"]) == 0
    planned = json.loads(capsys.readouterr().out)["load"]
    assert (planned["requests"], planned["concurrency"], planned["rate"]) == (200, None, 100)


def test_a_bare_run_sends_the_chains_own_load_and_reports_it(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", chain, "--no-out", "-o", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    asked = report["load"]["asked"]
    assert (asked["requests"], asked["concurrency"], report["load"]["sent"]) == (8, 2, 8)


def test_every_trial_sends_it(chain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs"
    assert main(["run", chain, "--trials", "2", "--out", str(out), "-o", "json"]) == 0
    capsys.readouterr()
    loads = [json.loads(each.read_text())["load"]["asked"] for each in sorted(out.glob("own-*/report.json"))]
    assert [(each["requests"], each["concurrency"]) for each in loads] == [(8, 2), (8, 2)]


def test_what_cannot_be_sent_is_told_before_anything_is_fetched(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(chain, "chain.yaml").write_text(f"{CHAIN}requires: ['no-such-thing-of-ours==9']\n")
    assert main(["run", chain, "--install", "--rate", "5", "--think", "1s"]) == 2
    assert "--think: in an open loop" in capsys.readouterr().err


def test_the_help_of_run_says_where_its_load_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    said = tree.parser_of("run").format_help()
    assert "by default what the chain's `load` says" in said
    assert "200 calls, 100 a second" in said
    assert "the chain's" not in tree.parser_of("load").format_help()
