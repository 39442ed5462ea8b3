"""Leaves nothing behind: a small process that outlives the toolkit by a moment and ends what it started.

The toolkit writes `+PID` and `-PID` lines, and a last `bye`, to its standard input. When that ends, for whatever
reason (also `kill -9`), the sentinel ends every process group still on the list, and every process that carries this
run's token in its environment, and removes the work folder. Standard library only; run as a file, `python -I -S`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

GRACE_S = 3.0
LATE_S = 1.0  # without a new carrier of the token, after which none will come
BYE = "bye\n"  # the toolkit's last word when it has ended everything itself
TOKEN = "TOOLKIT_SENTINEL"  # noqa: S105 - the name of an environment variable, not a secret


def main(token: str, folder: str) -> int:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    groups: set[int] = set()
    in_peace = False
    for line in sys.stdin:
        sign, number = line[:1], line[1:].strip()
        in_peace = in_peace or line == BYE
        if number.isdecimal():
            (groups.add if sign == "+" else groups.discard)(int(number))
    end(groups | carriers(TOKEN, token))
    if not in_peace:
        _end_late_comers(token)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _end_late_comers(token: str) -> None:
    """Looks again for a while: a process that was being made when the toolkit was killed has its environment, and so
    the token, only once it has become another program."""
    quiet_until = time.monotonic() + LATE_S
    while time.monotonic() < quiet_until:
        if late := carriers(TOKEN, token):
            end(late)
            quiet_until = time.monotonic() + LATE_S
        time.sleep(0.02)


def end(groups: Iterable[int]) -> None:
    """Asks every process group to leave, and makes those leave that have not within the grace time."""
    left = {group for group in groups if _signal(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE_S
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = {group for group in left if _signal(group, 0)}
    for group in left:
        _signal(group, signal.SIGKILL)


def end_carriers(variable: str, value: str) -> None:
    """Ends every process that has this in its environment at once, and those that these were starting meanwhile."""
    deadline = time.monotonic() + LATE_S
    while (groups := carriers(variable, value)) and time.monotonic() < deadline:
        for group in groups:
            _signal(group, signal.SIGKILL)
        time.sleep(0.005)


def _signal(group: int, number: int) -> bool:
    """Whether the group was there to be signalled."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def carriers(variable: str, value: str) -> set[int]:
    """Process groups whose environment carries the variable: of `TOKEN`, those started but not yet announced when the
    end came.
    """
    found: set[int] = set()
    needle = f"{variable}={value}".encode()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs start-up time here
            if name.isdecimal() and int(name) != os.getpid():
                found |= _group(int(name), needle)
    return found


def _group(pid: int, needle: bytes) -> set[int]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: PTH123
        if needle in environment.read().split(b"\0"):
            return {os.getpgid(pid)}
    return set()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
