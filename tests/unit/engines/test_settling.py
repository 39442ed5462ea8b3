"""When everything that was accepted has been handled, whatever the shape of the chain and the order of receipts."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.unit.checks.simulation import DIAMOND, EVENT_PAIR, FAN_OUT, MIXED, healthy
from toolkit.engines.settling import Account
from toolkit.spec.model import ChainSpec


@pytest.mark.parametrize("chain", [EVENT_PAIR, MIXED, DIAMOND, FAN_OUT], ids=["pair", "mixed", "diamond", "fan-out"])
def test_nothing_is_open_once_the_last_receipt_came_and_something_is_before(chain: ChainSpec) -> None:
    """In whatever order they come."""
    run = healthy(chain, 4)
    account = Account(chain, (call.call for call in run.calls))
    receipts = list(run.receipts)
    Random(1).shuffle(receipts)
    for receipt in receipts:
        assert account.open
        account.add(receipt)
    assert account.open == 0


def test_a_call_that_left_no_receipt_yet_is_open() -> None:
    assert Account(EVENT_PAIR, ["one", "two"]).open == 2


def test_a_handling_that_failed_has_handled_nothing() -> None:
    run = healthy(EVENT_PAIR, 1)
    account = Account(EVENT_PAIR, [run.calls[0].call])
    account.add(run.receipts[0])
    account.add(replace(run.receipts[1], error="UNAVAILABLE: not yet"))
    assert account.open == 1
    account.add(run.receipts[1])
    assert account.open == 0


def test_a_message_that_nobody_accepted_is_not_waited_for() -> None:
    run = healthy(EVENT_PAIR, 1)
    account = Account(EVENT_PAIR, [run.calls[0].call])
    entry = run.receipts[0]
    account.add(replace(entry, sent=tuple(replace(each, accepted=False) for each in entry.sent)))
    assert account.open == 0


def test_what_a_failed_handling_sent_and_others_accepted_is_waited_for() -> None:
    run = healthy(EVENT_PAIR, 1)
    account = Account(EVENT_PAIR, [])
    account.add(replace(run.receipts[0], error="INTERNAL: broke"))
    assert account.open == 1
