"""The real Zipkin: its jars, kept in `~/.cache/kn-bench` (or $KNBENCH_CACHE), and its server on loopback.

`python -m tests.zipkin.real` says where a jar with Lens is, and fetches it where there is none.

May live here: what is needed to have them and to start it. May not: pytest, so that measurements use it too.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.engines.tracestore.lens import VERSION

FETCHED_WITHIN_S = 300
SERVER = f"zipkin-server-{VERSION}-exec.jar"
LENS = f"zipkin-lens-{VERSION}.jar"


class MissingError(Exception):
    """What is needed is not here and cannot be had: the reason, for a test that is skipped."""


@dataclass(frozen=True)
class Real:
    """A server that has just been started: whoever uses it waits with `zipkin_client.ready`."""

    url: str
    process: subprocess.Popen[bytes]


def cache() -> Path:
    return Path(os.environ.get("KNBENCH_CACHE", Path.home() / ".cache" / "kn-bench"))


def server_jar() -> Path:
    """The server, fetched from Maven Central the first time. Raises MissingError."""
    return _kept(SERVER, f"io.zipkin:zipkin-server:{VERSION}:jar:exec")


def lens_jar() -> Path:
    """A jar with Lens in it: its own, or the server's where that is already here or all that can be had.

    Raises MissingError.
    """
    if (server := cache() / SERVER).exists():
        return server
    try:
        return _kept(LENS, f"io.zipkin:zipkin-lens:{VERSION}")
    except MissingError:
        return server_jar()


def _kept(name: str, artifact: str) -> Path:
    jar = cache() / name
    if jar.exists():
        return jar
    if (maven := shutil.which("mvn")) is None:
        raise MissingError(f"{jar} is not there, and neither is mvn to fetch it")
    cache().mkdir(parents=True, exist_ok=True)
    fetch = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={cache()}"]
    done = subprocess.run(fetch, capture_output=True, text=True, timeout=FETCHED_WITHIN_S, check=False)
    if done.returncode or not jar.exists():
        raise MissingError(f"{name} cannot be fetched from Maven Central: {done.stdout[-300:]}")
    return jar


@contextmanager
def running(folder: Path, memory: str = "256m", *settings: str) -> Iterator[Real]:
    """A server on a free port until the end of the block, its log in `folder`. Raises MissingError.

    `memory` is the heap; `settings` are Spring's, such as `--zipkin.storage.mem.max-spans=1000000`.
    """
    if (java := shutil.which("java")) is None:
        raise MissingError("java is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listen = {"ip": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
    options = [f"-Darmeria.ports[0].{name}={value}" for name, value in listen.items()]
    program = [java, f"-Xmx{memory}", *options, "-jar", str(server_jar()), *settings]
    with (folder / "zipkin.log").open("wb") as log:
        process = subprocess.Popen(program, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield Real(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    try:
        print(lens_jar())
    except MissingError as missing:
        raise SystemExit(str(missing)) from None
