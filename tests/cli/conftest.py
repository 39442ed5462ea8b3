"""A place to build images in, without a network: for tests that ask by the fixture `workshop`."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.images import surroundings
from toolkit.catalog import benchmarks_folder

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return surroundings.wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all tests share, so that pip runs once. What is remembered in it is of other tests' folders."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def workshop(tmp_path: Path, wheels: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: `base`, `chain` (a copy of chained-mixed), and `bin`, all that is on the PATH."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(wheels)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("SOURCE_DATE_EPOCH", "TOOLKIT_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    surroundings.rootfs(tmp_path / "base")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    shutil.copytree(benchmarks_folder() / "chained-mixed", tmp_path / "chain")
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stored_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs that are started with this environment store their runs: not in the folder they are started in."""
    monkeypatch.setenv("TOOLKIT_OUT", str(tmp_path / "stored"))
    return tmp_path / "stored"
