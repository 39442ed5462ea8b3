"""The node: one process that holds namespaces of its own, in which everything else runs.

Processes, mounts and the network of the cluster live in these namespaces, so that the machine keeps its own as they
are, and ending the node's first process ends all of it. What still reaches outside is listed here and put back by
`delete`: one virtual network device, control groups, some kernel settings, and the work folder.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tests.cluster.running import ClusterError, indented, last_lines, run

NAME = "kn-bench"
DEVICE = "knbench0"  # this machine's end of the wire
MACHINE_IP, NODE_IP = "10.209.0.1", "10.209.0.2"
WIRE, PODS, SERVICES = "10.209.0.0/24", "10.244.0.0/16", "10.96.0.0/16"
CGROUPS = Path("/sys/fs/cgroup")
SETTINGS = {  # of the whole machine; the second half is what a kubelet would set without putting it back
    "fs/inotify/max_user_instances": "8192",
    "fs/inotify/max_user_watches": "1048576",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
PRIVATE_FOLDERS = ("/run", "/var/lib", "/var/log")  # empty in the node, gone with it
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid")
T = TypeVar("T")


class Node:
    """The node in the work folder `work`. Its methods raise ClusterError."""

    def __init__(self, work: Path) -> None:
        self.work, self.logs, self._state = work, work / "logs", work / "node.json"

    @property
    def pid(self) -> int | None:
        """The node's first process, as this machine counts, or None when it does not run."""
        state = self._read()
        pid = state.get("pid")
        return pid if isinstance(pid, int) and _began(pid) == state.get("began") else None

    def create(self, first: Path) -> None:
        """Makes the namespaces, with the program `first` as their first process, and the wire to them."""
        self.logs.mkdir(parents=True, exist_ok=True)
        settings = {key: _setting(key).read_text().strip() for key in SETTINGS if _setting(key).exists()}
        self._write({"settings": settings})
        for key in settings:
            _setting(key).write_text(SETTINGS[key])
        holder = subprocess.Popen(
            ["unshare", *NAMESPACES, "--fork", "--mount-proc", "--propagation", "private", str(first)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.logs / "node.log").open("wb"),
            start_new_session=True,
        )
        pid = until(lambda: _child(holder.pid), "the node's first process", within_s=10)
        self._write({"settings": settings, "pid": pid, "began": _began(pid), "holder": holder.pid})
        for cgroup in _cgroups():
            cgroup.mkdir(exist_ok=True)
        self._mount_private_folders()
        self._connect(pid)

    def _mount_private_folders(self) -> None:
        self.run("hostname", NAME)
        for folder in PRIVATE_FOLDERS:
            self.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        self.run("mount", "--make-rshared", "/")  # pods' mounts pass between the kubelet and containerd

    def _connect(self, pid: int) -> None:
        machine = ("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        run(*machine)
        run("ip", "address", "add", f"{MACHINE_IP}/24", "dev", DEVICE)
        run("ip", "link", "set", DEVICE, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{NODE_IP}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        for there in (PODS, SERVICES):
            run("ip", "route", "add", there, "via", NODE_IP)
        # A service's address is rewritten after the node's own programs have found a route to it: any will do.
        self.run("ip", "route", "add", SERVICES, "dev", "eth0")
        for key in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
            self.run("tee", _setting(key), given=b"1")

    def run(self, *command: str | Path, given: bytes | None = None, within_s: float | None = 60) -> str:
        """Runs a command in the node and returns what it says."""
        return run(*self._enter(), *command, given=given, within_s=within_s)

    def start(self, name: str, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Starts a component in the node; it logs to `logs/NAME.log`."""
        pid_file = self.work / f"{name}.pid"
        into_background = ("setsid", "--fork", "sh", "-c", 'echo $$ > "$0"; exec "$@"', str(pid_file))
        with (self.logs / f"{name}.log").open("ab") as log:
            subprocess.run(
                [*self._enter(), *into_background, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "HOME": "/tmp", **(env or {})},
                check=True,
            )

    def alive(self, name: str) -> bool:
        """Whether the component runs."""
        pid = self.pid
        try:
            return pid is not None and Path(f"/proc/{pid}/root/proc", self._own_pid(name)).exists()
        except OSError:
            return False

    def components(self) -> list[str]:
        """The names of what was started."""
        return sorted(path.stem for path in self.work.glob("*.pid"))

    def kill(self, name: str) -> None:
        """Ends a component at once."""
        self.run("kill", "-KILL", self._own_pid(name))

    def log_tail(self, name: str) -> list[str]:
        """The last lines that the component logged."""
        try:
            return last_lines((self.logs / f"{name}.log").read_text(errors="replace"))
        except OSError:
            return []

    def wait(self, name: str, ready: Callable[[], bool], *, within_s: float) -> None:
        """Waits until the component is `ready`. Raises ClusterError with its last lines, also when it has left."""
        ends = time.monotonic() + within_s
        while not ready():
            if not self.alive(name):
                raise ClusterError(f"{name} has left:\n{self._last_words(name)}")
            if time.monotonic() > ends:
                raise ClusterError(f"{name} was not ready within {within_s:.0f} s:\n{self._last_words(name)}")
            time.sleep(0.1)

    def _last_words(self, name: str) -> str:
        return f"{indented(self.log_tail(name)) or '    (it logged nothing)'}\n  all of it: {self.logs / name}.log"

    def delete(self) -> None:
        """Ends everything in the node and puts back what reached outside. Twice is once."""
        state, pid = self._read(), self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)  # the first process of a PID namespace takes all others with it
            for each in (pid, state.get("holder")):
                until(lambda each=each: not Path(f"/proc/{each}").exists(), "the end of the node", within_s=60)
        if Path(f"/sys/class/net/{DEVICE}").exists():
            with contextlib.suppress(ClusterError):  # it may be leaving with its peer just now
                run("ip", "link", "delete", DEVICE)
        until(lambda: not Path(f"/sys/class/net/{DEVICE}").exists(), f"the end of {DEVICE}", within_s=30)
        for cgroup in _cgroups():
            _remove_cgroup(cgroup)
        for key, value in state.get("settings", {}).items():
            _setting(key).write_text(value)
        shutil.rmtree(self.work, ignore_errors=True)

    def _enter(self) -> tuple[str, ...]:
        pid = self.pid
        if pid is None:
            raise ClusterError("the node does not run")
        return ("nsenter", "--target", str(pid), *NAMESPACES, "--")

    def _own_pid(self, name: str) -> str:
        return (self.work / f"{name}.pid").read_text().strip()

    def _read(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads(self._state.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _write(self, state: Mapping[str, object]) -> None:
        self._state.write_text(json.dumps(state))


def until(look: Callable[[], T | None], what: str, *, within_s: float) -> T:
    """The first thing that `look` finds. Raises ClusterError when it finds nothing within the time."""
    ends = time.monotonic() + within_s
    while not (found := look()):
        if time.monotonic() > ends:
            raise ClusterError(f"{what} did not come within {within_s:.0f} s")
        time.sleep(0.05)
    return found


def overlapping_routes(routes: Sequence[Mapping[str, object]]) -> list[str]:
    """Of `ip -json route`: this machine's routes into the ranges that the cluster uses for itself."""
    ours = [ipaddress.ip_network(each) for each in (WIRE, PODS, SERVICES)]
    found = []
    for route in routes:
        text = str(route.get("dst", ""))
        with contextlib.suppress(ValueError):
            if text != "default" and any(ipaddress.ip_network(text).overlaps(each) for each in ours):
                found.append(f"{text} dev {route.get('dev', '?')}")
    return found


def _setting(key: str) -> Path:
    return Path("/proc/sys", key)


def _began(pid: int) -> str | None:
    """When the process was started, in ticks since boot: the same number twice is not the same process twice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError as error:
        raise ClusterError("the namespaces of the node could not be made") from error
    return int(children[0]) if children else None


def hierarchies() -> Iterator[Path]:
    """Where this machine's control groups begin: one place with v2, several with v1."""
    for place in (CGROUPS, *CGROUPS.iterdir()):
        if (place / "cgroup.procs").exists() and place.is_mount() and not place.is_symlink():
            yield place


def _cgroups() -> Iterator[Path]:
    """The node's control group in each hierarchy of this machine."""
    for hierarchy in hierarchies():
        yield hierarchy / NAME


def _remove_cgroup(cgroup: Path) -> None:
    for folder, _, _ in os.walk(cgroup, topdown=False):
        place = Path(folder)
        until(lambda place=place: _removed(place), f"the end of the control group {place}", within_s=30)


def _removed(cgroup: Path) -> bool:
    with contextlib.suppress(OSError):  # busy, until the last process in it is buried
        cgroup.rmdir()
    return not cgroup.exists()
