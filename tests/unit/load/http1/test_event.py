from __future__ import annotations

from collections.abc import Mapping

import pytest

from toolkit.errors import UsageError
from toolkit.load.http1.event import EventRequest, Rfc3339, attributes
from toolkit.load.target import Url
from toolkit.results import Load
from toolkit.sdk.cloudevents import Event, decode
from toolkit.sdk.http1.message import Parser

CONTEXT = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
URL = Url("broker.example", 80, "/default/broker")
LOAD = Load(requests=1, rate=1.0)
AT_NS = 1_714_564_800_123_456_789


def received(request: EventRequest, count: int = 1) -> list[Event]:
    """What a server makes of the requests of a load."""
    parser, made, found = Parser(responses=False), request.heads(LOAD, lambda: AT_NS), []
    for _ in range(count):
        parser.feed(made(CONTEXT) + request.body)
        head = parser.head()
        assert head is not None
        assert head.start[:2] == (b"POST", b"/default/broker")
        assert dict(head.headers)[b"traceparent"] == CONTEXT
        body = parser.body(head.length)
        assert body is not None
        assert parser.empty
        found.append(decode(head.headers, body))
    return found


def test_an_event_arrives_as_it_was_asked_for() -> None:
    asked = attributes("greeting", "/me", 'a "b" 100 % ä', {"foo": "bar baz"}, "application/json")
    (event,) = received(EventRequest(URL, asked, b'{"a": 1}'))
    assert event.data == b'{"a": 1}'
    assert {name: value for name, value in event.attributes.items() if name != "id"} == {
        "specversion": "1.0",
        "type": "greeting",
        "source": "/me",
        "subject": 'a "b" 100 % ä',
        "foo": "bar baz",
        "datacontenttype": "application/json",
        "time": "2024-05-01T12:00:00.123456Z",
    }


def test_no_two_events_have_the_same_id_within_a_load_or_of_two() -> None:
    request = EventRequest(URL, attributes("t", "/s", None, {}, None))
    ids = {event.id for event in (*received(request, 50), *received(request, 50))}
    assert len(ids) == 100


def test_an_event_without_data_has_neither_data_nor_a_type_of_it() -> None:
    (event,) = received(EventRequest(URL, attributes("t", "/s", None, {}, None)))
    assert event.data is None
    assert event.get("datacontenttype") is None


def test_the_trace_context_is_an_attribute_only_where_it_is_wanted() -> None:
    asked = attributes("t", "/s", None, {}, None)
    (without,), (with_it,) = received(EventRequest(URL, asked)), received(EventRequest(URL, asked, traced=True))
    assert without.get("traceparent") is None
    assert with_it.get("traceparent") == CONTEXT.decode()


@pytest.mark.parametrize(
    ("kind", "source", "subject", "extensions", "told"),
    [
        ("", "/s", None, {}, "type"),
        ("t\r\nce-x: y", "/s", None, {}, "control characters"),
        ("t\x7f", "/s", None, {}, "control characters"),
        ("t\udcff", "/s", None, {}, "not allowed"),
        ("t", "", None, {}, "--event-source"),
        ("t", "a b", None, {}, "--event-source"),
        ("t", "/ä", None, {}, "--event-source"),
        ("t", "/100%", None, {}, "--event-source"),
        ("t", "/s", "", {}, "subject"),
        ("t", "/s", "a\nb", {}, "control characters"),
        ("t", "/s", None, {"Foo": "x"}, "only a-z and 0-9"),
        ("t", "/s", None, {"foo-bar": "x"}, "only a-z and 0-9"),
        ("t", "/s", None, {"ä": "x"}, "only a-z and 0-9"),
        ("t", "/s", None, {"data": "x"}, "no extension"),
        ("t", "/s", None, {"id": "x"}, "no extension"),
        ("t", "/s", None, {"time": "x"}, "no extension"),
        ("t", "/s", None, {"foo": "a\nb"}, "control characters"),
    ],
)
def test_what_the_specification_does_not_allow_is_refused(
    kind: str, source: str, subject: str | None, extensions: Mapping[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        attributes(kind, source, subject, extensions, None)


def test_moments_have_six_digits_of_a_second() -> None:
    clock = Rfc3339()
    assert [clock.text(at) for at in (0, 999_999_999, 1_000_000_000)] == [
        b"1970-01-01T00:00:00.000000Z",
        b"1970-01-01T00:00:00.999999Z",
        b"1970-01-01T00:00:01.000000Z",
    ]
