"""A real Redis and a real S3 server on loopback: found, or fetched into `~/.cache/kn-bench` (or $KNBENCH_CACHE).

Redis is the one on the PATH, else Debian's, unpacked beside: nothing is installed. S3 is versitygw, built from its Go
module, whose version `go/go.mod` pins. `python -m tests.transfers.servers` fetches what is not there yet.

May live here: what is needed to have them and to start them. May not: pytest, so that measurements use them too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

GO = Path(__file__).with_name("go")
GATEWAY = "versitygw-1.8.0"
MODULE = "github.com/versity/versitygw/cmd/versitygw"
REDIS = "redis-debian"
PACKAGES = ("redis-tools", "liblzf1", "libjemalloc2")  # redis-tools holds the server's program
BUCKET = "kn-bench"
ACCESS, SECRET = "kn-bench-access", "kn-bench-secret"
FETCHED_WITHIN_S = 900
READY_WITHIN_S = 20.0


class MissingError(Exception):
    """What is needed is not here and cannot be had: the reason, for a test that is skipped."""


@dataclass
class Server:
    """One that answers. `environment` is what a function needs to find it."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    environment: Mapping[str, str]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def cache() -> Path:
    return Path(os.environ.get("KNBENCH_CACHE", Path.home() / ".cache" / "kn-bench"))


def redis_program() -> list[str]:
    """How the server is started. Raises MissingError where nothing was fetched."""
    if (found := shutil.which("redis-server")) is not None:
        return [found]
    program = cache() / REDIS / "usr" / "bin" / "redis-check-rdb"  # one program, which goes by its name
    if not program.exists():
        raise MissingError("no redis-server is here: `make test-transfers` fetches one")
    server = program.with_name("redis-server")
    if not server.exists():
        server.symlink_to(program.name)
    return [str(server)]


def gateway_program() -> Path:
    """The S3 server. Raises MissingError where nothing was built."""
    program = cache() / GATEWAY
    if not program.exists():
        raise MissingError("no S3 server is here: `make test-transfers` builds one")
    return program


def fetch() -> None:
    """Has both. Raises MissingError."""
    with contextlib.suppress(MissingError):
        redis_program()
        gateway_program()
        return
    cache().mkdir(parents=True, exist_ok=True)
    try:
        redis_program()
    except MissingError:
        _unpack_redis()
    if not (cache() / GATEWAY).exists():
        _build_gateway()


def _unpack_redis() -> None:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise MissingError(f"install redis-server: there is no {program} to fetch it with")
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        Path(scratch).chmod(0o755)
        whole = Path(scratch, "root")
        _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], scratch)
        for package in Path(scratch).glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(whole)], scratch)
        whole.rename(cache() / REDIS)


def _build_gateway() -> None:
    if (go := shutil.which("go")) is None:
        raise MissingError("go is not here to build an S3 server with")
    unfinished = cache() / f"{GATEWAY}.unfinished"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    _run([go, "build", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), MODULE], str(GO), environment)
    unfinished.rename(cache() / GATEWAY)


def _run(command: list[str], folder: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=FETCHED_WITHIN_S, check=False
    )
    if done.returncode:
        raise MissingError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")


@contextlib.contextmanager
def redis(folder: Path, *settings: str) -> Iterator[Server]:
    """A Redis in memory alone, until the end of the block. `settings` are its own, such as `--requirepass`."""
    port, libraries = _free_port(), cache() / REDIS / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    told = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    found = {"REDIS_URL": f"redis://127.0.0.1:{port}"}
    with _running([*redis_program(), *told, *settings], environment, port, folder, found) as server:
        yield server


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[Server]:
    """An S3 server with one bucket, whose objects are files in `folder`, until the end of the block."""
    port = _free_port()
    (folder / "objects" / BUCKET).mkdir(parents=True)
    (folder / "sidecar").mkdir()
    program = [str(gateway_program()), "--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive"]
    backend = ["posix", "--sidecar", str(folder / "sidecar"), str(folder / "objects")]
    environment = {**os.environ, "ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    found = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
    with _running([*program, *backend], environment, port, folder, found) as server:
        yield server


@contextlib.contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], port: int, folder: Path, found: Mapping[str, str]
) -> Iterator[Server]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, log)
        yield Server(process, port, folder, found)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None or time.monotonic() > ends:
            raise MissingError(f"{process.args!r} does not run: {log.read_text()[-300:]}")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


if __name__ == "__main__":
    try:
        fetch()
    except MissingError as missing:
        sys.exit(str(missing))
