"""Waiting for sockets where there is no epoll."""

from __future__ import annotations

import select
import socket
import time

import pytest

from toolkit.load import polling
from toolkit.load.polling import Portable


def test_epoll_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = polling.poll()
    assert isinstance(taken, select.epoll)
    taken.close()
    monkeypatch.delattr(select, "epoll")
    assert isinstance(polling.poll(), Portable)


def test_the_bits_are_those_of_both_systems() -> None:
    assert (
        *(select.POLLIN, select.POLLOUT),
        *(select.POLLERR, select.POLLHUP),
    ) == (polling.IN, polling.OUT, polling.ERR, polling.HUP)
    assert (
        *(select.EPOLLIN, select.EPOLLOUT),
        *(select.EPOLLERR, select.EPOLLHUP),
    ) == (polling.IN, polling.OUT, polling.ERR, polling.HUP)


def test_what_is_ready_is_told_until_it_is_not() -> None:
    here, there = socket.socketpair()
    with here, there:
        poll = Portable()
        poll.register(here.fileno(), polling.IN | polling.RDHUP)
        assert poll.poll(0) == []
        there.send(b"x")
        assert poll.poll(5) == [(here.fileno(), polling.IN)]
        poll.modify(here.fileno(), polling.IN | polling.OUT)
        assert poll.poll(5) == [(here.fileno(), polling.IN | polling.OUT)]
        poll.unregister(here.fileno())
        assert poll.poll(0) == []
        poll.close()


def test_less_than_a_millisecond_is_no_busy_loop() -> None:
    looked, ends = 0, time.monotonic() + 0.005
    poll = Portable()
    while (left := ends - time.monotonic()) > 0:
        poll.poll(left)
        looked += 1
    assert looked <= 6
