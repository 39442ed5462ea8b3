"""`python -m tests.cluster up|down|status|test|…`: what `make cluster-up` and its sisters call."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster import extras as provisions
from tests.cluster.cluster import Cluster, refuse_where_it_cannot_work
from tests.cluster.footprint import footprint
from tests.cluster.kubernetes import CONTAINERD
from tests.cluster.pin import pin
from tests.cluster.running import ClusterError


def say(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)


def up() -> None:
    cluster = Cluster(say)
    if foreign := _foreign(cluster):
        say(f"KUBECONFIG={foreign} is set: `make test-cluster` uses that cluster. Unset it to bring one up here")
        return
    cluster.up()
    say(f"export KUBECONFIG={cluster.kubernetes.kubeconfig}")


def down() -> None:
    Cluster(say).down()
    say("it is down, and the machine is as it was before")


def status() -> None:
    cluster = Cluster(say)
    problems = cluster.problems()
    if problems:
        raise ClusterError("\n".join(problems))
    say(f"it is up; export KUBECONFIG={cluster.kubernetes.kubeconfig}")


def test(*arguments: str) -> None:
    """Runs the cluster tests on the cluster that KUBECONFIG names, else on this machine's own."""
    cluster = Cluster(say)
    kubeconfig = _foreign(cluster)
    environment = {**os.environ, "KNBENCH_CLUSTER": "1"}
    if kubeconfig is None:
        if not cluster.is_up:
            raise ClusterError("there is no cluster: make cluster-up, or make test-cluster KUBECONFIG=…")
        kubeconfig = str(cluster.kubernetes.kubeconfig)
        environment["KNBENCH_LOAD_IMAGE"] = shlex.join([sys.executable, "-m", "tests.cluster", "load", "{}"])
        environment["CONTAINERD_ADDRESS"] = f"/proc/{cluster.node.pid}/root{CONTAINERD}"  # as this machine reaches it
    environment["KUBECONFIG"] = kubeconfig
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/cluster/suite", *arguments], env=environment)
    sys.exit(done.returncode)


def load(tar: str) -> None:
    """Imports an image."""
    Cluster(say).kubernetes.import_image(Path(tar).absolute())


def extras(folder: str | None = None) -> None:
    """Zipkin and the OpenTelemetry Collector for tests of tracing: into the cluster, or as tar files into `folder`."""
    provisions.provide(say)
    with tempfile.TemporaryDirectory() as scratch:
        found = provisions.archives(Path(folder or scratch))
        for reference, tar in found.items():
            if folder is None:
                load(str(tar))
            print(reference)


def cached() -> None:
    """Succeeds where `up` needs no building and can work; says why not otherwise."""
    refuse_where_it_cannot_work()
    if not Cluster(say).is_cached:
        raise ClusterError("its programs are not built yet: make cluster-up builds them")


def show_footprint() -> None:
    print(footprint(), end="")


def _foreign(cluster: Cluster) -> str | None:
    """The kubeconfig of another cluster, if the environment names one."""
    named = os.environ.get("KUBECONFIG")
    return named if named and Path(named) != cluster.kubernetes.kubeconfig else None


COMMANDS: dict[str, Callable[..., None]] = {
    "up": up,
    "down": down,
    "status": status,
    "test": test,
    "load": load,
    "extras": extras,
    "pin": pin,
    "cached": cached,
    "footprint": show_footprint,
}


def main(arguments: list[str]) -> int:
    name, *rest = arguments or [""]
    if name not in COMMANDS:
        say(f"one of {', '.join(COMMANDS)} is wanted")
        return 2
    try:
        COMMANDS[name](*rest)
    except ClusterError as error:
        say(str(error))
        if name == "up" and os.geteuid() == 0:
            say("`make cluster-up` goes on from here: what was downloaded and built is kept")
        return 3
    except KeyboardInterrupt:
        say("interrupted; `make cluster-up` goes on, `make cluster-down` takes away what is there")
        return 130
    return 0


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    sys.exit(main(sys.argv[1:]))
