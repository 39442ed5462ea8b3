"""Recorded calls: which files are read, what they mean, and every way in which a file is none of them."""

from __future__ import annotations

import io
import json
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.statistics import ks, uniform
from toolkit.errors import UsageError
from toolkit.load import invocations, pacing, recorded, wire
from toolkit.load.arrivals import parse
from toolkit.load.share import WHOLE
from toolkit.load.wire import Order
from toolkit.results import Load

AZURE = """HashOwner,HashApp,HashFunction,Trigger,1,2,3,4
o1,a1,f1aa,http,3,0,5,1
o1,a2,f2bb,queue,10,20,30,40
"""
INVITRO = """phase,instance,invocationID,startTime,requestedDuration,responseTime,connectionTimeout
2,trace-func-0,min0.inv1,1690000000500000,100,120,false
2,trace-func-0,min0.inv0,1690000000000000,100,120,false
2,trace-func-0,min0.inv2,1690000002000000,100,120,false
"""
AZURE_2021 = """app,func,end_timestamp,duration
a,f,79.57399988174438,0.0739998817443848
a,f,80.5,1.5e-1
"""


def read(text: str, options: str = "") -> str:
    return invocations.read(io.StringIO(text, newline=""), parse(f"recorded:x.csv{options}"))


def load(recording: str, arrivals: str = "recorded:x.csv", **more: Any) -> Load:
    found = Load(**{"requests": recorded.count(recording), **more}, arrivals=arrivals, recorded=recording)
    pacing.validate(found)
    return found


def seconds(recording: str, arrivals: str = "recorded:x.csv", **more: Any) -> list[float]:
    return [each / 1e9 for each in pacing.times(load(recording, arrivals, **more))]


# -- formats


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (",row=1", "counts/60000000000 3 0 5 1"),
        (",row=2,minutes=2-3", "counts/60000000000 20 30"),
        (",row=2,minutes=4", "counts/60000000000 40"),
        (",row=all", "counts/60000000000 13 20 35 41"),
        (",row=f2", "counts/60000000000 10 20 30 40"),
        (",row=a1", "counts/60000000000 3 0 5 1"),
        (",row=1,time=0.1", "counts/6000000000 3 0 5 1"),
        (",row=1,unit=s", "counts/1000000000 3 0 5 1"),
        (",row=1,rate=10", "counts/60000000000 30 0 50 10"),
        (",row=1,rate=0.5", "counts/60000000000 2 0 2 0"),
    ],
)
def test_counts_per_minute_are_read_as_azure_and_invitro_publish_them(options: str, kept: str) -> None:
    assert read(AZURE, options) == kept


def test_one_function_need_not_be_chosen() -> None:
    assert read("HashFunction,1,2\nf,4,5\n") == "counts/60000000000 4 5"


def test_invitros_results_are_read_by_their_start_in_microseconds_in_any_order() -> None:
    assert read(INVITRO) == "gaps/1000 0 500000 1500000"


def test_the_azure_trace_of_2021_is_read_by_end_and_duration() -> None:
    assert read(AZURE_2021) == "gaps/1000 0 850000"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("0\n0.5\n2\n", ""),
        ("at\n10\n10.5\n12\n", ""),
        ("at_ms\n0\n500\n2000\n", ""),
        ("seq,due_ns\n0,0\n1,500000000\n2,2000000000\n", ""),
        ("run,intended_ns,sent_ns\nr,7000000000,0\nr,7500000000,1\nr,9000000000,1\n", ""),
        ("a,when,b\nx,0,1\nx,500,1\nx,2000,1\n", ",column=when,unit=ms"),
        ("a,when,b\nx,0,1\nx,500,1\nx,2000,1\n", ",column=2,unit=ms"),
        ("7,0\n7,5e-1\n7,2.\n", ",column=2"),
        ("1690000000000000000\n1690000000500000000\n1690000002000000000\n", ",unit=ns"),
        ("\n\n0\n\n0.5\n2", ""),
        ("at\r\n0\r\n0.5\r\n2\r\n", ""),
        ('"at"\n"0"\n" 0.5 "\n2\n', ""),
    ],
)
def test_any_column_of_times_is_read(text: str, options: str) -> None:
    assert read(text, options) == "gaps/1000 0 500000 1500000"


def test_what_a_plan_prints_can_be_read() -> None:
    made = Load(requests=50, rate=7.0, arrivals="poisson")
    text = "seq,due_ns\n" + "".join(f"{place},{at}\n" for place, at in enumerate(pacing.times(made)))
    again = seconds(read(text))
    assert again == pytest.approx([each / 1e9 for each in pacing.times(made)], abs=1e-6)


# -- what becomes of them


def test_recorded_times_are_met_to_the_microsecond() -> None:
    assert seconds(read(INVITRO)) == [0.0, 0.5, 2.0]


def test_time_may_run_faster() -> None:
    assert seconds(read(INVITRO, ",time=0.1")) == [0.0, 0.05, 0.2]


@pytest.mark.parametrize(
    ("rate", "met"), [("2", [0.0, 0.25, 0.5, 1.25, 2.0]), ("0.5", [0.0, 2.0]), ("0.1", [0.0]), ("1", [0.0, 0.5, 2.0])]
)
def test_more_or_fewer_calls_follow_the_same_curve(rate: str, met: list[float]) -> None:
    assert seconds(read(INVITRO, f",rate={rate}")) == met


def test_no_call_is_lost_by_rounding_when_counts_are_scaled() -> None:
    counts = ",".join(["3"] * 1440)
    text = f"f,{','.join(map(str, range(1, 1441)))}\nx,{counts}\n"
    assert recorded.count(read(text, ",rate=0.1")) == 432


@pytest.mark.parametrize("gaps", ["constant", "poisson", "uniform"])
def test_each_minute_has_the_calls_that_it_had(gaps: str) -> None:
    calls = seconds(read(AZURE, ",row=1"), f"recorded:x.csv,gaps={gaps}")
    assert [sum(low <= at < low + 60 for at in calls) for low in (0, 60, 120, 180)] == [3, 0, 5, 1]
    assert all(before <= after for before, after in pairwise(calls))


def test_equal_distances_begin_with_the_minute() -> None:
    assert seconds(read(AZURE, ",row=1,minutes=1"), "recorded:x.csv,gaps=constant") == [0.0, 20.0, 40.0]


def test_within_a_minute_calls_are_where_those_of_a_poisson_process_are() -> None:
    calls = seconds("counts/60000000000 5000 5000")
    assert ks(calls[:5000], uniform(0, 60)) > 0.05
    assert ks(calls[5000:], uniform(60, 120)) > 0.05
    rejected = [ks(seconds("counts/60000000000 100", seed=seed), uniform(0, 60)) < 0.05 for seed in range(400)]
    assert 0.02 <= sum(rejected) / 400 <= 0.085


def test_uniform_gaps_fill_the_minute() -> None:
    calls = seconds("counts/60000000000 5000", "recorded:x.csv,gaps=uniform")
    gaps = [after - before for before, after in pairwise(calls)]
    assert ks(gaps, uniform(0, 2 * 60 / 5001)) > 0.01
    assert max(calls) < 60


def test_a_recording_follows_the_seed_where_it_leaves_something_open() -> None:
    assert seconds("counts/1000000000 9") == seconds("counts/1000000000 9")
    assert seconds("counts/1000000000 9") != seconds("counts/1000000000 9", seed=2)
    assert seconds("gaps/1000 0 7 8") == seconds("gaps/1000 0 7 8", seed=2)


def test_a_part_of_a_recording_may_be_sent() -> None:
    assert len(seconds("counts/1000000000 9 9 9", requests=12)) == 12
    half = load("counts/1000000000 9 9 9", requests=None, duration_s=1.0)
    assert (pacing.count(half), len(list(pacing.times(half))), pacing.expected(half)) == (9, 9, 9)


def test_rate_and_length_of_a_recording_are_known() -> None:
    found = load("counts/1000000000 9 0 18 3")
    assert (pacing.length_s(found), pacing.mean_rate(found), pacing.peak_rate(found)) == (4.0, 7.5, 18.0)
    assert pacing.peak_rate(load("gaps/1000 0 7 8")) is None


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=30), gaps=st.sampled_from(["constant", "poisson"]))
def test_any_counts_are_met_exactly_and_in_order(counts: list[int], gaps: str) -> None:
    text = recorded.text("counts", 1_000_000, counts)
    times = list(recorded.times(text, gaps, 3))
    assert [sum(at // 1_000_000 == place for at in times) for place in range(len(counts))] == counts
    assert times == sorted(times)
    assert recorded.count(text) == sum(counts)
    assert recorded.length_ns(text) == 1_000_000 * len(counts)


# -- on their way


def test_a_million_recorded_calls_fit_into_an_order_to_a_generator() -> None:
    """A day of them, each at a microsecond of its own."""
    text = recorded.text("gaps", 1000, (86_400 + (place * 7919) % 1000 for place in range(1_000_000)))
    order = Order("h:80", "run-1", "pair", "producer", Load(requests=5, arrivals="recorded:x", recorded=text), WHOLE)
    line = wire.order_line(order)
    assert len(line) < wire.MAX_LINE / 2
    assert wire.order_of(json.loads(line)["order"]).load.recorded == text


def test_more_than_goes_into_an_order_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="more than 12 MiB of times") as refused:
        recorded.text("gaps", 1000, (10**9 for _ in range(10**7)))
    assert "rate=0.1" in str(refused.value.next_step)


# -- hostile files


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("", "", "x.csv: it is empty"),
        ("\n\n\n", "", "x.csv: it is empty"),
        ("at\n", "", "x.csv: it has a header and no row"),
        ("f,1,2\n", "", "x.csv: it has a header and no row"),
        (AZURE, "", "x.csv: it has 2 rows"),
        (AZURE, ",row=3", "x.csv: row=3: there is none among its 2"),
        (AZURE, ",row=zz", "x.csv: row=zz: there is none among its 2"),
        (AZURE, ",row=o1", "x.csv: row=o1 begins 2 rows"),
        (AZURE, ",row=1,minutes=3-9", "x.csv: minutes=3-9: it has 4"),
        (AZURE, ",row=1,column=2", "column= is for files of times; this one has counts"),
        (AZURE, ",row=1,unit=ms", "its columns are minutes, or seconds with unit=s"),
        (AZURE, ",row=1,time=10000000", "it would last 27,778 days"),
        (INVITRO, ",row=1", "row= is for files of counts; this one has times"),
        (INVITRO, ",minutes=1-2", "minutes= is for files of counts; this one has times"),
        (INVITRO, ",column=began", "column=began: it has 'phase', 'instance', "),
        (INVITRO, ",column=9", "column=9: it has 'phase'"),
        ("f,1,2\nx,3\n", "", "x.csv:2: 1 counts where the header has 2"),
        ("f,1,2\nx,-3,4\n", "", "x.csv:2: '-3' in column 2"),
        ("f,1,2\nx,3,NaN\n", "", "x.csv:2: 'NaN' in column 3 is not a number of calls"),
        ("f,1,2\nx,3,1.5\n", "", "'1.5' in column 3"),
        ("f,1,2\nx,,1\n", "", "'' in column 2"),
        ("f,1,2\nx,١,1\n", "", "'١' in column 2"),
        ("f,1,2\nx,1,1e9\n", "", "'1e9' in column 3"),
        ("f,1,2\nx,1,99999999999999999999\n", "", "in column 3"),
        ("f,1\nx,bad\ny,worse\n", ",row=all", "x.csv:2: 'bad' in column 2 is not a number of calls\nx.csv:3: 'worse'"),
        ("at\n1\n-2\n", "", "x.csv:3: '-2' in column 1 is not a time"),
        ("at\n1\nnan\ninf\n", "", "x.csv:3: 'nan' in column 1 is not a time\nx.csv:4: 'inf'"),
        ("at\n1\n２\n", "", "x.csv:3: '２' in column 1"),
        ("at\n1\n1_0\n", "", "x.csv:3: '1_0'"),
        ("at\n1\n1e99\n", "", "it would last"),
        ("at,b\n1,2\n3\n", ",column=b", "x.csv:3: it has no column 2"),
        ("a,b\n1,2\n", "", "it has 2 columns: 'a', 'b'"),
        ("GIF89a\0\0\0\n", "", "x.csv:1: no CSV (it has bytes that no text has)"),
        ('at\n"1\n2\n' + "3" * 200_000, "", "no CSV (field larger than field limit"),
        ("at\n" + "x" * 100_000 + "\n", "", "x.csv:2: "),
        ("x\n" * 100_000, "", "… and more"),
    ],
)
def test_a_file_that_means_nothing_is_refused_with_the_line_and_a_next_step(text: str, options: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(text, options)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 2000


@given(text=st.text(max_size=200))
def test_whatever_a_file_holds_is_read_or_refused_in_words(text: str) -> None:
    try:
        told = str(recorded.length_ns(read(text)))
    except UsageError as error:
        told = str(error)
    assert told.isdigit() or "x.csv" in told


def test_the_calls_of_a_stretch_are_drawn_as_they_are_needed() -> None:
    class Counting(random.Random):
        drawn = 0

        def random(self) -> float:
            self.drawn += 1
            return super().random()

    draw = Counting(1)
    moments = recorded._in_order(1_000_000, draw)
    first = [next(moments) for _ in range(3)]
    assert draw.drawn == 3
    assert 0 < first[0] < first[1] < first[2] < 1e-4
