"""A stranger's program as a child of a function's process: started without a shell, watched, and ended with it.

May live here: the process and its environment. May not: what it is sent (`toolkit.sdk.stranger`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit import contract
from toolkit.contract import Wiring
from toolkit.sdk import destination
from toolkit.sdk.failures import WiringError

LOOPBACK = "127.0.0.1"
GRACE_S = 2.0  # from SIGTERM to SIGKILL; its messages have been answered by then
OWN_SPANS = (
    ".program"  # what its service is called in traces, after the function's name: its spans are not the scaffold's
)
_LEASH = str(Path(__file__).with_name("leash.py"))  # a file: what is imported from a package imports the package
_OURS = (contract.WIRING, contract.WIRING_FILE, contract.HOST, contract.GRACE)


def environment(wiring: Wiring, inherited: Mapping[str, str], port: int) -> dict[str, str]:
    """What a program is told: where to listen, and where its spans go, by the names that OpenTelemetry gave that.

    Spans are its own affair: its service is called after the function, and is not the function.
    """
    told = {name: value for name, value in inherited.items() if name not in _OURS}
    told |= {contract.PORT: str(port), contract.GUEST_PORT: str(port), "HOST": LOOPBACK}
    told["OTEL_SERVICE_NAME"] = wiring.function + OWN_SPANS
    told["OTEL_PROPAGATORS"] = "tracecontext,baggage,b3"
    to = destination.of(wiring.tracing, inherited)
    told["ENABLE_TRACING"] = "true" if to else "false"  # vSwarm's word for it
    if to is None:
        return told | {"OTEL_TRACES_EXPORTER": "none"}
    if to.protocol == "zipkin":
        return told | {"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_EXPORTER_ZIPKIN_ENDPOINT": to.endpoint}
    otlp = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    return told | otlp | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": to.endpoint}


class Program:
    """A program that runs. `gone` is done once it does not any more, and says how it ended."""

    def __init__(self, process: asyncio.subprocess.Process, shown: str) -> None:
        self._process = process
        self.gone: asyncio.Future[str] = asyncio.ensure_future(_ended(process, shown))

    @staticmethod
    async def start(words: Sequence[str], folder: str | None, told: Mapping[str, str]) -> Program:
        """`$PORT` in a word is the port. Its output goes where ours goes. Raises WiringError when it cannot start."""
        said = [word.replace("$PORT", told[contract.PORT]) for word in words]
        failed, tell = os.pipe()
        leash = [sys.executable, "-I", "-S", _LEASH, str(os.getpid()), str(tell)]
        try:
            process = await asyncio.create_subprocess_exec(
                *leash,
                *said,
                cwd=folder,
                env=dict(told),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a signal to our group is not for it: it has messages to answer first
                pass_fds=(tell,),
            )
        except (OSError, ValueError) as error:
            os.close(failed)
            raise _unstarted(words, folder, getattr(error, "strerror", None) or str(error)) from error
        finally:
            os.close(tell)
        program = Program(process, words[0])
        if number := await asyncio.to_thread(_read, failed):  # at its end once the program is what runs
            await program.gone
            raise _unstarted(words, folder, os.strerror(int(number)))
        return program

    async def close(self, grace_s: float = GRACE_S) -> None:
        """Asks it to leave, and makes it leave after `grace_s` seconds; what it started goes with it."""
        self._signal(signal.SIGTERM)
        await asyncio.wait((self.gone,), timeout=grace_s)
        self._signal(signal.SIGKILL)
        await self.gone

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def _ended(process: asyncio.subprocess.Process, shown: str) -> str:
    status = await process.wait()
    return f"{shown} was ended by signal {-status}" if status < 0 else f"{shown} left with exit status {status}"


def _read(pipe: int) -> bytes:
    with open(pipe, "rb") as file:
        return file.read()


def _unstarted(words: Sequence[str], folder: str | None, why: str) -> WiringError:
    return WiringError(f"wiring.command: {words[0]!r} cannot be started in {folder or 'the working directory'}: {why}")
