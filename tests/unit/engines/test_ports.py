"""Ports: free, different, and never shared in silence."""

from __future__ import annotations

import socket

import pytest

from toolkit.engines.local import ports
from toolkit.errors import EngineError
from toolkit.sdk import ports as tried


def test_the_ports_are_different_and_below_the_range_of_outgoing_connections() -> None:
    found = ports.free(50)
    assert len(set(found)) == 50
    assert all(tried.FIRST <= port <= tried.LAST < 32768 for port in found)


def test_a_port_that_somebody_listens_on_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free(1)
    monkeypatch.setattr(tried, "FIRST", port)
    monkeypatch.setattr(tried, "LAST", port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(EngineError, match="only 0 of 1 ports"):
        ports.free(1)
