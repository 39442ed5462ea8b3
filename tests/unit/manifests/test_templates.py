"""The environment quotes whatever a template prints, and says so where a template asks for what is not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from tests.unit.manifests.test_scalars import HOSTILE
from toolkit import catalog
from toolkit.manifests import templates

HEAD = "kind: Sample\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of templates in place of the shipped one: `own/` is asked first, then `base/`."""
    for each in ("own", "base"):
        (tmp_path / each).mkdir()
    monkeypatch.setattr(templates, "folder", lambda: tmp_path)
    return tmp_path


def rendered(place: Path, text: str, **values: Any) -> Any:
    (place / "base" / "sample.yaml.j2").write_text(HEAD + text, encoding="utf-8")
    return templates.render("sample", ("own", "base"), values)


def test_the_templates_are_where_the_catalogue_says() -> None:
    assert templates.folder() == catalog.shipped("templates") / "manifests"
    assert (templates.folder() / "knative" / "service.yaml.j2").is_file()


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_breaks_out_of_a_template(place: Path, value: str) -> None:
    text = "scalar: {{ v }}\nflow: {{ [v, v] }}\n# {{ v }}\njoined: {{ v ~ v }}\nlast: {{ 1 }}\n"
    assert rendered(place, text, v=value) == {
        "kind": "Sample", "scalar": value, "flow": [value, value], "joined": value * 2, "last": 1,
    }  # fmt: skip


@pytest.mark.parametrize("key", [each for each in HOSTILE if len(each) <= 1024])  # YAML takes no longer key on one line
def test_no_key_breaks_out_of_a_template(place: Path, key: str) -> None:
    text = "keys:\n  {% for key in [v] %}\n  {{ key }}: {{ key }}\n  {% endfor %}\nflow: {{ {v: v} }}\nlast: {{ 1 }}\n"
    assert rendered(place, text, v=key) == {"kind": "Sample", "keys": {key: key}, "flow": {key: key}, "last": 1}


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_breaks_out_of_a_text_within_the_text(place: Path, value: str) -> None:
    made = rendered(place, "data: |\n  inner: {{ v }}\n  after: 1\nlast: 1\n", v=value)
    assert made["last"] == 1
    assert yaml.safe_load(made["data"]) == {"inner": value, "after": 1}


def test_constants_of_a_template_are_text_too(place: Path) -> None:
    assert rendered(place, 'a: {{ "<&>" }}\nb: {{ "on" }}\nc: {{ true }}\n') == {
        "kind": "Sample", "a": "<&>", "b": "on", "c": True,
    }  # fmt: skip


def test_blocks_and_macros_are_not_quoted_as_a_whole(place: Path) -> None:
    (place / "own" / "sample.yaml.j2").write_text(
        '{% extends "base/sample.yaml.j2" %}{% block one %}{{ super() }}\nb: {{ v }}{% endblock %}', encoding="utf-8"
    )
    text = (
        "{% macro pair(k) %}{{ k }}: {{ v }}{% endmacro %}{% block one %}a: {{ v }}{% endblock +%}\n{{ pair('m') }}\n"
    )
    assert rendered(place, text, v="x: y") == {"kind": "Sample", "a": "x: y", "b": "x: y", "m": "x: y"}


def test_a_name_that_nobody_gave_is_an_error_not_an_empty_place(place: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'missing' is undefined"):
        rendered(place, "a: {{ missing }}\n")


def test_no_data_is_never_printed(place: Path) -> None:
    with pytest.raises(TypeError, match=r"None \(NoneType\) has no place in a manifest"):
        rendered(place, "a: {{ v }}\n", v=None)


def test_a_template_that_makes_no_object_is_named(place: Path) -> None:
    (place / "base" / "sample.yaml.j2").write_text("- a\n", encoding="utf-8")
    with pytest.raises(TypeError, match=r"base/sample\.yaml\.j2 makes no Kubernetes object"):
        templates.render("sample", ("base",), {})


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "PT0.2S"), (5, "PT5S"), (5.0, "PT5S"), (0.00001, "PT0.00001S"), (100.0, "PT100S")]
)
def test_durations_have_no_exponent(seconds: float, text: str) -> None:
    assert templates.iso8601(seconds) == text
