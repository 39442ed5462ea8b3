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
from toolkit.images import build, configuration, layout
from toolkit.images.model import Image, ImageError
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
def python_rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real base, made once for all processes that run tests."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (shared / "python-base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "python-base").exists():
            try:
                python_base.make(shared / "python-base")
            except python_base.NoBase as error:
                pytest.skip(f"no base can be made here: {error}")
    return shared / "python-base"


@pytest.fixture(scope="session")
def image_folder(python_rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Image, Path]:
    """The image of chained-serving, and its layers unpacked over each other."""
    work = tmp_path_factory.mktemp("real")
    folder = catalog.benchmarks_folder() / "chained-serving"
    try:
        with build.building(order(python_rootfs, folder, work / "cache"), SILENT) as image:
            layout.write_folder(image, work / "image")
    except ImageError as error:
        if "pip" in str(error):
            pytest.skip(f"the wheels cannot be fetched here: {error}")
        raise
    for layer in image.layers:
        with tarfile.open(work / "image/blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
            tar.extractall(work / "root", filter="fully_trusted")
    for name in ("null", "urandom"):
        (work / "root/dev" / name).touch()
    (work / "root").chmod(0o755)
    return image, work / "root"


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


Launcher = Callable[[str, dict[str, str]], Container]


@pytest.fixture
def launch(image_folder: tuple[Image, Path], tmp_path: Path) -> Iterator[Launcher]:
    """Starts a function of the image as its configuration says, with its wiring in the environment."""
    image, root = image_folder
    config = json.loads(image.config)["config"]
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
            all_of_them.callback(process.wait)
            all_of_them.callback(process.kill)
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


def test_no_byte_is_compiled_when_a_function_starts(image_folder: tuple[Image, Path]) -> None:
    """Everything a function imports has byte code that its Python takes, the standard library included."""
    _, root = image_folder
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


def test_a_wiring_baked_in_is_found_without_any_environment(
    python_rootfs: Path, image_folder: tuple[Image, Path], launch: Launcher, tmp_path: Path
) -> None:
    _, root = image_folder
    path = root / configuration.WIRING_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wirings()["consumer"].encode())
    try:
        found = launch("baked", {})
    finally:
        shutil.rmtree(path.parent)
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
