"""An image is what it promises when it runs: unpacked, read-only, as nobody in particular, as the first process.

Nothing here is a fake: Debian's packages, pip's wheels, the chain of the catalogue, a real call over gRPC. What a
container runtime does with an image is done with mounts and chroot.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.cli.program import wait_until
from tests.cluster import python_base
from tests.unit.images.surroundings import SILENT, order
from toolkit import catalog, plan
from toolkit.contract import Wiring
from toolkit.images import build, bytecode, configuration, layout
from toolkit.images.model import ImageError
from toolkit.stubs.helloworld_pb2 import HelloRequest
from toolkit.stubs.helloworld_pb2_grpc import GreeterStub

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can change the root folder of a process")

# Run as the first process of new mount and pid namespaces: the root folder read-only, /proc and /dev as containers have
# them, then the entry point in the working folder, as the user that the image names.
LAUNCH = """
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
for each in null urandom; do mount --bind "/dev/$each" "$ROOT/dev/$each"; done
if [ -n "${BAKED:-}" ]; then mount --bind "$BAKED" "$ROOT/$BAKED_AT"; fi
mount -o remount,bind,ro "$ROOT"
exec chroot --userspec="$RUN_AS" "$ROOT" /usr/bin/python3 -c '
import os, sys
os.chdir(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])
' "$@"
"""

IMPORTS = """
import sys
import toolkit.sdk.server, toolkit.sdk.channels, toolkit.sdk.events, toolkit.sdk.recorder, toolkit.sdk.zipkin
sys.path.insert(0, "/app/chain")
import handlers
"""


@pytest.fixture(autouse=True)
def offline() -> None:
    """These are not: they want the real wheels."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run see; whoever holds it makes what the others will use."""
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "real"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def python_rootfs(shared: Path) -> Path:
    """A real base out of Debian's packages."""
    base = shared / "base"
    with alone(shared):
        if not base.exists():
            try:
                python_base.make(base)
            except python_base.NoBase as error:
                pytest.skip(f"no base can be made here: {error}")
    return base


@pytest.fixture(scope="session")
def root(shared: Path, python_rootfs: Path) -> Path:
    """The layers of the image of chained-serving, unpacked over each other; its configuration lies beside."""
    with alone(shared):
        if not (shared / "root").exists():
            unpack(python_rootfs, shared)
    return shared / "root"


def unpack(base: Path, work: Path) -> None:
    folder = catalog.benchmarks_folder() / "chained-serving"
    try:
        with build.building(order(base, folder, work / "cache"), SILENT) as image:
            layout.write_folder(image, work / "image")
    except ImageError as error:
        if "pip could not fetch" in str(error):
            pytest.skip(f"the wheels cannot be fetched here: {error}")
        raise
    for layer in image.layers:
        with tarfile.open(work / "image/blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
            tar.extractall(work / "unpacked", filter="fully_trusted")
    for name in ("null", "urandom"):
        (work / "unpacked/dev" / name).touch()
    (work / "unpacked/etc/toolkit").mkdir()
    (work / "unpacked").chmod(0o755)
    (work / "config.json").write_bytes(image.config)
    (work / "unpacked").rename(work / "root")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Container:
    """A function of an image that runs, and the port it listens on."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log
        wait_until(lambda: self.port is not None or process.poll() is not None, "the function", within_s=30)
        assert self.port is not None, log.read_text()

    @property
    def port(self) -> int | None:
        found = re.search(r"serving .* on port (\d+)", self.log.read_text())
        return int(found[1]) if found else None

    @property
    def inside(self) -> int:
        """The function's own process, as this machine numbers it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def status(self, name: str) -> list[str]:
        line = re.search(rf"^{name}:\t(.*)$", Path(f"/proc/{self.inside}/status").read_text(), re.MULTILINE)
        assert line is not None
        return line[1].split()


def end(process: subprocess.Popen[bytes]) -> None:
    """`--kill-child` alone would not: the kernel forgets that wish when the child changes its user."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.wait()


Launcher = Callable[[str, dict[str, str]], Container]


@pytest.fixture
def launch(root: Path, tmp_path: Path) -> Iterator[Launcher]:
    """Starts a function of the image as its configuration says, with its wiring in the environment."""
    config = json.loads((root.parent / "config.json").read_text())["config"]
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("no namespaces can be made here")
    with contextlib.ExitStack() as all_of_them:

        def start(name: str, more: dict[str, str]) -> Container:
            environment = dict(each.split("=", 1) for each in config["Env"]) | more
            environment |= {"ROOT": str(root), "RUN_AS": config["User"], "PORT": "0", "TOOLKIT_HOST": "127.0.0.1"}
            command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", LAUNCH, "sh"]
            log = tmp_path / f"{name}.log"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [*command, config["WorkingDir"], *config["Entrypoint"]], env=environment, stdout=out, stderr=out
                )
            all_of_them.callback(end, process)
            return Container(process, log)

        yield start


def wirings(**addresses: str) -> dict[str, Wiring]:
    made = plan.make(catalog.load("chained-serving"), "run-1")
    return {
        name: plan.bind(each, {**dict.fromkeys(made.wirings, "127.0.0.1:9"), **addresses}, receipts=None, endpoint=None)
        for name, each in made.wirings.items()
    }


def test_a_chain_of_two_images_answers_a_real_call_on_a_read_only_root_as_nobody(launch: Launcher) -> None:
    consumer = launch("consumer", {"TOOLKIT_WIRING": wirings()["consumer"].encode()})
    wired = wirings(consumer=f"127.0.0.1:{consumer.port}")["producer"]
    producer = launch("producer", {"TOOLKIT_WIRING": wired.encode()})
    with grpc.insecure_channel(f"127.0.0.1:{producer.port}") as channel:
        reply = GreeterStub(channel).SayHello(HelloRequest(name="you"), timeout=20, wait_for_ready=True)
    assert reply.message == "you: consumed"
    for each in (consumer, producer):
        assert each.status("Uid") == ["65532"] * 4
        assert each.status("NSpid")[-1] == "1"
        assert each.status("CapEff") == ["0" * 16]
        mounts = Path(f"/proc/{each.inside}/mountinfo").read_text()
        assert re.search(r" / ro[, ]", mounts), mounts


def test_the_first_process_of_a_container_ends_at_sigterm_and_drains(launch: Launcher) -> None:
    found = launch("consumer", {"TOOLKIT_WIRING": wirings()["consumer"].encode()})
    os.kill(found.inside, 15)
    assert found.process.wait(timeout=20) == 0
    assert 'msg="stopped"' in found.log.read_text().splitlines()[-1]


def test_no_byte_is_compiled_when_a_function_starts(root: Path) -> None:
    """Everything a function imports has byte code that its Python takes, the standard library included."""
    version = (root / "usr/bin/python3").readlink().name.removeprefix("python3.")
    if not bytecode.fits((3, int(version))):
        pytest.skip(f"this Python writes no byte code for the base's 3.{version}")
    done = subprocess.run(
        [shutil.which("chroot") or "chroot", root, "/usr/bin/python3", "-B", "-v", "-P", "-c", IMPORTS],
        env={"PYTHONPATH": "/app/lib"},
        capture_output=True,
        text=True,
        check=True,
    )
    sources = re.findall(r"^# code object from '?(/[^']*)'?$", done.stderr, re.MULTILINE)
    assert len(sources) > 100
    assert [each for each in sources if not each.endswith(".pyc")] == []


def test_a_wiring_baked_in_is_found_without_any_environment(launch: Launcher, tmp_path: Path) -> None:
    place = configuration.WIRING_FILE.rpartition("/")
    (tmp_path / "baked").mkdir()
    (tmp_path / "baked" / place[2]).write_text(wirings()["consumer"].encode())
    found = launch("consumer", {"BAKED": str(tmp_path / "baked"), "BAKED_AT": place[0]})
    with grpc.insecure_channel(f"127.0.0.1:{found.port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=20)


def test_two_bases_made_of_the_same_packages_are_the_same(python_rootfs: Path, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        python_base.make(tmp_path / "again")
    finally:
        os.umask(old)
    assert listing(tmp_path / "again") == listing(python_rootfs)
    assert python_base.size(tmp_path / "again") < 50e6


def listing(folder: Path) -> list[tuple[Any, ...]]:
    found = []
    for each in sorted(folder.rglob("*")):
        content = each.readlink() if each.is_symlink() else each.read_bytes() if each.is_file() else None
        found.append((each.relative_to(folder), each.lstat().st_mode, content))
    return found
