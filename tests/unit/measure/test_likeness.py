"""What stands in the way of a comparison, and what does not."""

from __future__ import annotations

from toolkit.measure.likeness import differences, unlike

ONE = {"chain": "pair", "engine": "local", "load.rate": "50", "parameters.payload": "1", "environment.cpus": "2"}


def test_equal_conditions_differ_in_nothing() -> None:
    assert differences([ONE], [dict(ONE)]) == ()


def test_every_difference_is_told_and_serious_ones_come_first() -> None:
    other = {**ONE, "engine": "knative", "commit": "x", "load.rate": "60"}
    found = differences([{**ONE, "commit": "y"}], [other])
    assert [(each.what, each.serious) for each in found] == [("engine", True), ("load.rate", True), ("commit", False)]


def test_what_is_compared_on_purpose_is_not_serious_by_its_kind_its_name_or_its_parameter() -> None:
    other = {**ONE, "parameters.payload": "2"}
    for meant in ("parameters", "parameters.payload", "payload"):
        assert [each.serious for each in differences([ONE], [other], [meant])] == [False]
    assert [each.serious for each in differences([ONE], [other], ["load"])] == [True]


def test_a_condition_that_one_side_does_not_have_is_a_difference() -> None:
    (found,) = differences([ONE], [{**ONE, "parameters.new": "1"}])
    assert (found.what, found.a, found.b, found.serious) == ("parameters.new", "—", "1", True)


def test_what_is_measured_anew_each_time_is_no_condition() -> None:
    found = differences([{**ONE, "environment.load.cpu": "[0.1]"}], [{**ONE, "environment.load.cpu": "[0.2]"}])
    assert found == ()
    here, there = {**ONE, "environment.load.from": "here"}, {**ONE, "environment.load.from": "cluster"}
    assert [each.serious for each in differences([here], [there])] == [True]


def test_repetitions_have_to_be_alike_among_themselves() -> None:
    assert unlike([ONE, dict(ONE), {**ONE, "load.seed": "2"}]) == ()
    assert [each.what for each in unlike([ONE, {**ONE, "load.rate": "60"}, {**ONE, "load.rate": "70"}])] == [
        "load.rate"
    ]


def test_another_timeout_or_share_of_traced_calls_stands_in_the_way() -> None:
    """A shorter timeout cuts the tail off, and traces take time."""
    for name in ("load.timeout_s", "load.sample"):
        one, other = {**ONE, name: "1"}, {**ONE, name: "30"}
        assert [(each.what, each.serious) for each in differences([one], [other])] == [(name, True)]
        assert [each.serious for each in differences([one], [other], ["load"])] == [False]
