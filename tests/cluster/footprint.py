"""What a cluster could leave behind on this machine: read before it and after it, and the same twice."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.node import SETTINGS, hierarchies
from tests.cluster.running import run

PROGRAMS = ("containerd", "etcd", "kube", "coredns", "runc", "unshare", "nsenter", "pause", "envoy")
COMMANDS = (
    ("mount",),
    ("ip", "-oneline", "link"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "netns", "list"),
    ("iptables-save",),
)


def footprint() -> str:
    """Mounts, network, packet filter, control groups, kernel settings and the cluster's kinds of processes."""
    parts = [f"# {' '.join(command)}\n{_without_counters(run(*command))}" for command in COMMANDS]
    # A pod's group that stayed would hang in one at the top; deeper down others' come and go.
    groups = sorted(str(each) for place in hierarchies() for each in place.iterdir() if each.is_dir())
    settings = [f"{key} = {Path('/proc/sys', key).read_text().strip()}" for key in SETTINGS]
    parts += ["# control groups", *groups, "# settings", *settings, "# processes", *_processes()]
    return "\n".join(parts) + "\n"


def _without_counters(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(("#", ":", "*", "COMMIT")))


def _processes() -> list[str]:
    names = (each.read_text().strip() for each in Path("/proc").glob("[0-9]*/comm") if each.exists())
    return sorted(name for name in names if name.startswith(PROGRAMS))
