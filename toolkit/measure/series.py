"""All that a page draws, from rows."""

from __future__ import annotations

from toolkit.measure.distribution import distribution
from toolkit.measure.rows import Rows, populations
from toolkit.measure.timeline import timeline
from toolkit.series import Series


def series(rows: Rows) -> Series:
    """Five million rows take some five seconds, and half a gibibyte with the rows themselves."""
    found = populations(rows)
    return Series(
        latency=distribution(found.latency),
        service_time=distribution(found.service_time),
        completion=distribution(found.completion),
        cold=distribution(found.cold),
        timeline=timeline(rows),
    )
