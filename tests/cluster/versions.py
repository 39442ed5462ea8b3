"""What the cluster is made of: `versions.toml`, and the Go programs that are built from it."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
GO = HERE / "go"
MODULE = "kn-bench.test/cluster"  # the name of the Go module in GO
KUBERNETES, SERVING, EVENTING, KOURIER, COREDNS = (
    "k8s.io/kubernetes",
    "knative.dev/serving",
    "knative.dev/eventing",
    "knative.dev/net-kourier",
    "github.com/coredns/coredns",
)


@dataclass(frozen=True, slots=True)
class Versions:
    """`versions.toml`. `debian` maps a program to the package that brings it."""

    go: Mapping[str, str]
    pypi: Mapping[str, str]
    debian: Mapping[str, str]

    def bare(self, module: str) -> str:
        """A module's version without its `v`."""
        return self.go[module].removeprefix("v")

    @property
    def staging(self) -> str:
        """The version of Kubernetes' own libraries (k8s.io/api …): v0.N.p for Kubernetes v1.N.p."""
        return f"v0.{self.bare(KUBERNETES).partition('.')[2]}"


@dataclass(frozen=True, slots=True)
class Program:
    """A Go program: its name among the binaries, its package, and whether it runs in a pod."""

    name: str
    package: str
    in_pod: bool


def _programs(module: str, folder: str, names: str, *, prefix: str = "", in_pod: bool = False) -> list[Program]:
    return [
        Program(prefix + each.rpartition("/")[2].replace("_", "-"), f"{module}/{folder}{each}", in_pod)
        for each in names.split()
    ]


PROGRAMS = (
    Program("pause", f"{MODULE}/pause", True),
    Program("coredns", COREDNS, False),
    *_programs(SERVING, "cmd/", "activator autoscaler controller webhook queue", prefix="serving-", in_pod=True),
    *_programs(KOURIER, "cmd/", "kourier", in_pod=True),
    *_programs(
        EVENTING,
        "cmd/",
        "controller webhook broker/ingress broker/filter in_memory/channel_controller in_memory/channel_dispatcher"
        " mtchannel_broker",
        prefix="eventing-",
        in_pod=True,
    ),
    *_programs(KUBERNETES, "cmd/", "kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"),
)


@cache
def versions() -> Versions:
    found = tomllib.loads((HERE / "versions.toml").read_text("utf-8"))
    return Versions(found["go"], found["pypi"], found["debian"])


def cache_root() -> Path:
    """The folder of the user's cache for everything about clusters."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kn-bench" / "cluster"


def cached(what: str) -> Path:
    """The folder of the user's cache for `what`, named by the versions and by a digest of all that went in."""
    inputs = sorted((HERE / "versions.toml", *GO.rglob("*.*")))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()[:8]
    pinned = versions()
    return cache_root() / f"kubernetes-{pinned.bare(KUBERNETES)}-serving-{pinned.bare(SERVING)}-{digest}" / what
