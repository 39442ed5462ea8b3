"""Transfers on a cluster: credentials by the name of a Secret, and what pods could not do is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.manifests.samples import chain, container, function, render, service, target
from toolkit import manifests, plan
from toolkit.errors import UsageError
from toolkit.manifests import VHive
from toolkit.plan import Plan
from toolkit.spec.model import Edge

STRICT = VHive(profile="strict", images=dict.fromkeys("abc", "registry/image"))


def carrying(transfer: Any, **store: str) -> Plan:
    """`a` calls `b` with this transfer, and `b` calls `c` inline."""
    edges = [Edge("a", "b", "call", method="link.Link/Send", transfer=transfer)]
    edges.append(Edge("b", "c", "call", method="link.Link/Send"))
    made = chain([function(name) for name in "abc"], edges)
    return plan.make(dataclasses.replace(made, store=store), "run-1")


def test_a_secret_is_named_for_the_functions_that_need_it_and_for_no_other() -> None:
    made = render(carrying("s3", bucket="b", secret="mine"))
    named = [container(service(made, name)).get("envFrom") for name in "abc"]
    assert named == [[{"secretRef": {"name": "mine"}}]] * 2 + [None]


def test_a_function_is_told_of_the_stores_that_its_own_edges_use() -> None:
    store = {"redis": "redis://r", "s3": "https://s3", "bucket": "b", "region": "r", "secret": "mine"}
    made = carrying("redis", **store).wirings
    assert [dict(made[name].store) for name in "abc"] == [{"redis": "redis://r"}] * 2 + [{}]
    made = carrying("s3", **store).wirings
    assert [sorted(made[name].store) for name in "abc"] == [["bucket", "region", "s3"]] * 2 + [[]]


@pytest.mark.parametrize("transfer", ["inline", "stream"])
def test_what_needs_no_store_needs_no_secret(transfer: str) -> None:
    made = render(carrying(transfer, secret="mine"))
    assert [container(service(made, name)).get("envFrom") for name in "abc"] == [None] * 3


def test_a_streamed_edge_is_served_as_a_stream() -> None:
    made = carrying("stream")
    assert made.wirings["b"].serves == ("link.Link/Stream",)
    assert made.wirings["a"].outgoing[0].method == "link.Link/Stream"
    assert made.wirings["b"].takes == ("stream",)


@pytest.mark.parametrize(
    ("transfer", "store", "why"),
    [
        ("file", {}, "pods share no folder"),
        ("s3", {"secret": "mine"}, "no bucket"),
        ("s3", {"bucket": "b"}, "nothing gives it credentials"),
        ("redis", {}, "nothing says where Redis is"),
        ("redis", {"redis": "redis://:word@host"}, "may hold a password"),
        ("redis", {"redis": "redis://word@host"}, "may hold a password"),
        ("redis", {"redis": "redis://host:6379/0?password=word@"}, "may hold a password"),
        ("redis", {"redis": "redis://host/0#word@"}, "may hold a password"),
        ("redis", {"redis": "redis://host", "s3": "https://s3?key=word@"}, "may hold a password"),
        ("redis", {"redis": "redis://host", "s3": "https://word@s3"}, "may hold a password"),
    ],
)
def test_what_pods_could_not_do_is_refused_with_a_next_step(transfer: str, store: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        render(carrying(transfer, **store))
    assert refused.value.next_step
    assert "word@" not in str(refused.value)


def test_a_machine_without_environment_has_no_store() -> None:
    made = carrying("redis", redis="redis://r")
    strict = dataclasses.replace(target(made), vhive=STRICT)
    with pytest.raises(UsageError, match="strict profile passes no environment"):
        manifests.render(made, strict)
    assert manifests.render(made, target(made))
