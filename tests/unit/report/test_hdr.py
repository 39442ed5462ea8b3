"""HdrHistogram's files, held against HdrHistogram itself: the Python port always, the Java original where it is."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it has no types
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.measure.columns import MS, rows
from toolkit.load.hdr import Histogram
from toolkit.measure.hdr import HIGHEST_NS, counts, intervals, points
from toolkit.report import hdr

VERSION = "2.2.2"
JAR = Path.home() / f".m2/repository/org/hdrhistogram/HdrHistogram/{VERSION}/HdrHistogram-{VERSION}.jar"
READER = """
import org.HdrHistogram.*;
import java.io.FileInputStream;
class Read {
  public static void main(String[] given) throws Exception {
    HistogramLogReader reader = new HistogramLogReader(new FileInputStream(given[0]));
    for (EncodableHistogram next; (next = reader.nextIntervalHistogram()) != null; ) {
      Histogram found = (Histogram) next;
      StringBuilder line = new StringBuilder();
      line.append(found.getTag()).append(' ').append(found.getStartTimeStamp()).append(' ');
      line.append(found.getEndTimeStamp()).append(' ').append(found.getTotalCount());
      for (double each : new double[] {0, 50, 90, 99, 99.9, 100})
        line.append(' ').append(found.getValueAtPercentile(each));
      System.out.println(line);
    }
    System.out.println(reader.getStartTimeSec());
  }
}
"""
SAMPLES = np.random.default_rng(1).lognormal(15, 1.2, 5_000).astype(np.int64)
NANOSECONDS = st.lists(st.integers(0, 2 * HIGHEST_NS), min_size=1, max_size=60)


def encoded(samples: Sequence[int]) -> bytes:
    return base64.b64encode(hdr.compressed(counts(np.array(samples, dtype=np.int64)), HIGHEST_NS))


@settings(deadline=None, max_examples=40)  # their histogram takes its time
@given(NANOSECONDS)
@example([0])
@example([2047, 2048, 2049, 4095, 4096])
@example([HIGHEST_NS])
def test_the_python_port_reads_what_we_write(samples: list[int]) -> None:
    theirs = HdrHistogram.decode(encoded(samples))
    own = HdrHistogram(1, HIGHEST_NS, 3)
    for each in samples:
        own.record_value(min(each, HIGHEST_NS))
    assert theirs.get_total_count() == len(samples)
    for percentile in (0, 25, 50, 90, 99, 100):
        assert theirs.get_value_at_percentile(percentile) == own.get_value_at_percentile(percentile)


@settings(deadline=None, max_examples=40)
@given(NANOSECONDS)
def test_the_live_histogram_of_a_load_counts_alike(samples: list[int]) -> None:
    live = Histogram(HIGHEST_NS)
    for each in samples:
        live.record(each)
    found = counts(np.array(samples, dtype=np.int64))
    assert live.counts[: len(found)].tolist() == found
    assert not any(live.counts[len(found) :])


def test_a_large_count_keeps_all_its_bits() -> None:
    theirs = HdrHistogram.decode(base64.b64encode(hdr.compressed([0, 5_000_000_000, 0, 0, 127, 128], HIGHEST_NS)))
    assert theirs.get_total_count() == 5_000_000_255


def log_of(made: np.ndarray) -> str:
    told = (
        hdr.Counted(start, length, int(latency.max()), counts(latency), tag)
        for start, length, *both in intervals(made)
        for latency, tag in zip(both, (None, "service-time"), strict=True)
    )
    return "".join(hdr.log(told, started_s=1_700_000_000.25, highest_ns=HIGHEST_NS, about={"run": "a\nb"}))


def test_a_log_has_an_interval_a_second_for_each_series() -> None:
    lines = log_of(rows(2500)).splitlines()
    assert lines[0] == "#run: a b"
    assert "#[Histogram log format version 1.3]" in lines
    data = [line for line in lines if not line.startswith(("#", '"'))]
    assert [line.split(",HIST")[0] for line in data] == [
        "0.000,1.000,1.000",
        "Tag=service-time,0.000,1.000,0.999",
        "1.000,1.000,1.000",
        "Tag=service-time,1.000,1.000,0.999",
        "2.000,1.000,1.000",
        "Tag=service-time,2.000,1.000,0.999",
    ]


def test_a_long_run_has_longer_intervals() -> None:
    found = list(intervals(rows(8_000, every_ns=1_000 * MS)))
    assert {length for _, length, _, _ in found} == {3.0}


def test_no_calls_are_no_intervals() -> None:
    assert list(intervals(rows(0))) == []


@pytest.fixture(scope="module")
def java() -> str:
    """The classpath of the Java original; KNBENCH_JAVA=1 has Maven bring it."""
    if shutil.which("java") is None:
        pytest.skip("no Java here")
    if not JAR.is_file() and os.environ.get("KNBENCH_JAVA") == "1":
        artefact = f"-Dartifact=org.hdrhistogram:HdrHistogram:{VERSION}"
        subprocess.run(["mvn", "-q", "dependency:get", artefact], check=True, timeout=100)
    if not JAR.is_file():
        pytest.skip(f"HdrHistogram {VERSION} of Java is not in Maven's folder; KNBENCH_JAVA=1 brings it")
    return str(JAR)


def test_the_java_original_reads_our_log(java: str, tmp_path: Path) -> None:
    made = rows(len(SAMPLES), latency_ns=SAMPLES)
    (tmp_path / "run.hlog").write_text(log_of(made))
    (tmp_path / "Read.java").write_text(READER)
    command = ["java", "-cp", java, str(tmp_path / "Read.java"), str(tmp_path / "run.hlog")]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout.splitlines()
    assert float(told[-1]) == 1_700_000_000.25
    expected = []
    for start, length, *both in intervals(made):
        for samples, tag in zip(both, ("null", "service-time"), strict=True):
            own = HdrHistogram(1, HIGHEST_NS, 3)
            for each in samples.tolist():
                own.record_value(each)
            begin = 1_700_000_000_250 + round(start * 1000)
            values = [own.get_value_at_percentile(each) for each in (0, 50, 90, 99, 99.9, 100)]
            expected.append(" ".join(map(str, (tag, begin, begin + round(length * 1000), len(samples), *values))))
    assert told[:-1] == expected


def test_the_percentile_text_is_exact_at_each_line() -> None:
    ordered = np.sort(SAMPLES)
    spread = hdr.Spread(points(ordered), len(ordered), float(ordered.mean()), float(ordered.std()), int(ordered[-1]))
    lines = "".join(hdr.percentiles(spread)).splitlines()
    assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert lines[1] == ""
    body = [line.split() for line in lines[2:] if not line.startswith("#")]
    for value, share, upto, *_ in body:
        assert float(share) == pytest.approx(int(upto) / len(ordered))
        assert float(value) == pytest.approx(ordered[int(upto) - 1] / 1e6, abs=5e-4)
    assert len(body[-1]) == 3
    assert [line.split()[0] for line in lines[-3:]] == ["#[Mean", "#[Max", "#[Buckets"]
