"""JUnit XML that any CI can read, whatever a function said."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.sample import REPORT
from toolkit.report.junit import of_load, render
from toolkit.results import CallNumbers, Check, Load, LoadReport


def test_each_check_is_a_test_case_and_broken_ones_say_why() -> None:
    suite = Xml.fromstring(render(REPORT)).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) == (
        "pair",
        "3",
        "2",
        "0",
    )
    good, bad, _ = suite.findall("testcase")
    assert (good.get("name"), good.get("classname"), list(good)) == ("answered", "pair.local", [])
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == "consumer was started again once"
    assert failure.text == ("wanted: no function started again\ngot: consumer was started again once\nconsumer: killed")


def test_a_chains_run_that_is_no_measurement_fails_as_its_exit_status_does() -> None:
    kept = replace(REPORT, checks=REPORT.checks[:1])
    root = Xml.fromstring(render(kept))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    *_, valid = root.iter("testcase")
    failure = valid.find("failure")
    assert failure is not None
    assert (valid.get("name"), failure.get("message")) == ("valid", "the generator was late")
    trusted = replace(kept, measurement=replace(kept.measurement, invalid=()))
    assert Xml.fromstring(render(trusted)).get("failures") == "0"


def test_the_run_and_its_engine_are_properties() -> None:
    found = {each.get("name"): each.get("value") for each in Xml.fromstring(render(REPORT)).iter("property")}
    assert (found["run"], found["engine"], found["partial"]) == (REPORT.run, "local (emulated)", "true")


@given(text=st.text())
def test_nothing_a_function_says_breaks_out_of_the_document(text: str) -> None:
    said = f"]]></failure><testcase/>&lt;{text}\x00\x1b"
    report = replace(REPORT, chain=said, checks=(Check(said, False, said, said, (said,)),))
    root = Xml.fromstring(render(report).encode("utf-8", "strict"))
    assert len(list(root.iter("testcase"))) == 2


def test_a_load_has_two_cases_and_its_errors_cannot_break_out() -> None:
    numbers = CallNumbers(
        10, 8, 2, 0, 0, 1.0, 10.0, None, None, None, errors=(("UNKNOWN", "</failure>\x00", 2),), invalid=("late",)
    )
    load = Load(requests=10, rate=10.0)
    report = LoadReport("load-1", "h2c://x", "t", "0", {}, (), load, 1, None, None, (), numbers)
    root = Xml.fromstring(of_load(report))
    assert (root.get("tests"), root.get("failures")) == ("2", "2")
    assert [case.get("name") for case in root.iter("testcase")] == ["answered", "valid"]
    assert "UNKNOWN: </failure>� (2 calls)" in "".join(root.itertext())
