"""A chain in the machines of a vHive that passes no environment: real processes, wired by their images alone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.unit.manifests.samples import IMAGE, NAMESPACE, container, lone, of_kind, render, service, shipped, target
from tests.unit.manifests.vhive_node import Machine, NoMachine, machine, resolve
from tests.unit.sdk.scaffold import ReceiptLines, free_port, raw_call, until_async
from toolkit import contract, manifests
from toolkit.contract import Wiring
from toolkit.engines.local.broker import BrokerConfig, RunningBroker, TriggerConfig, serve
from toolkit.plan import Plan
from toolkit.stubs.helloworld_pb2 import HelloReply, HelloRequest


@contextlib.contextmanager
def booted(each: Machine, wiring: Wiring, folder: Path, chain: str, port: int) -> Iterator[None]:
    """The machine's process. Its disk holds the chain and the wiring; its network is a port of ours."""
    file = folder / f"{wiring.function}.json"
    file.write_text(wiring.encode(), encoding="utf-8")
    disk = {contract.WIRING_FILE: str(file)}
    network = {contract.HOST: "127.0.0.1", contract.PORT: str(port)}
    python = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit.sdk"], cwd=chain, env={**python, **each.environment, **disk, **network}
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextlib.asynccontextmanager
async def broker(made: Plan, ports: Mapping[str, int]) -> AsyncIterator[RunningBroker]:
    """A broker with the Triggers that the manifests say."""
    triggers = [
        TriggerConfig(
            each["metadata"]["name"],
            (f"http://127.0.0.1:{ports[each['spec']['subscriber']['ref']['name']]}/",),
            tuple(each["spec"]["filters"]),
        )
        for each in of_kind("Trigger", render(made, "vhive-strict"))
    ]
    running = await serve([BrokerConfig(NAMESPACE, "default", tuple(triggers), "async")])
    try:
        yield running
    finally:
        await running.close()


def reached(wiring: Wiring, reachable: Mapping[str, str], sink: str) -> Wiring:
    """The wiring, its names resolved as the guest's network would: paths and everything else stay."""
    outgoing = []
    for each in wiring.outgoing:
        assert each.address is not None
        if each.via == "call":
            outgoing.append(dataclasses.replace(each, address=resolve(each.address, reachable)))
        else:
            parts = urlsplit(each.address)
            resolve(f"{parts.hostname}:80", {f"{parts.hostname}:80": ""})
            outgoing.append(dataclasses.replace(each, address=f"{sink}{parts.path}"))
    return dataclasses.replace(wiring, outgoing=tuple(outgoing))


@pytest.mark.parametrize("name", ["chained-serving", "chained-mixed"])
async def test_a_chain_runs_where_nothing_but_image_and_port_is_passed(name: str, tmp_path: Path) -> None:
    made, receipts = shipped(name), ReceiptLines()
    strict = target(made, "vhive-strict", receipts=receipts.address)
    rendered = manifests.render(made, strict)
    names = [each.name for each in made.chain.functions]
    ports = {each: free_port() for each in names}
    reachable = {f"{each}.{NAMESPACE}.svc.cluster.local:80": f"127.0.0.1:{ports[each]}" for each in names}
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(broker(made, ports))
        for each in names:
            guest = machine(service(rendered, each), passes_environment=False)
            assert (guest.image, dict(guest.environment)) == (strict.vhive and strict.vhive.images[each], {})
            wiring = reached(manifests.wiring(made, strict, each), reachable, f"http://127.0.0.1:{running.port}")
            stack.enter_context(booted(guest, wiring, tmp_path, made.chain.folder, ports[each]))
        answer = await raw_call(
            f"127.0.0.1:{ports[made.entry]}", contract.ENTRY_METHOD, HelloRequest(name="x").SerializeToString()
        )
        assert HelloReply.FromString(answer).message
        await until_async(lambda: len(receipts.lines) >= len(names))
        assert {each.function for each in receipts.receipts} == set(names)
        assert [each.error for each in receipts.receipts] == [None] * len(names)
    await asyncio.to_thread(receipts.close)


def test_a_node_that_passes_the_environment_passes_all_of_it() -> None:
    made = shipped("chained-mixed")
    guest = machine(service(render(made, "vhive-env"), "publisher"), passes_environment=True)
    assert Wiring.decode(guest.environment[contract.WIRING]).function == "publisher"
    assert (guest.image, guest.port) == (IMAGE, 8080)


def changed(**fields: Any) -> Any:
    found = service(render(lone(), "vhive-env"))
    container(found).update(fields)
    return found


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "function"}, "left to the stock runtime"),
        ({"env": []}, "GUEST_IMAGE is not set"),
        ({"ports": [{"name": "h2c", "containerPort": 50051}]}, "not the guest's"),
    ],
)
def test_the_node_is_strict_enough_to_tell(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(NoMachine, match=why):
        machine(changed(**fields), passes_environment=True)


def test_stock_manifests_make_no_machine() -> None:
    with pytest.raises(NoMachine, match="GUEST_IMAGE is not set"):
        machine(service(render(lone())), passes_environment=True)


def test_a_guest_resolves_full_names_only() -> None:
    with pytest.raises(LookupError, match="cannot resolve 'consumer'"):
        resolve("consumer:80", {"consumer:80": "127.0.0.1:1"})
