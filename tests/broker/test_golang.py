"""The Go habits behind the wire, value by value; where the recording has a case, the expected value is recorded."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.engines.local.broker import golang


@pytest.mark.parametrize(
    ("given_time", "utc"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05+02:00", "2020-01-02T01:04:05Z"),
        ("2020-01-01T00:00:00+00:01", "2019-12-31T23:59:00Z"),
        ("2020-02-28T23:30:00-00:45", "2020-02-29T00:15:00Z"),
        ("2100-02-28T23:30:00-01:00", "2100-03-01T00:30:00Z"),
        ("2020-01-02T03:04:05.123456789012Z", "2020-01-02T03:04:05.123456789Z"),
        ("2020-01-02T03:04:05.1230Z", "2020-01-02T03:04:05.123Z"),
        ("2020-01-02T03:04:05.000+00:00", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05,5Z", "2020-01-02T03:04:05.5Z"),
        ("2020-01-02T3:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05+24:00", "2020-01-01T03:04:05Z"),
        ("0000-03-01T00:00:00Z", "0000-03-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_are_written_in_utc_without_trailing_zeros(given_time: str, utc: str) -> None:
    assert golang.utc_time(given_time.encode()) == utc.encode()


def test_the_zero_time_is_no_time() -> None:
    assert golang.utc_time(b"0001-01-01T00:00:00Z") is None
    assert golang.utc_time(b"0001-01-01T01:00:00+01:00") is None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "yesterday", "2020-01-02", "2020-01-02T03:04:05", "2020-01-02t03:04:05z", "2020-01-02 03:04:05Z",
        "2020-01-02T03:04:05+0200", "10000-01-01T00:00:00Z", "2020-12-31T23:59:60Z", "2020-02-30T00:00:00Z",
        "2021-02-29T00:00:00Z", "2020-13-01T00:00:00Z", "2020-00-01T00:00:00Z", "2020-01-02T24:00:00Z",
        "2020-01-02T03:60:05Z", "2020-01-02T03:04:05.Z", "2020-01-02T03:04:05+25:00", "2020-01-02T03%3A04%3A05Z",
        "1577934245", "٢٠٢٠-01-02T03:04:05Z",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|out of range"):
        golang.utc_time(text.encode())


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_times_agree_with_the_standard_library(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    written = golang.utc_time(there.isoformat(timespec="microseconds").encode())
    assert written is not None
    assert datetime.fromisoformat(written.decode()) == there


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("255", 255), ("005", 5), ("+5", 5), ("-1", -1), ("1.5", 1), ("1e2", 100), (".5", 0), ("5.", 5), ("-0.9", 0),
        ("0x1p4", 16), ("2147483647", 2147483647), ("-2147483648", -2147483648), ("NaN", -2147483648),
    ],
)  # fmt: skip
def test_numbers_are_read_as_floats_and_cut(text: str, number: int) -> None:
    assert golang.to_int32(text.encode()) == number


@pytest.mark.parametrize(
    "text", ["", " 5", "5 ", "garbage", "true", "0x10", "1_000", "2147483648", "inf", "1e400", "٥"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|range"):
        golang.to_int32(text.encode())


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("/src", "/src"),
        ("a b", "a%20b"),
        ("  ", "%20%20"),
        ("/{x}", "/%7Bx%7D"),
        ("/é", "/%C3%A9"),
        ("\\", "%5C"),
        ("/a%20b", "/a%20b"),
        ("/a%2520b", "/a%2520b"),
        ("%20", "%20"),
        ("/a!b", "/a!b"),
        ("/a b!", "/a%20b%21"),
        ("HTTP://Ex.COM/%7Ea", "http://Ex.COM/%7Ea"),
        ("urn:uuid:1234", "urn:uuid:1234"),
        ("mailto:a@b", "mailto:a@b"),
        ("//x/y", "//x/y"),
        ("///x", "///x"),
        ("/a?b=c#d", "/a?b=c#d"),
        ("/a?", "/a?"),
        ("/a#", "/a"),
        ("/a#b c", "/a#b%20c"),
        ("http://u:p@h:1/x", "http://u:p@h:1/x"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("file:///x", "file:///x"),
        ("file:/x", "file:/x"),
        ("x:", "x:"),
        ("", ""),
        ("#", ""),
    ],
)
def test_sources_are_written_as_go_writes_urls(source: str, written: str) -> None:
    assert golang.rewrite_url(source.encode()) == written.encode()


@pytest.mark.parametrize(
    "source",
    [":", "::", "%zz", "/%", "/%2", "http://[::1", "http://a:b/", "http://h:1:2/", "a\x7fb", "1a:b"],
)
def test_what_go_cannot_parse_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        golang.rewrite_url(source.encode())


@given(st.binary(max_size=40))
def test_a_url_once_written_stays_as_it_is(source: bytes) -> None:
    try:
        written = golang.rewrite_url(source)
    except ValueError:
        return
    assert golang.rewrite_url(written) == written


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        ('application/json; charset="utf-8"; x=y', "application/json"),
        ("application/json;", "application/json"),
        ("application/json ; a=b", "application/json"),
        ("garbage", "garbage"),
        ("*/*", "*/*"),
    ],
)
def test_media_types_are_read(text: str, kind: str) -> None:
    assert golang.media_type(text.encode()) == kind.encode()


@pytest.mark.parametrize(
    "text",
    ["", "application/", "/json", "application / json", "application/json, text/plain", "application/json; charset",
     "a/b; c=d; C=e", 'a/b; c="d', "a/b; c=d e", "é/b"],
)  # fmt: skip
def test_what_is_no_media_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"media"):
        golang.media_type(text.encode())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"r":1}', b"text/plain; charset=utf-8"),
        (b"", b"text/plain; charset=utf-8"),
        ("é".encode(), b"text/plain; charset=utf-8"),
        (b"\x00\x01", b"application/octet-stream"),
        (b" <html>", b"text/html; charset=utf-8"),
        (b"<a>", b"text/html; charset=utf-8"),
        (b"<abc>", b"text/plain; charset=utf-8"),
        (b"<?xml ", b"text/xml; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n", b"image/png"),
        (b"\x1f\x8b\x08", b"application/x-gzip"),
    ],
)
def test_bodies_are_sniffed(body: bytes, kind: bytes) -> None:
    assert golang.sniff(body) == kind


@pytest.mark.parametrize(("raw", "trimmed"), [(b" a ", b"a"), (b"\xc2\xa0a\xe3\x80\x80", b"a"), (b"\x1ca", b"\x1ca")])
def test_white_space_is_unicodes(raw: bytes, trimmed: bytes) -> None:
    assert golang.trim_space(raw) == trimmed


@pytest.mark.parametrize(
    ("target", "valid"),
    [
        ("/a", True),
        ("/", True),
        ("*", True),
        ("http://h/a", True),
        ("/%41?%zz", True),
        ("a", False),
        ("/%zz", False),
        ("?", False),
    ],
)
def test_request_targets_are_judged_before_any_handler(target: str, valid: bool) -> None:
    assert golang.valid_request_target(target) is valid
