"""`toolkit compare` as a user calls it, on runs as they lie on disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from tests.unit.report.sample import MEASUREMENT, REPORT
from toolkit import cli, runs, trials
from toolkit.columns import DTYPE, LOST
from toolkit.contract import Receipt
from toolkit.results import CallRecord, Evidence, Stamped
from toolkit.verdicts import Group, Trial

VALID = replace(REPORT, measurement=replace(MEASUREMENT, invalid=()), partial=False, edges=(("a", "b", "call"),))


def calls(median_ms: float, n: int = 3000, failed: int = 0, seed: int = 1) -> list[CallRecord]:
    found = []
    for at, latency in enumerate(np.random.default_rng(seed).lognormal(np.log(median_ms * 1e6), 0.2, n).tolist()):
        due, status = at * 10_000_000, "UNAVAILABLE" if at % 100 < failed else "OK"
        found.append(CallRecord(at, f"c{at}", "t", False, due, due + 10, due + round(latency), status))
    return found


def keep(out: Path, name: str, made: list[CallRecord], **changed: object) -> str:
    report = replace(VALID, run=name, **changed)  # type: ignore[arg-type]
    runs.save(out, report, made, Evidence())
    return name


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def compare(out: Path, *arguments: str) -> int:
    return cli.main(["compare", *arguments, "--out", str(out)])


def test_a_run_that_is_slower_is_a_regression_and_ends_with_status_5(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = keep(out, "a", calls(1.0, seed=1)), keep(out, "b", calls(1.3, seed=2))
    assert compare(out, a, b) == 5
    told = capsys.readouterr().out
    assert "B is WORSE than A" in told
    assert "one run a side" in told
    assert compare(out, b, a) == 0
    assert "B is better than A" in capsys.readouterr().out


def test_equal_runs_are_indistinguishable_and_the_json_is_one_object(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = keep(out, "a", calls(1.0, seed=1)), keep(out, "b", calls(1.0, seed=2))
    assert compare(out, a, b, "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["overall"], found["min_effect"]) == ("comparison", "indistinguishable", 0.05)
    assert [each["metric"] for each in found["metrics"]] == ["latency p50", "latency p95", "latency p99", "errors"]
    assert (
        found["metrics"][0]["interval"]["low"] < found["metrics"][0]["ratio"] < found["metrics"][0]["interval"]["high"]
    )


def test_junit_has_a_case_a_metric_and_fails_those_that_are_worse(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = keep(out, "a", calls(1.0, seed=1)), keep(out, "b", calls(1.0, failed=5, seed=2))
    assert compare(out, a, b, "-o", "junit") == 5
    document = Xml.fromstring(capsys.readouterr().out)
    assert [each.get("name") for each in document.iter("testcase") if each.find("failure") is not None] == ["errors"]


def test_what_is_not_alike_is_refused_with_every_difference_unless_it_is_meant(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = keep(out, "a", calls(1.0))
    other = replace(VALID.load, rate=100.0)
    b = keep(out, "b", calls(1.0, seed=2), parameters={"payload": 1, "name": "x"}, load=other, engine="knative",
             measurement=replace(MEASUREMENT, invalid=(), asked_rate=100.0))  # fmt: skip
    assert compare(out, a, b) == 2
    told = capsys.readouterr().err
    assert all(each in told for each in ("engine: local → knative", "load.rate: 50.0 → 100.0", "parameters.payload"))
    assert compare(out, a, b, "--across", "parameters", "--across", "load", "--across", "engine") == 0
    assert compare(out, a, b, "--force") == 0


def test_another_seed_commit_or_number_of_calls_does_not_stand_in_the_way(out: Path) -> None:
    a = keep(out, "a", calls(1.0))
    b = keep(out, "b", calls(1.0, 2500, seed=2), git_commit="other", load=replace(VALID.load, seed=9, requests=2500))
    assert compare(out, a, b) == 0


def test_an_invalid_run_is_told_and_ends_with_status_6_unless_forced(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = replace(MEASUREMENT, invalid=("the generator was late",))
    a, b = keep(out, "a", calls(1.0)), keep(out, "b", calls(1.0, seed=2), measurement=late)
    assert compare(out, a, b) == 6
    assert "b is no valid measurement: the generator was late" in " ".join(capsys.readouterr().out.split())
    assert compare(out, a, b, "--force") == 0


def test_an_invalid_run_is_an_error_in_junit_too(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    late = replace(MEASUREMENT, invalid=("the generator was late",))
    a, b = keep(out, "a", calls(1.0)), keep(out, "b", calls(1.0, seed=2), measurement=late)
    assert compare(out, a, b, "-o", "junit") == 6
    document = Xml.fromstring(capsys.readouterr().out)
    (error,) = document.iter("error")
    assert error.get("message") == "b: the generator was late"
    assert [each.get("name") for each in document.iter("testcase") if each.find("error") is not None] == ["valid"]
    assert (document.get("errors"), document.get("tests")) == ("1", str(len(list(document.iter("testcase")))))
    assert compare(out, a, b, "-o", "junit", "--force") == 0
    document = Xml.fromstring(capsys.readouterr().out)
    (skipped,) = document.iter("skipped")
    assert (skipped.get("message"), list(document.iter("error"))) == ("forced, b: the generator was late", [])
    assert compare(out, a, keep(out, "c", calls(1.0, seed=3)), "-o", "junit") == 0
    (valid,) = (
        each for each in Xml.fromstring(capsys.readouterr().out).iter("testcase") if each.get("name") == "valid"
    )
    assert list(valid) == []


def test_too_few_calls_end_with_status_6(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = keep(out, "a", calls(1.0, 10)), keep(out, "b", calls(1.0, 10, seed=2))
    assert compare(out, a, b) == 6
    assert "too few samples" in capsys.readouterr().out


def test_cold_calls_are_in_no_warm_latency(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first 100 calls met a cold function, as their receipts say; they would make B slower."""
    made = calls(1.0, seed=2)
    slow = [replace(each, done_ns=(each.done_ns or 0) + 10**9) for each in made[:100]]
    receipt = Receipt("c", "a", "r", 0, "m", "entry", "caller", "", 0, 0, 0, cold=True)
    receipts = [Stamped(replace(receipt, call=each.call, message=each.call), 1) for each in slow]
    runs.save(out, replace(VALID, run="b"), [*slow, *made[100:]], Evidence(receipts))
    a = keep(out, "a", calls(1.0))
    assert compare(out, a, "b", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["b"]["calls"] == 2900


def test_more_cold_calls_are_a_regression_and_told_as_a_share(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = keep(out, "a", calls(1.0))
    made = [replace(each, cold=each.seq % 20 == 7) for each in calls(1.0, seed=2)]
    assert compare(out, a, keep(out, "b", made)) == 5
    told = capsys.readouterr().out
    (line,) = (each for each in told.splitlines() if each.startswith("cold calls"))
    assert line.split()[2:5] == ["0.00%", "5.00%", "+5.00%"]
    assert compare(out, "a", "b", "-o", "junit") == 5
    document = Xml.fromstring(capsys.readouterr().out)
    failed = [each.get("name") for each in document.iter("testcase") if each.find("failure") is not None]
    assert failed == ["cold calls"]


def test_runs_of_a_load_are_compared_by_their_columns(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, name in enumerate(("one", "two")):
        rows = np.zeros(2000, dtype=DTYPE)
        rows["seq"] = np.arange(2000)
        rows["due_ns"] = rows["sent_ns"] = 10**9 + rows["seq"] * 10**6
        rows["done_ns"] = rows["due_ns"] + np.random.default_rng(seed).integers(10**5, 10**6, 2000)
        rows["status"][7], rows["done_ns"][7] = LOST, 0
        (out / name).mkdir(parents=True)
        np.save(out / name / "calls.npy", rows)
        load = {"model": "open", "asked_rate": 1000.0, "invalid": []}
        (out / name / "report.json").write_text(json.dumps({"schema": 1, "kind": "load", "target": "x", "load": load}))
    assert compare(out, "one", "two", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["a"]["calls"], found["metrics"][-1]["a"]) == (1999, 1 / 2000)


def test_a_group_is_split_in_the_order_in_which_its_values_were_asked_for(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As text, 16KiB comes before 8KiB."""
    made = []
    for block in range(2):
        for value, median in (("16KiB", 1.5), ("8KiB", 1.0)):
            name = keep(out, f"{value}-{block}", calls(median, 1200, seed=block), parameters={"payload": value})
            made.append(Trial(name, block, {"payload": value}))
    asked = ({"payload": "8KiB"}, {"payload": "16KiB"})
    trials.keep(out, Group("asked", "pair", 1, 4, tuple(made), variants=asked), {})
    compare(out, "asked", "--by", "payload", "-o", "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["a"]["name"], found["b"]["name"]) == ("payload=8KiB", "payload=16KiB")
    trials.keep(out, Group("old", "pair", 1, 4, tuple(made)), {})
    compare(out, "old", "--by", "payload", "-o", "json")
    found = json.loads(capsys.readouterr().out)
    assert (found["a"]["name"], found["b"]["name"]) == ("payload=16KiB", "payload=8KiB")
    assert any("sorted as text" in each for each in found["notes"])


def test_a_group_is_split_by_the_parameter_that_varied(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = []
    for block in range(4):
        for value, median in ((1, 1.0), (2, 1.5)):
            name = f"run-{block}-{value}"
            keep(out, name, calls(median, 1200, seed=10 * block + value), parameters={"payload": value})
            made.append(Trial(name, block, {"payload": str(value)}))
    trials.keep(out, Group("all", "pair", 1, 8, tuple(made)), {})
    assert compare(out, "all", "--by", "payload") == 5
    told = capsys.readouterr().out
    assert "payload=1 · 4 runs" in told
    assert "parameters.payload: 1 → 2" in told
    assert compare(out, "all", "--by", "nothing") == 2
    assert compare(out, ",".join(f"run-{at}-1" for at in range(4)), ",".join(f"run-{at}-2" for at in range(4))) == 2


@pytest.mark.parametrize(
    "arguments",
    [("a",), ("a", "a"), ("a", "nobody"), (",", "a"), ("a", "b", "--by", "x"), ("a", "b", "--min-effect", "0"),
     ("a", "b", "--min-effect", "200%"), ("a", "b", "-o", "yaml")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(out: Path, arguments: tuple[str, ...]) -> None:
    keep(out, "a", calls(1.0, 50))
    keep(out, "b", calls(1.0, 50, seed=2))
    assert compare(out, *arguments) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"seq": 1}', '{"seq": "x", "call": "c", "done_ns": 1, "status": "OK"}']
)
def test_calls_that_are_none_are_told(out: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    keep(out, "a", calls(1.0, 50))
    keep(out, "b", calls(1.0, 50, seed=2))
    (out / "b" / "calls.ndjson").write_text(text + "\n" if text else "\n")
    assert compare(out, "a", "b") == 2
    assert "calls.ndjson" in capsys.readouterr().err
