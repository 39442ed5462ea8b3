from __future__ import annotations

import select
import socket
import time

from tests.unit.load.http1.far_side import EMPTY, Peer, scripted
from toolkit.load.http1.pool import Place, Pool, resolved

LONG_S = 10.0


def live(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(EMPTY)


def connect(pool: Pool, poll: select.epoll, wanted: int) -> None:
    until = time.monotonic() + LONG_S
    while pool.standing < wanted and time.monotonic() < until:
        pool.connect(wanted - len(pool.lines))
        for descriptor, _ in poll.poll(0.05):
            if (line := pool.dialling.get(descriptor)) is not None and pool.connected(line):
                pool.release(line)
    assert pool.standing == wanted


def test_a_name_with_several_addresses_is_reached_where_somebody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()
    with scripted(live) as address, select.epoll() as poll:
        places: list[Place] = [(socket.AF_INET, nobody), (socket.AF_INET, address)]
        pool = Pool(("two.example", 80), "GET", 3, poll, resolve=lambda host, port: places)
        connect(pool, poll, 3)
        assert pool.why == "Connection refused"
        pool.close()


def test_a_name_is_looked_up_once_as_long_as_all_goes_well() -> None:
    asked: list[tuple[str, int]] = []
    with scripted(live) as address, select.epoll() as poll:

        def resolve(host: str, port: int) -> list[Place]:
            asked.append((host, port))
            return [(socket.AF_INET, address)]

        pool = Pool(("one.example", 80), "GET", 5, poll, resolve=resolve)
        connect(pool, poll, 5)
        pool.close()
    assert asked == [("one.example", 80)]


def test_the_connection_that_was_used_last_comes_first_unless_they_go_in_turn() -> None:
    with scripted(live) as address, select.epoll() as poll:
        for in_turn in (True, False):
            pool = Pool(address, "GET", 3, poll, in_turn=in_turn)
            connect(pool, poll, 3)
            first = pool.take()
            assert first is not None
            pool.release(first)
            again = pool.take()
            assert (again is first) is not in_turn
            pool.close()


def test_an_address_is_its_own_name() -> None:
    assert resolved("127.0.0.1", 5) == [(socket.AF_INET, ("127.0.0.1", 5))]
