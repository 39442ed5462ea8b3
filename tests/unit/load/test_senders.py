from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.load.dying import Dying, Sleeping, Stillborn, ToTheDeaf
from tests.unit.load.endless import ToNobody
from toolkit import loads, rows
from toolkit.errors import EngineError
from toolkit.load import senders
from toolkit.load.direct import Manner, Unreachable
from toolkit.load.hdr import Histogram
from toolkit.load.senders import send
from toolkit.loads import Order
from toolkit.results import Load, Progress


def test_processes_send_their_shares_of_one_schedule_and_tell_what_became_of_them(tmp_path: Path) -> None:
    told: list[Progress] = []
    load = Load(rate=500.0, requests=401)
    start_ns, parts = send(ToNobody(), load, 2, Manner(warmup_calls=11), tmp_path, on_progress=told.append)
    ended = [each.ended for each in parts if each.ended is not None]
    assert [(each.sent, each.warmup, each.ended) for each in ended] == [
        (201, 6, {"OK": 195}),
        (200, 5, {"OK": 195}),
    ]
    assert all(each.started_ns == start_ns for each in ended)
    assert all(each.cpu is not None and each.trouble is None for each in ended)
    whole = Histogram.from_bytes(ended[0].latency)
    whole.merge(Histogram.from_bytes(ended[1].latency))
    assert whole.total == 390
    assert sorted(seq for part in parts for seq in rows.raw(part.rows)["seq"].tolist()) == list(range(401))
    assert (told[-1].planned, told[-1].sent) == (401, 401)


def test_one_that_dies_leaves_its_rows_and_the_others_alone(tmp_path: Path) -> None:
    load = Load(rate=400.0, duration_s=1.0)
    outcome = loads.run(Order("nobody", Dying(after=150), load, 2), tmp_path)
    assert [each.ended for each in outcome.report.generators] == ["it ended with status 7"] * 2
    found = outcome.report.numbers
    assert found.sent + found.refused == 400, "each call that was due is in one count"
    assert 0 < found.ok < found.ok + found.lost == found.sent
    assert 298 <= found.sent < 350, "until both were seen to be gone"
    assert found.invalid[0] == "generator 1: it ended with status 7"
    assert dict(found.statuses)["OK"] == found.ok


def test_one_that_cannot_begin_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="a generator could not begin: it ended with status 1: ValueError: no lines"):
        send(Stillborn(), Load(rate=10.0, requests=10), 2, Manner(), tmp_path)


def test_where_nobody_is_nothing_is_sent(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="nobody is at home"):
        send(ToTheDeaf(), Load(rate=10.0, requests=10), 2, Manner(), tmp_path)
    assert {each.stat().st_size for each in tmp_path.glob("rows-*")} <= {0}


def test_a_load_that_is_stopped_ends_soon_with_what_there_is(tmp_path: Path) -> None:
    told: list[Progress] = []
    load = Load(rate=100.0, duration_s=600.0)
    _, parts = send(ToNobody(), load, 2, Manner(), tmp_path, stopped=lambda: len(told) > 3, on_progress=told.append)
    sent = [each.ended.sent for each in parts if each.ended is not None]
    assert len(sent) == 2
    assert 0 < sum(sent) < 6_000
    assert sum(len(rows.raw(each.rows)) for each in parts) == sum(sent)


def test_a_load_that_is_stopped_before_it_began_sends_nothing(tmp_path: Path) -> None:
    _, parts = send(ToNobody(), Load(rate=100.0, duration_s=600.0), 1, Manner(), tmp_path, stopped=lambda: True)
    assert sum(len(rows.raw(each.rows)) for each in parts) == 0


def test_a_generator_that_does_not_stop_is_ended_and_the_load_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "STOPPED_S", 0.2)
    load = Load(rate=100.0, duration_s=60.0)
    mark = tmp_path / "asleep"
    outcome = loads.run(Order("nobody", Sleeping(mark=mark), load, 1), tmp_path, stopped=mark.exists)
    assert [each.ended for each in outcome.report.generators] == ["it was killed by signal 9"]
    assert outcome.report.partial
