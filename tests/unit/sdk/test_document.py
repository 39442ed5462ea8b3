"""What docs/functions.md shows, done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sdk.scaffold import (
    CONSUME,
    Kept,
    arrival,
    calling,
    consuming,
    event,
    function,
    link,
    raw_call,
    serving,
    to,
    wiring,
)
from tests.unit.sdk.test_events import GREETING, Broker, deliver
from toolkit import sdk
from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD
from toolkit.sdk import tags
from toolkit.sdk.cloudevents import decode
from toolkit.sdk.context import BlockingContext, Context
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest

DOCUMENT = Path(__file__).parents[3] / "docs" / "functions.md"
PARAMETERS = {"payload": 300}


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "handlers"}
    for block in re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL):
        exec(block, names)
    return names


async def test_the_called_chain_of_the_document_runs(shown: dict[str, Any]) -> None:
    last = wiring("consumer", serves=(CONSUME,), parameters=PARAMETERS)
    async with serving(function(shown["consume"], last)) as there:
        first = wiring("producer", serves=(ENTRY_METHOD,), outgoing=(to("consumer", there),), parameters=PARAMETERS)
        async with serving(function(shown["produce"], first)) as target:
            reply = HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b""))
    assert reply.message == "consumed: True"


async def test_the_event_handlers_of_the_document_run(shown: dict[str, Any]) -> None:
    broker, kept = Broker(), Kept()
    relay = wiring("relay", consumes=True, outgoing=(event("next"),))
    async with broker.listening() as sink, consuming(function(shown["relay"], relay, kept, sink=sink)) as url:
        assert (await deliver(url, GREETING, b"data")).status == 200
    assert [sent.data for sent in broker.events] == [b"data"]
    for name, said in (("answer", b'{"size": 4}'), ("resize", b"dt")):
        async with consuming(function(shown[name], wiring(consumes=True), kept)) as url:
            response = await deliver(url, GREETING, b"data")
        assert decode(response.headers, response.body).data == said


async def test_the_scatter_of_the_document_runs(shown: dict[str, Any]) -> None:
    async with serving(function(shown["add"], wiring("adder", serves=(GENERIC_METHOD,)))) as there:
        edge = to("adder", there, GENERIC_METHOD, least=3, most=3)
        async with serving(function(shown["tally"], wiring("f", serves=(ENTRY_METHOD,), outgoing=(edge,)))) as target:
            assert HelloReply.FromString(await raw_call(target, ENTRY_METHOD, b"")).message == "21"


@pytest.mark.parametrize(("name", "message"), [("4", "even: 4"), ("7", "odd: 7"), ("x", "'x' is no number")])
async def test_the_choice_of_the_document_runs(shown: dict[str, Any], name: str, message: str) -> None:
    edges = (link("even", choice="parity"), link("odd", choice="parity"))
    called = calling(shown["sort_out"], lambda to, asked: f"{to}: {asked.text}", *edges)
    found = await called.run(arrival(HelloRequest(name=name)))
    assert found.text == message
    assert (found.status, [sent.to for sent in called.kept.receipts[0].sent]) == (
        (422, []) if name == "x" else (None, [message.partition(":")[0]])
    )


def test_the_document_names_all_that_handlers_may_import() -> None:
    text = DOCUMENT.read_text()
    assert [
        name
        for name in sdk.__all__
        if not re.search(rf"\b{name}\b", text) and name not in ("BaseContext", "Context", "SdkError")
    ] == []


def test_the_document_names_all_that_a_context_offers() -> None:
    table = DOCUMENT.read_text().partition("| `ctx.`")[2].partition("**Values.**")[0]
    offered = {name for name in dir(Context) if not name.startswith("_")}
    assert offered == {name for name in dir(BlockingContext) if not name.startswith("_")}
    assert {name for name in offered if f"`{name}" not in table} == set()


def test_the_document_names_every_tag_of_a_span() -> None:
    table = DOCUMENT.read_text().partition("| tag |")[2].partition("\n\n")[0]
    constants = [value for name, value in vars(tags).items() if name.isupper() and name not in ("PEER", "CODES")]
    named = {each for value in constants for each in ((value,) if isinstance(value, str) else value)}
    named |= set(tags.of_process(wiring(), {"K_SERVICE": "s", "K_REVISION": "r"}, "i"))
    assert {name for name in named if f"`{name}`" not in table} == set()
    documented = set(
        re.findall(r"`([a-z_]+\.[a-z_.]+|error|cold)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.M)))
    )
    assert documented - named == {"error"}


async def test_the_racing_sends_of_the_document_run(shown: dict[str, Any]) -> None:
    broker, wired = Broker(), wiring("f", consumes=True, outgoing=(event("c.f", most=2),))
    async with broker.listening() as sink, consuming(function(shown["share_out"], wired, sink=sink)) as url:
        assert (await deliver(url, GREETING)).status == 200
    assert {each.data for each in broker.events} == {b"left", b"right"}
