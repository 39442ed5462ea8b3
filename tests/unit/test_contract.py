"""What both sides of the container wall agree on."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from toolkit import contract
from toolkit.contract import Boot, Metadata, Outgoing, Receipt, Sent, Tracing, Wiring

WIRING = Wiring(
    chain="c",
    function="f",
    run="r",
    handler="handlers.py:f",
    serves=("link.Link/Send",),
    outgoing=(Outgoing("g", "call", method="link.Link/Send", address="127.0.0.1:1"), Outgoing("h", "event", type="t")),
    parameters={"payload": 4096, "name": "ünï", "flag": True, "rate": 0.5},
    seed=7,
    tracing=Tracing("http://z/api/v2/spans", 0.25, {"run": "r"}),
    receipts="tcp://127.0.0.1:2",
)


def test_a_wiring_survives_its_way_through_the_environment() -> None:
    assert Wiring.decode(WIRING.encode()) == WIRING


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"function": 3}, "function"),
        ({"function": None}, "function"),
        ({"consumes": "yes"}, "consumes"),
        ({"serves": [1]}, "serves"),
        ({"seed": "1"}, "seed"),
        ({"seed": True}, "seed"),
        ({"parameters": []}, "parameters"),
        ({"receipts": 5}, "receipts"),
        ({"colour": "red"}, "colour"),
        ({"outgoing": [{"to": "g"}]}, "via"),
        ({"outgoing": [{"to": "g", "via": "post"}]}, "outgoing[0].via"),
        ({"outgoing": [{"to": "g", "via": "call"}, {"to": 1, "via": "call"}]}, "outgoing[1].to"),
        ({"tracing": {"sample": "all"}}, "tracing.sample"),
        ({"tracing": {"sample": 1.5}}, "tracing.sample"),
        ({"tracing": {"endpoint": 9411}}, "tracing.endpoint"),
    ],
)
def test_a_wiring_with_a_wrong_field_is_refused_by_its_name(change: dict[str, Any], named: str) -> None:
    text = json.dumps({**json.loads(WIRING.encode()), **change})
    with pytest.raises((TypeError, ValueError), match=named.replace("[", r"\[").replace("]", r"\]")):
        Wiring.decode(text)


@pytest.mark.parametrize("text", ["", "[]", "null", '"x"', "{}", "{", "\x00", "[" * 100])
def test_what_is_no_wiring_is_refused(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        Wiring.decode(text)


def test_metadata_is_what_vswarm_writes() -> None:
    metadata = Metadata("w", "i", "2026-01-02T03:04:05.000000006Z")
    assert metadata.encode() == b'{"WorkflowId":"w","InvocationId":"i","InvokedOn":"2026-01-02T03:04:05.000000006Z"}'
    assert Metadata.decode(metadata.encode()) == metadata


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"InvocationId":""}', b'{"InvocationId":7}', b"[" * 100_000]
)
def test_metadata_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert Metadata.decode(raw) is None


def test_a_receipt_survives_its_line() -> None:
    sent = (
        Sent("call", "m2", "d2", 9, "h:1", to="g", reply="a2", reply_size=3),
        Sent("event", "m3", "d3", 0, "http://b/", type="t", accepted=False),
    )
    receipt = Receipt("c", "f", "r", 3, "m", "entry", "caller", "d", 5, 1, 2, True, None, sent, 'no "luck"\n', "a", 0)
    line = receipt.encode()
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert Receipt.decode(line) == receipt


def test_the_first_receipt_of_a_replica_tells_how_it_came_up() -> None:
    boot = Boot("pod-1", 10, 20, 30)
    receipt = Receipt("c", "f", "r", 0, "m", "entry", "s", "d", 2, 3, 4, cold=True, boot=boot)
    assert Receipt.decode(receipt.encode()) == receipt


@pytest.mark.parametrize("boot", [3, [], {}, {"host": "h", "process_ns": "1", "loaded_ns": 2, "listening_ns": 3}])
def test_a_boot_that_is_none_is_refused(boot: object) -> None:
    line = json.dumps(
        {**json.loads(Receipt("c", "f", "r", 0, "m", "entry", "s", "d", 2, 3, 4).encode()), "boot": boot}
    ).encode()
    with pytest.raises(TypeError):
        Receipt.decode(line)


def test_a_receipts_line_is_its_fields_as_json() -> None:
    hostile = 'a"b\\c\n\x00é\ud800\u2028'
    sent = (
        Sent("event", hostile, hostile, 1, hostile, hostile, hostile, False, hostile, 7),
        Sent("call", "m", "d", 2, "a"),
        Sent("call", "m", "d", 2, "a", left_s=0.25),
    )
    for receipt in (
        Receipt(
            hostile,
            hostile,
            hostile,
            1,
            hostile,
            "event",
            hostile,
            hostile,
            2,
            3,
            4,
            True,
            hostile,
            sent,
            hostile,
            hostile,
            8,
        ),
        Receipt("c", "f", "r", 1, "m", "entry", "s", "d", 2, 3, 4),
        Receipt(
            "c",
            "f",
            "r",
            1,
            "m",
            "event",
            "s",
            "d",
            2,
            3,
            4,
            answer=hostile,
            joined=(hostile, "n"),
            part=hostile,
            waits=True,
        ),
    ):
        rare = {
            "boot": None,
            "answer": None,
            "joined": (),
            "part": None,
            "waits": False,
        }  # said where there is something to say
        told = {name: value for name, value in dataclasses.asdict(receipt).items() if rare.get(name, ...) != value}
        told["sent"] = [
            {name: value for name, value in each.items() if (name, value) != ("left_s", None)} for each in told["sent"]
        ]
        assert json.loads(receipt.encode()) == json.loads(json.dumps(told))


def test_a_receipt_from_before_answers_were_kept_is_still_one() -> None:
    receipt = Receipt("c", "f", "r", 1, "m", "entry", "s", "d", 2, 3, 4, sent=(Sent("call", "m", "d", 2, "a"),))
    fields = json.loads(receipt.encode())
    for each in (fields, *fields["sent"]):
        del each["reply"], each["reply_size"]
    assert Receipt.decode(json.dumps(fields).encode()) == receipt


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"call": []}, "call"),
        ({"call": None}, "call"),
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"size": 1.5}, "size"),
        ({"cold": 1}, "cold"),
        ({"via": "post"}, "via"),
        ({"via": {}}, "via"),
        ({"type": 3}, "type"),
        ({"error": {}}, "error"),
        ({"reply": 3}, "reply"),
        ({"reply_size": "3"}, "reply_size"),
        ({"sent": None}, "sent"),
        ({"sent": {}}, "sent"),
        ({"sent": ["call"]}, "sent[0]"),
        ({"sent": [{"via": "call"}]}, "message"),
        ({"sent": [{"via": "entry", "message": "m", "digest": "d", "size": 1, "address": "a"}]}, "sent[0].via"),
        ({"sent": [{"via": "call", "message": [], "digest": "d", "size": 1, "address": "a"}]}, "sent[0].message"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_receipt_with_a_wrong_field_is_refused_by_its_name(change: dict[str, Any], named: str) -> None:
    receipt = Receipt("c", "f", "r", 1, "m", "entry", "s", "d", 2, 3, 4)
    line = json.dumps({**json.loads(receipt.encode()), **change}).encode()
    with pytest.raises((TypeError, ValueError), match=re.escape(named)):
        Receipt.decode(line)


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"7", b"{}", b"{", b"\xff", b"[" * 100_000, b'{"call":"c"}'])
def test_what_is_no_receipt_is_refused(line: bytes) -> None:
    with pytest.raises((TypeError, ValueError)):
        Receipt.decode(line)


def test_ids_of_sent_messages_are_derived_and_differ() -> None:
    ids = [contract.child_id(parent, function, index) for parent in "ab" for function in "fg" for index in (0, 1)]
    assert len(set(ids)) == len(ids)
    assert contract.child_id("a", "f", 0) == ids[0]
    assert len(ids[0]) == 32


def test_a_payload_can_be_made_again() -> None:
    assert contract.payload(1, "call", 1000) == contract.payload(1, "call", 1000)
    assert contract.payload(2, "call", 1000) != contract.payload(1, "call", 1000)
    assert len(contract.payload(1, "call", 0)) == 0


def test_a_stream_hashes_as_its_concatenation() -> None:
    assert contract.digest(b"ab", b"c") == contract.digest(b"abc")


@pytest.mark.parametrize(
    ("environment", "port"),
    [
        ({}, 8080),
        ({"PORT": "1"}, 1),
        ({"GUEST_PORT": "2"}, 2),
        ({"PORT": "1", "GUEST_PORT": "2"}, 1),
        ({"PORT": ""}, 8080),
    ],
)
def test_the_port_is_port_then_guest_port_then_8080(environment: dict[str, str], port: int) -> None:
    assert contract.listen_port(environment) == port


@pytest.mark.parametrize("text", ["-1", "65536", "http", "8080 ", "8_0"])
def test_a_port_that_is_none_is_refused_by_its_variable(text: str) -> None:
    with pytest.raises(ValueError, match="GUEST_PORT"):
        contract.listen_port({"GUEST_PORT": text})


def test_overrides_are_the_extensions_of_k_ce_overrides() -> None:
    assert contract.overrides('{"extensions":{"a":"b","n":1}}') == {"a": "b", "n": "1"}
    assert contract.overrides("") == {}
    assert contract.overrides(None) == {}
