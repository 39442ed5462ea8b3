"""The load that was asked for, in a few words. May not live here: what became of it."""

from __future__ import annotations

from toolkit.report.characters import printable
from toolkit.report.tables import count, rate, seconds
from toolkit.results import Load

NAMES = {"constant": "open loop", "poisson": "Poisson arrivals", "uniform": "uniform arrivals"}


def asked(load: Load) -> str:
    """`open loop at 50/s, 200 calls, seed 1`."""
    bound = f"{count(load.requests)} calls" if load.requests is not None else seconds(load.duration_s)
    if load.model == "closed":
        think = "" if load.think is None else f"thinking {printable(load.think)}, "
        return f"closed loop, {count(load.concurrency or 0)} at a time, {think}{bound}, seed {load.seed}"
    arrivals = NAMES.get(load.arrivals) or f"open loop, {printable(load.arrivals)}"
    return f"{arrivals}{'' if load.rate is None else f' at {rate(load.rate)}'}, {bound}, seed {load.seed}"
