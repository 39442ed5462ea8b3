"""A real Zipkin server on loopback, beside a store of ours.

Asked for with KNBENCH_ZIPKIN=1; needs java (17 or later) and, the first time, mvn: the server's jar is fetched from
Maven Central into `~/.cache/kn-bench` (or $KNBENCH_CACHE) and kept.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSION = "3.6.1"
ARTIFACT = f"io.zipkin:zipkin-server:{VERSION}:jar:exec"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "zipkin: compares with a real Zipkin server (KNBENCH_ZIPKIN=1, java, mvn)")


def _jar() -> Path:
    cache = Path(os.environ.get("KNBENCH_CACHE", Path.home() / ".cache" / "kn-bench"))
    jar = cache / f"zipkin-server-{VERSION}-exec.jar"
    if jar.exists():
        return jar
    if (maven := shutil.which("mvn")) is None:
        pytest.skip(f"{jar} is not there, and neither is mvn to fetch it")
    cache.mkdir(parents=True, exist_ok=True)
    fetch = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={cache}"]
    done = subprocess.run(fetch, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode or not jar.exists():
        pytest.skip(f"the jar cannot be fetched from Maven Central: {done.stdout[-300:]}")
    return jar


@pytest.fixture(scope="session")
def zipkin_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a real server that has just been started; who uses it waits with `zipkin_client.ready`."""
    if os.environ.get("KNBENCH_ZIPKIN") != "1":
        pytest.skip("a comparison with a real Zipkin server was not asked for (KNBENCH_ZIPKIN=1)")
    if (java := shutil.which("java")) is None:
        pytest.skip("java is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    listen = {"ip": "127.0.0.1", "port": str(port), "protocols[0]": "http"}
    options = [f"-Darmeria.ports[0].{name}={value}" for name, value in listen.items()]
    log = (tmp_path_factory.mktemp("zipkin") / "server.log").open("wb")
    server = subprocess.Popen([java, "-Xmx256m", *options, "-jar", str(_jar())], stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
        log.close()
