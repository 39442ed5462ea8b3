"""Whether a load sees what its callers would, and knows when it does not: real servers, real time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.program import call
from tests.unit.load.far_side import Peer, scripted
from toolkit import rows

Seconds = NDArray[np.float64]
METHOD = "helloworld.Greeter/SayHello"
FREEZE_S = 0.1


def freezing(after: int) -> Callable[[Peer], None]:
    """A server that answers at once, but for a moment after so many calls, when it does nothing at all."""

    def serve(peer: Peer) -> None:
        for count, stream in enumerate(peer.calls(), 1):
            if count == after:
                time.sleep(FREEZE_S)
            peer.answer(stream)

    return serve


def latencies(folder: Path, *words: str, after: int) -> Seconds:
    """In seconds, sorted, of a load on a server that freezes after so many calls."""
    with scripted(freezing(after)) as (host, port):
        done = call(folder, "load", "--target", f"h2c://{host}:{port}/{METHOD}", *words)
    (run,) = (folder / "runs").iterdir()
    found = rows.read(run / "calls.npy")
    assert (found["status"] == 0).all(), done.stdout
    return np.sort(found["done_ns"] - found["due_ns"]) / 1e9


def share(ordered: Seconds, of: float) -> float:
    return float(ordered[int(np.ceil(of * len(ordered))) - 1])


@pytest.mark.alone
def test_a_freeze_of_a_hundredth_of_the_time_is_in_the_tail_as_the_closed_form_says(tmp_path: Path) -> None:
    """1,000/s for 10 s with a freeze of 0.1 s: one per cent of the calls waits evenly between nothing and 0.1 s."""
    found = latencies(tmp_path, "--rate", "1000", "--duration", "10s", after=5_000)
    assert share(found, 0.5) < 0.01
    assert share(found, 0.995) == pytest.approx(0.05, abs=0.02)
    assert share(found, 0.999) == pytest.approx(0.09, abs=0.02)


@pytest.mark.alone
def test_a_closed_loop_misses_the_same_freeze(tmp_path: Path) -> None:
    found = latencies(tmp_path, "--concurrency", "1", "--requests", "10000", after=5_000)
    assert share(found, 0.999) < 0.05
    assert found[-1] >= FREEZE_S


def test_a_rate_that_nobody_could_send_is_no_measurement(tmp_path: Path) -> None:
    """6,000 calls within 6 ms: not even writing them down is that fast."""
    with scripted(freezing(0)) as (host, port):
        words = ("--rate", "1000000", "--requests", "6000", "-o", "json")
        done = call(tmp_path, "load", "--target", f"h2c://{host}:{port}/{METHOD}", *words)
    assert done.returncode == 6, done.stderr
    found = json.loads(done.stdout)
    assert (found["load"]["sent"], found["load"]["ok"], found["load"]["valid"]) == (6000, 6000, False)
    assert any("the generator was late" in each for each in found["load"]["invalid"])
