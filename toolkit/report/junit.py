"""A report as JUnit XML: one test case a check, so that any CI can show which promise was broken.

The last case is `valid`: whether the measurement is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as Xml

from toolkit.report.characters import printable
from toolkit.results import Check, LoadReport, Report


def render(report: Report) -> str:
    """The XML document. Nothing that a function said can break out of it: it is one printable line in a text node."""
    name = f"{report.chain}.{report.engine}"
    found = report.measurement
    checks = (*report.checks, _valid(found.invalid))
    return _document(report.chain, name, checks, _properties(report), found.duration_s, report.started)


def of_load(report: LoadReport) -> str:
    """The same of a load that is no chain's: whether calls were answered, and whether the measurement is valid."""
    found = report.numbers
    bad = found.failed + found.lost
    checks = (
        Check(
            "answered",
            bad == 0,
            "every call answered OK",
            f"{found.ok:,} of {found.sent:,} answered OK",
            tuple(f"{status}: {words} ({calls:,} calls)" for status, words, calls in found.errors),
        ),
        _valid(found.invalid),
    )
    properties = {
        "run": report.run,
        "target": report.target,
        "seed": str(report.load.seed),
        "toolkit_version": report.toolkit_version,
        "partial": str(report.partial).lower(),
    }
    return _document(report.target, "load", checks, properties, found.duration_s, report.started)


def _valid(invalid: tuple[str, ...]) -> Check:
    """A measurement that nobody should trust must not be green: the process ends with 6."""
    return Check("valid", not invalid, "a valid measurement", "; ".join(invalid) or "it is", invalid)


def _document(
    suite_name: str,
    class_name: str,
    checks: Sequence[Check],
    properties: Mapping[str, str],
    took_s: float,
    started: str,
) -> str:
    failed = sum(not check.passed for check in checks)
    suite = Xml.Element(
        "testsuite",
        name=printable(suite_name),
        tests=str(len(checks)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{took_s:.3f}",
        timestamp=printable(started),
    )
    told = Xml.SubElement(suite, "properties")
    for name, value in properties.items():
        Xml.SubElement(told, "property", name=name, value=printable(value))
    for check in checks:
        suite.append(_case(class_name, check))
    suites = Xml.Element("testsuites", tests=str(len(checks)), failures=str(failed))
    suites.append(suite)
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def _properties(report: Report) -> dict[str, str]:
    return {
        "run": report.run,
        "engine": f"{report.engine}{' (emulated)' if report.emulated else ''}",
        "seed": str(report.load.seed),
        "spec_sha256": report.spec_sha256,
        "toolkit_version": report.toolkit_version,
        "partial": str(report.partial).lower(),
    }


def _case(class_name: str, check: Check) -> Xml.Element:
    case = Xml.Element("testcase", classname=printable(class_name), name=printable(check.name), time="0")
    if not check.passed:
        failure = Xml.SubElement(case, "failure", type="check", message=printable(check.got))
        lines = [f"wanted: {check.wanted}", f"got: {check.got}", *check.details]
        failure.text = "\n".join(printable(line) for line in lines)
    return case
