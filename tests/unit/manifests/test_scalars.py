"""Text that goes into YAML comes out of it as the same text, whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import UsageError
from toolkit.manifests.scalars import document, quoted

HOSTILE = (
    "",
    " ",
    "- a",
    "-",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{a: b}",
    "[a]",
    "'",
    '"',
    '\\"',
    "it's",
    'say "it\'s"',
    "a\nb: c",
    "a\n\n---\nkind: Pod",
    "\n",
    " leading\nblank",
    "trailing \nblank ",
    "a\r\nb",
    "\ttab",
    "\x00",
    "\x7f\x85\xa0",
    "\u2028\u2029",
    "\ufeffbom",
    "\ufffe\uffff",
    "ü 漢 😀",
    "!!python/object/apply:os.system [id]",
    "!tag",
    "&anchor",
    "*alias",
    "%YAML 1.1",
    "@at",
    "`tick",
    "| block",
    "> folded",
    "? key",
    "<<",
    "=",
    "~",
    "y",
    "N",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "NULL",
    "0755",
    "0o17",
    "0x1F",
    "0b1",
    "1_000",
    "1e3",
    "12:30:45",
    ".5",
    "-.inf",
    ".NaN",
    "2001-01-01",
    "a" * 5000,
)
WORDS_OF_GO = (
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "Y",
    "No",
    "ON",
    "0755",
    "1e3",
    "12:30",
    "~",
)

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no bug
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.booleans() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.filter(lambda key: len(key) < 100), inner, max_size=4)
    ),
    max_leaves=12,
)


def read(text: str) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_in_its_place(value: str) -> None:
    assert read(f"before: 1\nheld: {quoted(value)}\nafter: 2\n") == {"before": 1, "held": value, "after": 2}
    assert read(document({"before": 1, "held": value, "after": [value]})) == {
        "before": 1,
        "held": value,
        "after": [value],
    }


@pytest.mark.parametrize("value", HOSTILE)
def test_a_quoted_value_is_one_line_of_ascii(value: str) -> None:
    written = quoted(value)
    assert written.isascii()
    assert written.isprintable()


@calm
@given(texts)
def test_any_text_is_read_back(value: str) -> None:
    assert read(quoted(value)) == value


@calm
@given(st.dictionaries(texts.filter(lambda key: len(key) < 100), values, min_size=1, max_size=5))
def test_any_document_is_read_back(value: dict[str, Any]) -> None:
    assert read(document(value)) == value
    assert document(value).isascii()


@pytest.mark.parametrize("value", WORDS_OF_GO)
def test_what_any_reader_could_take_for_something_else_is_in_quotes(value: str) -> None:
    assert document({"a": value}) == f'a: "{value}"\n'


def test_what_needs_no_quotes_has_none() -> None:
    assert document({"image": "dev.local/a-b:v1.2", "path": "/healthz", "port": 80, "flag": True}) == (
        "image: dev.local/a-b:v1.2\npath: /healthz\nport: 80\nflag: true\n"
    )


def test_json_and_several_lines_stay_readable() -> None:
    assert document({"json": '{"a":[1,"b"]}', "lines": "a: 1\n\nb: 2\n"}) == (
        'json: \'{"a":[1,"b"]}\'\nlines: |\n  a: 1\n\n  b: 2\n'
    )


def test_lists_of_mappings_are_written_as_people_write_them() -> None:
    assert document({"ports": [{"name": "h2c", "port": 80}, {"name": "b", "in": {"c": ["d"]}}], "none": {}}) == (
        "ports:\n  - name: h2c\n    port: 80\n  - name: b\n    in:\n      c:\n        - d\nnone: {}\n"
    )


@pytest.mark.parametrize("value", [None, 0.5, object(), b"bytes", {"a": None}])
def test_what_has_no_place_in_a_manifest_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no place in a manifest"):
        quoted(value)


def test_half_a_character_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match=r"is no text: it holds half a character \(U\+DC80\)"):
        quoted("caf\udc80")
