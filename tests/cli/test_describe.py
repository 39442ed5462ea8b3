"""`toolkit describe`: the knobs for a cluster stand in it where they are set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.cli import main

CHAIN = """name: tuned
functions: {shop: {handler: "handlers.py:take", scale: {metric: cpu, max: 3}, resources: {cpu: 250m}}}
"""


@pytest.fixture
def chain(tmp_path: Path) -> str:
    (tmp_path / "chain.yaml").write_text(CHAIN)
    (tmp_path / "handlers.py").write_text("async def take(context, message): ...\n")
    return str(tmp_path)


def test_the_knobs_and_what_is_to_be_known_stand_in_the_text(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", chain]) == 0
    told = capsys.readouterr().out
    assert "on a cluster\n  shop  scale      max 3, metric cpu, autoscaler hpa\n        resources  cpu 250m\n" in told
    assert "to know\n  shop.scale.autoscaler: hpa is an extension of Knative" in told


def test_the_knobs_and_the_notes_stand_in_the_json(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", chain, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    shop = told["functions"][0]
    assert (shop["scale"]["max"], shop["scale"]["autoscaler"]) == (3, "hpa")
    assert shop["resources"] == {"requests": {"cpu": "250m"}, "limits": {"cpu": "250m"}}
    assert len(told["notes"]) == 1


def test_a_chain_without_knobs_says_nothing_of_clusters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "chained-serving"]) == 0
    assert "on a cluster" not in capsys.readouterr().out


def test_a_chain_with_a_load_of_its_own_says_what_is_sent(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(chain, "chain.yaml").write_text(f"{CHAIN}load: {{requests: 1, concurrency: 2}}\n")
    assert main(["describe", chain]) == 0
    assert "\nload\n  1 call, 2 at a time\n" in capsys.readouterr().out
    assert main(["describe", chain, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["load"] == {"requests": 1, "rate": None, "concurrency": 2}
    Path(chain, "chain.yaml").write_text(f"{CHAIN}load: {{requests: 5000, rate: 0.5}}\n")
    assert main(["describe", chain]) == 0
    assert "\nload\n  5,000 calls, 0.5 a second\n" in capsys.readouterr().out


def test_a_chain_without_a_load_says_nothing_of_one(chain: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", chain]) == 0
    assert "\nload\n" not in capsys.readouterr().out
    assert main(["describe", chain, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["load"] == {"requests": None, "rate": None, "concurrency": None}
