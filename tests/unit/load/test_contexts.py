"""The trace ids of a load are made again from its seed."""

from __future__ import annotations

from itertools import islice

import grpc

from tests.unit.load.far_side import METHOD, greeter
from tests.unit.load.kept import Kept
from toolkit.load.contexts import trace_ids
from toolkit.load.direct import Request, drive
from toolkit.load.target import Target
from toolkit.results import Load


def test_they_are_those_that_the_server_saw() -> None:
    seen: list[str] = []

    def keep(data: bytes, context: grpc.ServicerContext) -> bytes:
        seen.append(str(dict(context.invocation_metadata())["traceparent"]).split("-")[1])
        return data

    load = Load(requests=20, concurrency=1, seed=7, sample=0.5)
    with greeter(keep) as address:
        drive(Request(Target(*address, METHOD), b""), load, Kept())
    assert seen == list(islice(trace_ids(load), 20))


def test_another_seed_has_others() -> None:
    first, other = (set(islice(trace_ids(Load(requests=9, rate=1.0, seed=seed)), 9)) for seed in (1, 2))
    assert len(first) == 9
    assert first & other == set()
