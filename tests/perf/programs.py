"""The programs that a load is measured beside: built from Go modules whose versions go/go.mod holds (go.sum locks
them), kept in the user's cache by a digest of what they are built from; h2load from Debian's packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tests.cluster.running import ClusterError, run

GO = Path(__file__).with_name("go")
GHZ = "github.com/bojand/ghz/cmd/ghz"
SERVER, CLIENT = "kn-bench.test/load/echo", "kn-bench.test/load/client"
H2LOAD, PACKAGE = "h2load", "nghttp2-client"
BUILT_WITHIN_S = 600.0


class Missing(Exception):
    """A program is not here and could not be made, and why."""


def built(package: str) -> Path:
    """A Go program, built if need be. Raises Missing."""
    sources = sorted((*GO.rglob("*.go"), GO / "go.mod", GO / "go.sum"))
    digest = hashlib.sha256(b"\0".join(each.read_bytes() for each in sources)).hexdigest()[:8]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kn-bench"
    target = root / f"load-{digest}" / package.rpartition("/")[2]
    if target.exists():
        return target
    if shutil.which("go") is None:
        raise Missing("Go is not installed")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    settings = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    command = ("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", unfinished, package)
    try:
        run(*command, cwd=GO, env=settings, within_s=BUILT_WITHIN_S)
    except ClusterError as error:
        raise Missing(f"{package} cannot be built: {error}") from error
    unfinished.rename(target)
    return target


def h2load() -> Path:
    """Installed if need be and if that is allowed. Raises Missing."""
    if (found := shutil.which(H2LOAD)) is not None:
        return Path(found)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Missing(f"{H2LOAD} is not installed (Debian's package {PACKAGE})")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends", PACKAGE)
    try:
        try:
            run(*install, env=quiet)
        except ClusterError:
            run("apt-get", "update", "-q", env=quiet)  # the lists may be older than the archive
            run(*install, env=quiet)
    except ClusterError as error:
        raise Missing(f"{PACKAGE} cannot be installed: {error}") from error
    found = shutil.which(H2LOAD)
    if found is None:
        raise Missing(f"{PACKAGE} brought no {H2LOAD}")
    return Path(found)
