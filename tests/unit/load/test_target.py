from __future__ import annotations

import pytest

from toolkit.errors import UsageError
from toolkit.load.target import Target, Url, parse


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("h2c://localhost:50051/a.B/C", Target("localhost", 50051, "/a.B/C")),
        ("h2c://10.0.0.1/a.b.C/D", Target("10.0.0.1", 80, "/a.b.C/D")),
        ("h2c://[::1]:1/A/B", Target("::1", 1, "/A/B")),
        ("http://localhost:8080/a/b?c=d%20e", Url("localhost", 8080, "/a/b?c=d%20e")),
        ("HTTP://LocalHost", Url("localhost", 80, "/")),
        ("http://a_b.default.svc.cluster.local./", Url("a_b.default.svc.cluster.local.", 80, "/")),
        ("http://localhost:1?x", Url("localhost", 1, "/?x")),
        ("http://[0:0::1]:5/x", Url("::1", 5, "/x")),
        ("http://localhost:1/a//b/../c;d", Url("localhost", 1, "/a//b/../c;d")),
    ],
)
def test_a_target_is_read_and_written(text: str, target: Target | Url) -> None:
    assert parse(text) == target
    assert parse(str(target)) == target


def test_a_name_beyond_ascii_is_asked_for_as_the_resolver_knows_it() -> None:
    assert parse("http://bücher.example/") == Url("xn--bcher-kva.example", 80, "/")


def test_a_host_header_leaves_the_port_away_where_it_goes_without_saying() -> None:
    assert (Url("a", 80, "/").authority, Url("::1", 81, "/").authority) == ("a", "[::1]:81")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not say what is spoken"),
        ("localhost:1/a.B/C", "does not say what is spoken"),
        ("127.0.0.1:8080", "does not say what is spoken"),
        ("https://localhost:1/", "TLS is not spoken"),
        ("grpcs://localhost:1/a.B/C", "TLS is not spoken"),
        ("grpc://localhost:1/a.B/C", "called h2c"),
        ("unix:/run/x.sock", "no Unix sockets"),
        ("ftp://localhost/x", "ftp is not spoken"),
        ("h2c://localhost:1", "names no method"),
        ("h2c://localhost:1/", "names no method"),
        ("h2c://localhost:1/B", "names no method"),
        ("h2c://localhost:1/a.B/C/D", "names no method"),
        ("h2c://localhost:1/ä.B/C", "names no method"),
        ("h2c://localhost:1/a.B/C?x=1", "no query"),
        ("h2c://user@localhost:1/a.B/C", "no user"),
        ("http://user:secret@localhost:1/", "no user"),
        ("http://localhost:99999/", "port 99999 is not 1 to 65,535"),
        ("h2c://[::1]:65536/a.B/C", "port 65536 is not 1 to 65,535"),
        ("http://localhost:-1/", "Port"),
        ("http://localhost:x/", "Port"),
        ("http://localhost:0/", "port 0"),
        ("http://[::1/x", "Invalid IPv6"),
        ("http://[::g]/x", "IPv6"),
        ("http:///x", "no host"),
        ("http://", "no host"),
        ("http://a..b/", "no host name"),
        ("http://-a/", "no host name"),
        ("http://a%20b/", "no host name"),
        (f"http://{'a' * 64}/", "no host name"),
        (f"http://{'ä' * 64}/", "no host name"),
        (f"http://{'a.' * 200}b/", "no host name"),
        ("http://localhost:1/x#y", "never sent"),
        ("http://localhost:1/ä", "percent-encoded"),
        ("http://localhost:1/100%", "no percent-encoding"),
        ("http://localhost:1/%zz", "no percent-encoding"),
        ("http://localhost:1/a b", "blanks"),
        ("http://localhost:1/a\r\nX: y", "blanks"),
        ("http://localhost:1/a\tb", "blanks"),
        ("http://localhost:1/\x00", "blanks"),
        ("http://localhost:1/\udcff", "blanks"),
        (" http://localhost:1/", "blanks"),
        ("http://localhost/" + "a" * 10_000, "more than"),
    ],
)
def test_what_is_no_target_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="--target") as caught:
        parse(text)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.next_step is not None
