"""A generator of its own, a process that does nothing else: it is given a share of a load, and sends it.

`python -m toolkit.load.worker HOST PORT INDEX` connects to whoever divides the load, does what it is told (`wire`) and
leaves when that is done or the connection ends. What it cannot do it says on standard error, and leaves with status 3.
May not live here: how calls are sent (`generator`), anything that knows of engines.

All is one thread: what has ended is told while no call is due, so that encoding makes no call late.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.load import addresses, generator, pacing, priority, serving, telling, wire
from toolkit.load.addresses import Addresses
from toolkit.load.caller import Caller, Whom
from toolkit.load.control import TRY_AGAIN_S, Cannot, Control, Unwanted
from toolkit.load.http2.stream import Ended
from toolkit.load.lines import Lines
from toolkit.load.wire import Order
from toolkit.results import Progress

AT_ONCE = 16  # calls that are told of in one line
AT_THE_END = 1000  # the same, when no call is due any more
LINE_NS, CALL_NS = 60_000, 6_000  # what a line takes, and each call in it: so long no other call may be due
MOST_UNTOLD = 20_000  # beyond that memory counts more than a call that leaves a little late
TICK_S = 0.1
CANNOT = 3  # exit status
BOOT = Path("/proc/sys/kernel/random/boot_id")


def main(arguments: Sequence[str]) -> int:
    try:
        host, port, index = arguments
        work(host, int(port), int(index), os.environ.get(wire.TOKEN, ""))
    except ToolkitError as error:
        sys.stderr.write(f"toolkit.load.worker: {error}\n")
        return CANNOT
    except KeyboardInterrupt:  # whoever pressed Ctrl-C ends the load through the connection
        return CANNOT
    return 0


def work(host: str, port: int, index: int, token: str) -> None:
    """Returns when the load is done, or nobody wants it any more. Raises ToolkitError."""
    with Control.connect(host, port) as control:
        try:
            control.tell(wire.line(hello=wire.fields(wire.Hello(token, index, wire.VERSION, kernel()))))
            Worker(control).run()
        except Unwanted:
            return


def kernel() -> str:
    """Says whose monotonic clock this is: processes of one boot of one kernel share it."""
    try:
        return BOOT.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


class Worker:
    """One connection, and the load that it asks for."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._order: Order | None = None
        self._start_ns: int | None = None
        self._stopped = False

    def run(self) -> None:
        """Ends with the connection, or with what it cannot do."""
        while self._order is None:
            self._heed(TICK_S)
        self._send(self._order)
        while True:
            self._heed(TICK_S)

    def _heed(self, within_s: float = 0.0) -> None:
        """Does what it was told meanwhile. Raises Unwanted, Cannot."""
        for said in self._control.heard(within_s):
            if "clock" in said:
                self._control.tell(wire.line(clock=said["clock"], mine=time.monotonic_ns()))
            try:
                self._order = wire.order_of(said["order"]) if "order" in said else self._order
                self._start_ns = int(said["start"]) if "start" in said else self._start_ns
            except (ValueError, TypeError) as error:
                raise Cannot(f"was told what it does not understand: {error}") from error
            self._stopped = self._stopped or "stop" in said

    def _send(self, order: Order) -> None:
        pacing.validate(order.load)
        whole = addresses.of(order.target, order.authority)
        caller = Caller(Whom(order.run, order.chain, whole.authority), order.load, order.share)
        scheduling = priority.before_others(order.share.of)
        with generator.dialled(whole, order.connections) as lines:
            self._see_that_it_serves(lines, order, whole)
            self._control.tell(wire.line(ready=True, scheduling=scheduling))
            while self._start_ns is None and not self._stopped:
                self._heed(TICK_S)
            began = _clocks()
            driver = generator.driver(
                *(Talking(lines, caller, self._tell), caller, order.load, order.share, self._start_ns),
                stopped=lambda: self._stopped,
                on_progress=self._tick,
            )
            driver.run()
        took = wire.Done(*(now - then for now, then in zip(_clocks(), began, strict=True)))
        while caller.waiting:
            self._tell(caller, AT_THE_END)
        self._control.tell(wire.line(done=wire.fields(took)))

    def _see_that_it_serves(self, lines: Lines, order: Order, whole: Addresses) -> None:
        """Raises Cannot. A route takes a moment to be known everywhere."""
        end = time.monotonic() + order.healthy_s
        while time.monotonic() < end:
            if (said := serving.complaint(lines, whole.authority)) is None:
                return
            if time.monotonic() + TRY_AGAIN_S >= end:
                raise Cannot(f"asked {order.target} in vain whether it serves: {said}")
            self._heed(TRY_AGAIN_S)

    def _tick(self, progress: Progress) -> None:
        """How far it is: also when nothing ended, for that it is alive."""
        self._control.tell(wire.line(progress=wire.fields(progress)))
        self._heed()

    def _tell(self, caller: Caller, most: int) -> None:
        self._control.tell(wire.line(**telling.packed(caller.take(most))))


class Talking:
    """`Lines` that tell of what has ended while no call is due."""

    def __init__(self, lines: Lines, caller: Caller, tell: Callable[[Caller, int], None]) -> None:
        self._lines, self._caller, self._tell = lines, caller, tell
        self.dial, self.submit, self.give_up, self.close = lines.dial, lines.submit, lines.give_up, lines.close

    @property
    def in_flight(self) -> int:
        return self._lines.in_flight

    def step(self, until_ns: int) -> list[Ended]:
        if (waiting := self._caller.waiting) >= AT_ONCE or (waiting and not self._lines.in_flight):
            room = (until_ns - time.monotonic_ns() - LINE_NS) // CALL_NS
            if room >= AT_ONCE or waiting > MOST_UNTOLD:
                self._tell(self._caller, AT_ONCE)
        return self._lines.step(until_ns)


def _clocks() -> tuple[int, int, int]:
    """On the wall, monotonic, on a processor."""
    return time.time_ns(), time.monotonic_ns(), time.process_time_ns()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
