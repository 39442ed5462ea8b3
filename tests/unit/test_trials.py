"""Trials: their order, their file, and when there are enough of them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from toolkit import samples, trials
from toolkit.errors import UsageError
from toolkit.verdicts import Group, Interval, Spread, Trial


def spread(low: float, high: float, number: int = 5) -> Spread:
    return Spread("latency p99", number, 100.0, 0.1, Interval(low, high, 0.95, "any"))


def test_each_block_has_each_variant_once_and_chance_decides_the_order() -> None:
    variants = trials.variants([("payload", ["1", "2", "3"])])
    planned = trials.order(variants, 20, seed=1)
    blocks = [[each.variant["payload"] for each in planned if each.block == block] for block in range(20)]
    assert all(sorted(block) == ["1", "2", "3"] for block in blocks)
    assert len({tuple(block) for block in blocks}) > 3
    assert [each.block for each in planned] == sorted(each.block for each in planned)


def test_the_seed_decides_the_order_and_variants_of_a_block_share_their_arrivals() -> None:
    variants = trials.variants([("a", ["1", "2"]), ("b", ["x", "y"])])
    assert trials.order(variants, 5, 7) == trials.order(variants, 5, 7) != trials.order(variants, 5, 8)
    assert Counter(each.seed for each in trials.order(variants, 3, 7)) == {7: 4, 8: 4, 9: 4}


def test_nothing_varied_is_one_variant() -> None:
    assert trials.variants([]) == [{}]
    assert trials.label({}) == "all"


@pytest.mark.parametrize("varied", [[("a", ["1"])], [("a", ["1", "1"])], [("a", ["1", "2"]), ("a", ["3", "4"])]])
def test_what_does_not_vary_is_refused(varied: list[tuple[str, list[str]]]) -> None:
    with pytest.raises(UsageError):
        trials.variants(varied)


def test_a_group_has_an_end() -> None:
    with pytest.raises(UsageError, match="at most"):
        trials.order([{}], 1001, 1)


def test_a_group_survives_the_way_through_its_file(tmp_path: Path) -> None:
    name = trials.name("pair", datetime(2024, 5, 1, tzinfo=UTC))
    group = Group(name, "pair", 1, 4, (Trial("one", 0, {"a": "1"}), Trial("two", 0, {"a": "2"})), partial=True)
    folder = trials.keep(tmp_path, group, {"a=1": [spread(1, 2)]})
    assert samples.group(name, tmp_path) == samples.group(str(folder), tmp_path) == group
    assert json.loads((folder / "trials.json").read_text())["spreads"]["a=1"][0]["trials"] == 5
    assert [run for run, _ in samples.named(f"{name}, third", tmp_path)] == ["one", "two", "third"]


def test_the_order_in_which_variants_were_asked_for_is_kept(tmp_path: Path) -> None:
    asked = tuple(trials.variants([("payload", ["8KiB", "16KiB"]), ("a", ["1", "2"])]))
    group = Group("g", "pair", 1, 4, (Trial("one", 0, asked[2]),), variants=asked)
    folder = trials.keep(tmp_path, group, {})
    assert samples.group("g", tmp_path) == group
    assert samples.asked("g, other", "payload", tmp_path) == ["8KiB", "16KiB"]
    assert samples.asked("other", "payload", tmp_path) == []
    document = json.loads((folder / "trials.json").read_text())
    (folder / "trials.json").write_text(json.dumps({**document, "variants": [3]}))
    with pytest.raises(UsageError, match="no group of trials"):
        samples.group("g", tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"trials": 3}', '{"trials": [{"run": 1}]}', "null"])
def test_a_foreign_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "trials.json").write_text(text)
    with pytest.raises(UsageError):
        samples.named("g", tmp_path)


def test_enough_is_when_every_variant_is_tight() -> None:
    wanted = trials.until("p99±5%")
    assert wanted == trials.Until("latency p99", 0.05) == trials.until(" p99 +-5% ")
    assert trials.enough(wanted, {"a": [spread(96, 104)]})
    assert not trials.enough(wanted, {"a": [spread(96, 104)], "b": [spread(90, 104)]})
    assert not trials.enough(wanted, {"a": [spread(96, 104, number=2)]}), "two trials are no distribution"
    assert not trials.enough(wanted, {"a": []})


@pytest.mark.parametrize("text", ["", "p99", "p99±0%", "p99±100%", "p42±5%", "p99±5", "mean±5%"])
def test_an_end_that_cannot_be_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--until"):
        trials.until(text)
