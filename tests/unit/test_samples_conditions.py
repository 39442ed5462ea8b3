"""What two runs have to have in common is told briefly."""

from __future__ import annotations

from toolkit.samples import conditions


def report(recorded: str | None) -> dict[str, object]:
    return {"load": {"model": "open", "asked": {"arrivals": "recorded:x.csv", "rate": None, "recorded": recorded}}}


def test_recordings_are_compared_by_what_they_hold_and_not_printed() -> None:
    one, other = (conditions(report(f"gaps/1000 {number}" + " 1" * 1_000_000)) for number in (1, 2))
    assert one["load.recorded"] != other["load.recorded"]
    assert max(map(len, one.values())) < 100


def test_a_load_without_a_recording_has_none() -> None:
    assert "load.recorded" not in conditions(report(None))
