from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.load.http1.request import HttpRequest, see_that_it_is_a_header, see_that_it_is_a_method
from toolkit.load.target import Url
from toolkit.results import Load

CONTEXT = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
OPEN, CLOSED = Load(requests=1, rate=1.0), Load(requests=1, concurrency=3)


def head(request: HttpRequest) -> list[str]:
    made = request.heads(OPEN)(CONTEXT)
    assert made.endswith(b"\r\n\r\n")
    assert made.count(b"\r\n\r\n") == 1
    return made.decode().removesuffix("\r\n\r\n").split("\r\n")


def test_a_get_says_what_http_asks_for_and_its_trace_context() -> None:
    assert head(HttpRequest(Url("a.example", 80, "/x?y=%20"))) == [
        "GET /x?y=%20 HTTP/1.1",
        "Host: a.example",
        "User-Agent: kn-bench",
        f"traceparent: {CONTEXT.decode()}",
    ]


def test_a_post_says_how_long_it_is_even_when_it_is_empty() -> None:
    headers = ((b"content-type", b"text/plain"), (b"user-agent", b"me"))
    assert head(HttpRequest(Url("::1", 8080, "/"), "POST", b"hello", headers, "b.example")) == [
        "POST / HTTP/1.1",
        "Host: b.example",
        "Content-Length: 5",
        "content-type: text/plain",
        "user-agent: me",
        f"traceparent: {CONTEXT.decode()}",
    ]
    assert "Content-Length: 0" in head(HttpRequest(Url("a", 80, "/"), "PUT"))
    assert "Host: [::1]:8080" in head(HttpRequest(Url("::1", 8080, "/")))


@pytest.mark.parametrize("name", ["GET", "delete", "X-Y"])
def test_any_token_is_a_method(name: str) -> None:
    see_that_it_is_a_method(name)
    assert head(HttpRequest(Url("a", 80, "/"), name))[0] == f"{name} / HTTP/1.1"


@pytest.mark.parametrize("name", ["", "G T", "GET\r\nX: y", "GÉT", "GET/", "CONNECT"])
def test_what_is_no_method_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--method"):
        see_that_it_is_a_method(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a:b", "x"),
        ("ä", "x"),
        ("a\r\nb", "x"),
        ("a", "x\r\nb: c"),
        ("a", "x\ny"),
        ("a", "x\0"),
        ("a", "ä"),
        ("a", "\udcff"),
        ("Host", "x"),
        ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("traceparent", "x"),
        ("Expect", "100-continue"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
    ],
)
def test_what_would_break_the_head_apart_or_is_the_senders_to_say_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="--header"):
        see_that_it_is_a_header(name, value)


@pytest.mark.parametrize(("name", "value"), [("X-a.b_c", ""), ("authorization", "Basic YQ=="), ("connection", "close")])
def test_other_headers_are_sent_as_they_are(name: str, value: str) -> None:
    see_that_it_is_a_header(name, value)
