"""What leaves is what the arrivals say: every kind, over real connections to a real server."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.load.far_side import METHOD, greeter
from tests.unit.load.kept import Kept
from toolkit.load import pacing
from toolkit.load.direct import Request, drive
from toolkit.load.share import Share
from toolkit.load.target import Target
from toolkit.results import Load

MS = 1_000_000
LOADS = (
    Load(requests=60, rate=400.0, arrivals="uniform"),
    Load(duration_s=0.3, rate=200.0, arrivals="poisson"),
    Load(duration_s=0.3, rate=200.0, arrivals="burst:on=50ms,off=50ms,gaps=poisson"),
    Load(duration_s=0.3, rate=50.0, arrivals="ramp:to=400"),
    Load(requests=60, rate=100.0, arrivals="step:by=100,every=50ms,to=300"),
    Load(requests=40, arrivals="recorded:x.csv", recorded="counts/50000000 10 0 20 10"),
    Load(duration_s=0.1, arrivals="recorded:x.csv", recorded="gaps/1000 0 20000 20000 0 20000 20000 20000"),
)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.arrivals)
def test_every_call_is_due_when_its_arrivals_say(load: Load) -> None:
    rows = Kept()
    with greeter() as address:
        ledger = drive(Request(Target(*address, METHOD), b"hello"), load, rows)
    due = [each.due for each in rows.rows()]
    assert [each - due[0] for each in due] == [each - min(pacing.times(load)) for each in pacing.times(load)]
    assert ledger.counts() == {"OK": len(due)}


def test_several_generators_meet_a_recording_together() -> None:
    load, parts = LOADS[5], [Kept(), Kept(), Kept()]
    with greeter() as address:
        for at, rows in enumerate(parts):
            drive(Request(Target(*address, METHOD), b""), load, rows, share=Share(at, 3))
    assert sorted(each.seq for rows in parts for each in rows.rows()) == list(range(40))


def test_a_worker_that_thinks_calls_no_sooner_than_it_has_thought() -> None:
    rows = Kept()
    with greeter() as address:
        drive(Request(Target(*address, METHOD), b""), Load(requests=6, concurrency=1, think="20ms"), rows)
    kept = rows.rows()
    assert all(after.sent - before.done >= 20 * MS for before, after in itertools.pairwise(kept))
    assert all(each.due == each.sent for each in kept)
