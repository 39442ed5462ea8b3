"""What an HTTP request asks a chain, and what its answer becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.sdk.failures import CODES
from toolkit.sdk.gateway import STATUSES, _is_a_strangers_page, _response, parameters
from toolkit.sdk.http1 import Request
from toolkit.sdk.message import Message

JSON = ((b"content-type", b"application/json; charset=utf-8"),)


def asked(target: str, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> dict[str, object]:
    return parameters(Request("POST", target, headers, body))


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("/", {}),
        ("/?", {}),
        ("/?a=1&b=2&sign=%2B", {"a": "1", "b": "2", "sign": "+"}),
        ("/?a+b=c+d", {"a b": "c d"}),
        ("/?a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        ("/?a=&b", {"a": "", "b": ""}),
        ("/?stra%C3%9Fe=%E2%82%AC", {"straße": "€"}),
        ("/?a=1#b=2", {"a": "1"}),
        ("//[?a=1", {"a": "1"}),
    ],
)
def test_a_query_asks_for_its_pairs(target: str, wanted: dict[str, object]) -> None:
    assert asked(target) == wanted


def test_a_body_is_read_as_what_it_says_it_is() -> None:
    assert asked("/?a=0&b=1", b'{"a": {"deep": [1, null]}}', JSON) == {"a": {"deep": [1, None]}, "b": "1"}
    assert asked("/", b"[1, 2]", JSON) == {"body": [1, 2]}
    assert asked("/?a=0", b"a=1&b=%20", ((b"Content-Type", b"application/x-www-form-urlencoded"),)) == {
        "a": ["0", "1"],
        "b": " ",
    }
    assert asked("/", "schön".encode()) == {"body": "schön"}


@pytest.mark.parametrize(
    ("target", "body", "headers", "why"),
    [
        ("/", b"{", JSON, "the body is no JSON"),
        ("/", b"[" * 100_000, JSON, "the body is no JSON"),
        ("/", b'{"a": NaN}', JSON, "NaN is no number"),
        ("/", b"\xff", (), "no text in UTF-8: invalid start byte at byte 0"),
        ("/?a=%ff", b"", (), "the query cannot be read"),
        ("/?" + "&".join("a" * 1001), b"", (), "the query cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    target: str, body: bytes, headers: tuple[tuple[bytes, bytes], ...], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        asked(target, body, headers)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)), st.binary(max_size=50), st.booleans())
def test_whatever_comes_is_read_or_refused(query: str, body: bytes, is_json: bool) -> None:
    try:
        found = asked(f"/?{query}", body, JSON if is_json else ())
    except ValueError:
        return
    assert all(isinstance(name, str) for name in found)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (Message(b"3", "text/plain", status=201), 201),
        (Message(b"3"), 200),
        (Message(b"3", status=100), 502),
        (Message(b"3", status=10**30), 502),
        (Message(b"3", "text/plain\r\nSet-Cookie: a=b"), 502),
        (Message(b"3", "text/plän"), 502),
        (Message(b"3", " "), 502),
    ],
)
def test_an_answer_that_http_cannot_say_is_the_chains_fault(message: Message, status: int) -> None:
    found = _response("c", message)
    assert found.status == status
    assert (b"X-Content-Type-Options", b"nosniff") in found.headers


def test_only_this_machine_reaches_a_gateway_on_its_loopback() -> None:
    def page(host: bytes, *more: tuple[bytes, bytes]) -> bool:
        return _is_a_strangers_page(Request("GET", "/", ((b"Host", host), *more), b""))

    assert not any(
        page(host) for host in (b"127.0.0.1:8080", b"localhost", b"[::1]:80", b"a.localhost:1", b"LOCALHOST")
    )
    assert all(
        page(host) for host in (b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example", b"", b"[")
    )
    assert page(b"127.0.0.1", (b"Sec-Fetch-Site", b"cross-site"))
    assert not page(b"127.0.0.1", (b"Sec-Fetch-Site", b"none"))


def test_every_failure_has_a_status_and_no_success_is_one() -> None:
    assert set(STATUSES) | {"OK", "UNKNOWN", "INTERNAL", "DATA_LOSS"} == set(CODES)
    assert all(400 <= status <= 599 for status in STATUSES.values())
