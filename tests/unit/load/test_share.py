"""A load divided among generators is the load that one would have sent."""

from __future__ import annotations

import itertools

import pytest

from toolkit.errors import UsageError
from toolkit.load import pacing, share
from toolkit.load.identity import Identity, identities
from toolkit.load.share import Share, shares
from toolkit.results import Load, Progress


def drawn(load: Load, part: Share, count: int) -> list[Identity]:
    return list(itertools.islice(identities("run-1", load, part), count))


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_all_shares_together_are_the_schedule_of_one_generator(arrivals: object) -> None:
    load = Load(requests=101, rate=37.0, arrivals=arrivals)  # type: ignore[arg-type]
    whole = pacing.schedule(load)
    assert whole is not None
    divided: list[int] = sorted(due for each in shares(3) for due in each.times(whole))
    assert divided == list(whole)
    assert [len(each.times(whole)) for each in shares(3)] == [34, 34, 33]


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_a_share_can_be_taken_while_the_schedule_is_made(arrivals: object) -> None:
    load = Load(requests=101, rate=37.0, arrivals=arrivals)  # type: ignore[arg-type]
    whole = pacing.schedule(load) or ()
    for each in shares(3):
        assert list(each.times(pacing.times(load))) == list(each.times(whole))
        assert each.count(pacing.count(load)) == len(each.times(whole))
        assert each.count(None) is None


def test_calls_have_the_same_ids_and_are_traced_alike_whoever_sends_them() -> None:
    load = Load(requests=20, rate=1.0, sample=0.5, seed=7)
    together = [each for part in shares(3) for each in drawn(load, part, 7)]
    assert sorted(together, key=lambda each: each.seq)[:20] == drawn(load, share.WHOLE, 20)
    assert {each.sampled for each in together} == {True, False}


def test_another_seed_or_run_has_other_ids() -> None:
    first = next(identities("run-1", Load(seed=1)))
    assert first.call != next(identities("run-1", Load(seed=2))).call
    assert first.call != next(identities("run-2", Load(seed=1))).call


def test_of_a_closed_loop_the_workers_and_the_calls_are_divided() -> None:
    parts = [each.load(Load(requests=10, concurrency=4)) for each in shares(3)]
    assert [(each.requests, each.concurrency) for each in parts] == [(4, 2), (3, 1), (3, 1)]


def test_a_closed_loop_that_only_time_ends_lasts_as_long_for_each() -> None:
    parts = [each.load(Load(duration_s=5.0, concurrency=2)) for each in shares(2)]
    assert [(each.duration_s, each.requests, each.concurrency) for each in parts] == [(5.0, None, 1)] * 2


def test_an_open_loop_is_divided_call_by_call_and_stays_what_was_asked_for() -> None:
    load = Load(requests=10, rate=5.0)
    assert Share(1, 2).load(load) is load


@pytest.mark.parametrize(
    ("load", "generators", "says"),
    [
        (Load(requests=2, rate=1.0), 3, "--generators 3 for --requests 2"),
        (Load(duration_s=1.0, concurrency=2), 3, "--generators 3 for --concurrency 2"),
        (Load(requests=9, rate=1.0), 0, "--generators 0: not in range"),
        (Load(requests=900, rate=1.0), 65, "--generators 65: not in range"),
    ],
)
def test_generators_without_anything_to_do_are_refused(load: Load, generators: int, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        share.validate(load, generators)
    assert caught.value.next_step


def test_progress_adds_up_and_a_load_without_an_end_has_no_plan() -> None:
    one, other = Progress(10, 5, 3, 1, 1, 2.0), Progress(9, 4, 4, 0, 0, 2.5)
    assert share.together([one, other]) == Progress(19, 9, 7, 1, 1, 2.5)
    assert share.together([one, Progress(None, 4, 4, 0, 0, 2.5)]).planned is None
    assert share.together([]) == Progress(None, 0, 0, 0, 0, 0.0)
