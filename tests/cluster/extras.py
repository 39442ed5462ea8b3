"""What tests of tracing need beyond the cluster: a real Zipkin and a real OpenTelemetry Collector, as images.

`python -m tests.cluster extras` builds what is missing and imports both; the cluster itself never needs them. Zipkin's
server comes from Maven Central and runs on a part of this machine's Java, the Collector is built from its Go modules.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.cluster.images import Image, libraries, write
from tests.cluster.running import ClusterError, run
from tests.cluster.versions import HERE, cache_root

Say = Callable[[str], None]
COLLECTOR = HERE / "collector"
ZIPKIN_USER, COLLECTOR_USER = "1000", "10001"  # as the published images have it
JAVA = "/opt/java"
FETCHED_WITHIN_S, LINKED_WITHIN_S, BUILT_WITHIN_S = 300.0, 120.0, 900.0


@cache
def pinned() -> Mapping[str, Any]:
    """The table `zipkin` of extras.toml."""
    found: Mapping[str, Any] = tomllib.loads((HERE / "extras.toml").read_text("utf-8"))["zipkin"]
    return found


def jar() -> Path:
    return _place("zipkin", (HERE / "extras.toml").read_bytes()) / str(pinned()["file"])


def java() -> Path:
    """The folder of the Java that the server runs on."""
    return jar().with_name("java")


def collector() -> Path:
    """The Collector's program."""
    sources = sorted((*COLLECTOR.glob("*.go"), *COLLECTOR.glob("go.*")))
    return _place("collector", *(each.read_bytes() for each in sources)) / "otel-collector"


def missing() -> list[str]:
    """What is not in the cache yet, in words."""
    wanted = {"Zipkin's server": jar(), "its Java": java(), "the OpenTelemetry Collector": collector()}
    return [what for what, path in wanted.items() if not path.exists()]


def provide(say: Say) -> None:
    """Fetches and builds what is missing. Raises ClusterError."""
    for path, make, told in (
        (jar(), _fetch, f"fetching {pinned()['artifact']} from Maven Central"),
        (java(), _link, "linking a small Java"),
        (collector(), _build, "building the OpenTelemetry Collector, which takes some minutes the first time"),
    ):
        if not path.exists():
            say(told)
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                make(Path(scratch, path.name)).rename(path)


def archives(folder: Path) -> Mapping[str, Path]:
    """Both images as tar files in `folder`, by reference; Zipkin's first. Everything has to be in the cache."""
    found = {}
    for image in (zipkin_image(), collector_image()):
        found[image.name] = folder / f"{image.name.rpartition('/')[2].replace(':', '-')}.tar"
        write(image, found[image.name])
    return found


def zipkin_image() -> Image:
    inside = {f"{JAVA}/{each.relative_to(java())}": each for each in java().rglob("*") if each.is_file()}
    needed = libraries(java() / "bin/java") | libraries(java() / "lib/server/libjvm.so")
    outside = {place: path for place, path in needed.items() if not path.is_relative_to(java())}
    version = pinned()["artifact"].split(":")[2]
    return Image(
        f"dev.local/zipkin:{version}",
        {**outside, **inside, "/zipkin.jar": jar()},
        f"{JAVA}/bin/java",
        ZIPKIN_USER,
        ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", "/zipkin.jar"),
    )


def collector_image() -> Image:
    path = collector()
    tag = path.parent.name.rpartition("-")[2]
    return Image(f"dev.local/otel-collector:{tag}", {"/otel-collector": path}, "/otel-collector", COLLECTOR_USER)


def _place(name: str, *inputs: bytes) -> Path:
    """A folder of the cache, named by all that goes into it."""
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:8]
    return cache_root() / "extras" / f"{name}-{digest}"


def _fetch(target: Path) -> Path:
    maven = _found("mvn", "Maven, which fetches Zipkin's server")
    options = (
        "-q",
        "-B",
        "dependency:copy",
        f"-Dartifact={pinned()['artifact']}",
        f"-DoutputDirectory={target.parent}",
    )
    run(maven, *options, within_s=FETCHED_WITHIN_S)
    if (digest := hashlib.sha256(target.read_bytes()).hexdigest()) != pinned()["sha256"]:
        raise ClusterError(f"{target.name} is not the file that extras.toml pins: its SHA-256 is {digest}")
    return target


def _link(target: Path) -> Path:
    jlink = _found("jlink", "a JDK (17 or later) for Linux, with its modules")
    trim = ("--strip-debug", "--no-header-files", "--no-man-pages")
    run(jlink, "--add-modules", ",".join(pinned()["modules"]), *trim, "--output", target, within_s=LINKED_WITHIN_S)
    shutil.rmtree(target / "legal")  # links into other folders, which an image of files cannot have
    return target


def _build(target: Path) -> Path:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    build = (_found("go", "Go (https://go.dev/dl)"), "build", "-trimpath", "-ldflags", "-s -w", "-o", target, ".")
    run(*build, cwd=COLLECTOR, env=environment, within_s=BUILT_WITHIN_S)
    return target


def _found(program: str, what: str) -> str:
    if (path := shutil.which(program)) is None:
        raise ClusterError(f"{program} is not here: install {what}")
    return path
