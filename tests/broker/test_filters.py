"""Filters and CESQL: what matches, what does not, and what is told at once to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engines.local.broker import cesql
from toolkit.engines.local.broker.cesql import CesqlError, NotBooleanError
from toolkit.engines.local.broker.config import ConfigError
from toolkit.engines.local.broker.event import Message
from toolkit.engines.local.broker.filters import compile_filters


def message(content_type: str | None = "application/json; charset=utf-8", **attributes: str) -> Message:
    known = {
        "id": "1",
        "source": "/s/one",
        "type": "a.b.c",
        "specversion": "1.0",
        "knativearrivaltime": "2026",
        **attributes,
    }
    found = {name.encode(): value.encode() for name, value in known.items()}
    return Message(found, content_type.encode() if content_type else None, b"")


def matches(filters: list[Mapping[str, Any]], **attributes: str) -> bool:
    predicate = compile_filters(filters)
    return predicate is None or predicate(message(**attributes))


NESTED = {"any": [{"all": [{"prefix": {"type": "a."}}, {"not": {"suffix": {"type": ".c"}}}]}, {"exact": {"ext": "v2"}}]}


@pytest.mark.parametrize(
    ("filters", "attributes", "wanted"),
    [
        ([], {}, True),
        ([{}], {}, True),
        ([{"exact": {}}], {}, True),
        ([{"any": []}], {}, True),
        ([{"not": {}}], {}, True),
        ([{"not": None}], {}, True),
        ([{"cesql": ""}], {}, True),
        ([{"exact": {"type": "a.b.c"}}], {}, True),
        ([{"exact": {"type": "A.B.C"}}], {}, False),
        ([{"exact": {"type": "a.b.c", "source": "/s/two"}}], {}, False),
        ([{"exact": {"ext": "v"}}], {}, False),
        ([{"exact": {"ext": ""}}], {"ext": ""}, False),
        ([{"prefix": {"type": "a.b"}}], {}, True),
        ([{"prefix": {"ext": "v"}}], {"ext": "v1"}, True),
        ([{"suffix": {"type": ".c", "source": "one"}}], {}, True),
        ([{"suffix": {"type": ".b"}}], {}, False),
        ([{"exact": {"type": "a.b.c"}}, {"exact": {"ext": "v"}}], {}, False),
        ([{"not": {"exact": {"ext": "v"}}}], {}, True),
        ([NESTED], {"ext": "v2"}, True),
        ([NESTED], {"type": "a.x"}, True),
        ([NESTED], {}, False),
        ([{"exact": {"datacontenttype": "application/json"}}], {}, False),
        ([{"exact": {"datamediatype": "application/json"}}], {}, True),
        ([{"prefix": {"knativearrivaltime": "20"}}], {}, True),
        ([{"exact": {"knativebrokerttl": "9"}}], {"knativebrokerttl": "9"}, False),
        ([{"exact": {"schemaurl": "http://x"}}], {"dataschema": "http://x"}, True),
        ([{"attributes": {"type": "a.b.c"}}], {}, True),
        ([{"attributes": {"type": ""}}], {}, True),
        ([{"attributes": {"ext": ""}}], {}, False),
        ([{"attributes": {"ext": ""}}], {"ext": ""}, False),
        ([{"attributes": {"subject": ""}}], {}, False),
        ([{"attributes": {}}], {}, True),
        ([{"attributes": {"type": "never"}}, {"exact": {"type": "a.b.c"}}], {}, True),
    ],
)
def test_filters_match_as_recorded(filters: list[Mapping[str, Any]], attributes: dict[str, str], wanted: bool) -> None:
    assert matches(filters, **attributes) is wanted


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"exact": {"a": 1}}, "attribute names and strings"),
        ({"exact": "x"}, "attribute names and strings"),
        ({"exakt": {"a": "b"}}, "no filter dialect; known are exact, prefix"),
        ({"exact": {"a": "b"}, "prefix": {"a": "b"}}, "exactly one dialect"),
        ({"any": {"exact": {}}}, "must be a list"),
        ({"all": ["x"]}, "must be an object"),
        ({"not": ["x"]}, "must be an object"),
        ({"cesql": "type ="}, "ends too early"),
        ({"cesql": 5}, "must be a string"),
    ],
)
def test_a_bad_filter_is_told_at_once(broken: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        compile_filters([broken])


TRUE = [
    "TRUE", "true", "type = 'a.b.c'", 'TYPE = "a.b.c"', "type <> 'x'", "type != 'x'", "NOT FALSE", "NOT NOT TRUE",
    "type LIKE 'a.%'", "type LIKE 'a._.c'", "type NOT LIKE 'x%'", r"ext LIKE '100\%'", "EXISTS ext", "NOT EXISTS none",
    "EXISTS knativearrivaltime", "EXISTS id AND EXISTS source AND EXISTS type AND EXISTS specversion",
    "source IN ('/s/one', '/s/two')", "source NOT IN ('x')", "num = 5", "num = '05'", "num > 4", "num >= 5", "num < 6",
    "num <= 5", "INT(num) + 1 = 6", "2 * 3 - 1 = 5", "-7 / 2 = -3", "-7 % 3 = -1", "7 % -3 = 1", "flag = true",
    "BOOL(flag)", "flag AND TRUE", "FALSE OR flag", "TRUE XOR FALSE", "ABS(-5) = 5", "LENGTH('é') = 2",
    "UPPER(subject) = 'SUB1'", "LOWER('ABC') = 'abc'", "TRIM('  x ') = 'x'", "LEFT(type, 3) = 'a.b'",
    "RIGHT(type, 1) = 'c'",
    "SUBSTRING(type, 3) = 'b.c'", "SUBSTRING(type, -1) = 'c'", "SUBSTRING(type, 1, 1) = 'a'", "SUBSTRING(type, 0) = ''",
    "CONCAT('a', 1, TRUE) = 'a1true'", "CONCAT_WS('-', 'a', 'b') = 'a-b'", "IS_INT(num)", "NOT IS_INT(type)",
    "IS_BOOL(flag)", "STRING(5) = '5'", "'it\\'s' = \"it's\"", "(1 = 1) AND (2 = 2)",
    "TRUE OR none = 'x'", "2147483647 + 1 = -2147483648", "datacontenttype LIKE 'application/json%'", " \n\tTRUE\r\n ",
    "1 IN (2, '1')", "LEFT(type, 99) = type",
]  # fmt: skip

FALSE = [
    "FALSE", "type = 'x'", "num = 6", "type LIKE 'b%'", "EXISTS none", "EXISTS knativebrokerttl", "TRUE XOR TRUE",
    "source IN ('x')", "FALSE AND none = 'x'", "TRUE AND FALSE OR TRUE AND FALSE",
    "FALSE AND none = 'x' OR TRUE",  # AND, OR and XOR bind alike, and to the right
]  # fmt: skip

FAILING = [
    "none = 'x'", "none != 'x'", "NOT none", "1 / 0 = 1", "1 % 0 = 1", "type = 5", "type > 4", "ABS(type) = 1",
    "5 = TRUE",
    "BOOL(type)", "LEFT(type, -1) = ''", "SUBSTRING(type, 99) = ''", "NOSUCH(type)", "LENGTH(type, 1) = 1", "NOT 5",
    "INT(TRUE) = 1", "INT('99999999999') = 1", "none IN ('x')", "none LIKE 'x'", "TRUE AND none = 'x'",
]  # fmt: skip

UNPARSABLE = [
    "", " ", "=", "type =", "= type", "type = 'x", "(TRUE", "TRUE)", "TRUE TRUE", "a.b = 1", "type LIKE type",
    "EXISTS 'x'",
    "EXISTS 5", "type IN ()", "type IN 'x'", "5-3 = 2", "num+1 = 6", "type LIKE", "99999999999 = 1", "AND", "a_b = 1",
    "é = 1",
    "SELECT * FROM events", "(" * 200 + "TRUE" + ")" * 200, "NOT " * 200 + "TRUE", "type = 'x'; DROP TABLE",
]  # fmt: skip

EVENT = message(ext="100%", num="05", flag="TRUE", subject="sub1")


@pytest.mark.parametrize("text", TRUE)
def test_an_expression_that_holds_matches(text: str) -> None:
    assert cesql.compile(text)(EVENT) is True


@pytest.mark.parametrize("text", FALSE)
def test_an_expression_that_does_not_hold_does_not_match(text: str) -> None:
    assert cesql.compile(text)(EVENT) is False


@pytest.mark.parametrize("text", FAILING)
def test_an_expression_that_fails_for_an_event_matches_nothing(text: str) -> None:
    with pytest.raises(CesqlError):
        cesql.compile(text)(EVENT)
    predicate = compile_filters([{"cesql": text}])
    assert predicate is not None
    assert predicate(EVENT) is False


@pytest.mark.parametrize("text", UNPARSABLE)
def test_an_expression_that_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(CesqlError):
        cesql.compile(text)


@pytest.mark.parametrize("text", ["1", "type", "flag", "'true'", "1 + 1"])
def test_an_expression_without_a_boolean_is_told_apart(text: str) -> None:
    with pytest.raises(NotBooleanError):
        cesql.compile(text)(EVENT)


@given(st.text("abtype'\"%_\\().,=<>+-*/ 015ANDORNOTLIKEINEXISTSTRUEFALSE", max_size=40))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        predicate = cesql.compile(text)
    except CesqlError:
        return
    try:
        assert predicate(EVENT) in (True, False)
    except (CesqlError, NotBooleanError):
        return
