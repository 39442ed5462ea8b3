"""vSwarm's list of functions, read: what is in it, and everything that is wrong with it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.load import endpoints
from toolkit.load.endpoints import GREETING
from toolkit.stubs.helloworld_pb2 import HelloRequest

METHOD = "/helloworld.Greeter/SayHello"


def read(*entries: Any, port: int = 80) -> list[str]:
    return [str(each) for each in endpoints.read(json.dumps(entries).encode(), "endpoints.json", port)]


def problems(data: bytes) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as refused:
        endpoints.read(data, "endpoints.json", 80)
    return [(each.path, each.message) for each in refused.value.problems]


def test_a_hostname_is_one_with_a_port_or_without() -> None:
    found = read({"hostname": "a.default.127.0.0.1.sslip.io"}, {"hostname": "b:81"}, {"hostname": "[::1]:82"}, port=80)
    assert found == [
        f"h2c://a.default.127.0.0.1.sslip.io:80{METHOD}",
        f"h2c://b:81{METHOD}",
        f"h2c://[::1]:82{METHOD}",
    ]
    assert read({"hostname": "[::1]"}, port=8080) == [f"h2c://[::1]:8080{METHOD}"]


def test_the_same_function_may_be_in_it_twice_and_other_keys_are_left_alone() -> None:
    twice = {"hostname": "a", "eventing": False, "matchers": None, "weight": [1]}
    assert len(read(twice, twice)) == 2


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "a?b", "user@a", "a:0", "a:99999", "http://a", "ä\x00", "x" * 9000]
)
def test_what_is_no_host_is_refused_with_its_place(name: str) -> None:
    ((path, _),) = problems(json.dumps([{"hostname": name}]).encode())
    assert path == "[0].hostname"


def test_a_port_that_none_can_be_is_told_in_words() -> None:
    with pytest.raises(SpecError, match=r"port 99999 is not 1 to 65,535"):
        endpoints.read(b'[{"hostname": "a:99999"}]', "endpoints.json", 80)


@pytest.mark.parametrize("data", ['[{"hostname": "a"}]'.encode("utf-16"), b"\x80\x02}q", b"[\xff]"])
def test_bytes_that_are_no_text_are_told_as_such(data: bytes) -> None:
    with pytest.raises(SpecError, match="no UTF-8 text: "):
        endpoints.read(data, "endpoints.json", 80)


def test_a_mark_that_says_utf_8_is_no_part_of_the_list() -> None:
    (only,) = endpoints.read('\ufeff[{"hostname": "a"}]'.encode(), "endpoints.json", 80)
    assert only.host == "a"


def test_an_eventing_endpoint_is_refused_with_what_to_do_instead() -> None:
    ((path, message),) = problems(json.dumps([{"hostname": "a", "eventing": True}]).encode())
    assert path == "[0].eventing"
    assert "toolkit run" in message


def test_as_many_as_cannot_be_called_are_refused() -> None:
    many = json.dumps([{"hostname": "a"}] * 10_001).encode()
    assert problems(many) == [("", "10,001 endpoints: from 1 to 10,000 can be called")]


def test_a_file_that_is_far_too_large_is_not_read() -> None:
    assert problems(b" " * (16 * 2**20 + 1)) == [("", "more than 16 MiB: no list of endpoints")]


@given(st.binary(max_size=200))
def test_bytes_are_a_list_or_an_error_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(SpecError):
        assert endpoints.read(data, "endpoints.json", 80)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["hostname", "eventing", "x"]), inner),
    )
)
def test_json_is_a_list_or_an_error_and_nothing_else(value: Any) -> None:
    with contextlib.suppress(SpecError):
        assert endpoints.read(json.dumps(value).encode(), "endpoints.json", 80)


def test_what_is_sent_is_a_greeting() -> None:
    assert HelloRequest.FromString(GREETING).name == "toolkit"
