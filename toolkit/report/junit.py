"""A report as JUnit XML: one test case a check, so that any CI can show which promise was broken."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from toolkit.report.characters import printable
from toolkit.results import Check, Report


def render(report: Report) -> str:
    """The XML document. Nothing that a function said can break out of it: it is one printable line in a text node."""
    failed = sum(not check.passed for check in report.checks)
    suite = Xml.Element(
        "testsuite",
        name=printable(report.chain),
        tests=str(len(report.checks)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{report.measurement.duration_s:.3f}",
        timestamp=printable(report.started),
    )
    properties = Xml.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        Xml.SubElement(properties, "property", name=name, value=printable(value))
    for check in report.checks:
        suite.append(_case(report, check))
    suites = Xml.Element("testsuites", tests=str(len(report.checks)), failures=str(failed))
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


def _case(report: Report, check: Check) -> Xml.Element:
    case = Xml.Element(
        "testcase", classname=printable(f"{report.chain}.{report.engine}"), name=printable(check.name), time="0"
    )
    if not check.passed:
        failure = Xml.SubElement(case, "failure", type="check", message=printable(check.got))
        lines = [f"wanted: {check.wanted}", f"got: {check.got}", *check.details]
        failure.text = "\n".join(printable(line) for line in lines)
    return case
