"""The same input, the same digest, whatever the clock, the umask, the user, the folder or the order of the files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.unit.images.surroundings import SILENT, built, layer_members, order, rootfs
from tests.unit.images.surroundings import chain as a_chain
from toolkit.images import build


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are for one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def digest(base: Path, folder: Path, cache: Path, **more: Any) -> str:
    with build.building(order(base, folder, cache, **more), SILENT) as image:
        return image.descriptor.digest


def by_program(folder: Path, base: Path, chain: Path, **how: Any) -> dict[str, Any]:
    """A build in a process of its own, with a cache of its own."""
    home = folder / "home"
    home.mkdir()
    os.chown(home, how.get("user", -1), -1)
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": "", "TMPDIR": str(home)} | how.pop("env", {})
    command = [sys.executable, "-m", "toolkit.cli", "build", str(chain), "--base", str(base), "-o", "json"]
    done = subprocess.run(
        [*command, "--to", str(home / "image.tar")], env=environment, cwd=home, capture_output=True, text=True, **how
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_two_builds_in_other_folders_at_other_times_with_other_umasks_are_the_same(tmp_path: Path) -> None:
    digests = []
    for place, umask, seed in (("one", 0o022, "1"), ("two", 0o077, "2")):
        here = tmp_path / place
        old = os.umask(umask)
        try:
            base, chain = rootfs(here / "base"), a_chain(here / "some" / "where", data_txt="data")
        finally:
            os.umask(old)
        for each in base.rglob("*"):  # what umask decided here is the folder's own mode, and modes are kept
            if not each.is_symlink():
                each.chmod(0o755)
        for each in (*base.rglob("*"), *chain.rglob("*")):
            os.utime(each, (1e9 if place == "one" else 1.5e9,) * 2, follow_symlinks=False)
        found = by_program(here, base, chain, umask=umask, env={"PYTHONHASHSEED": seed})
        digests.append(found["digest"])
    assert digests[0] == digests[1]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can build as somebody else")
def test_another_user_builds_the_same(open_folder: Path, wheels: Path) -> None:
    try:
        subprocess.run([sys.executable, "-c", ""], user=12345, check=True)
    except PermissionError:
        pytest.skip(f"{sys.executable} lies where only its owner may go")
    for name in ("root", "other"):
        (open_folder / name).mkdir()
    base, chain = rootfs(open_folder / "base"), a_chain(open_folder / "chain")
    shutil.copytree(wheels, open_folder / "wheels")
    environment = {"PIP_FIND_LINKS": str(open_folder / "wheels")}
    ours = by_program(open_folder / "root", base, chain, env=environment)
    theirs = by_program(open_folder / "other", base, chain, env=environment, user=12345, group=12345, extra_groups=[])
    assert ours["digest"] == theirs["digest"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_whoever_owns_the_files_root_owns_them_in_the_image(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    before = digest(base, chain, cache)
    for each in (*base.rglob("*"), *chain.rglob("*")):
        os.chown(each, 12345, 54321, follow_symlinks=False)
    image = built(base, chain, cache, tmp_path / "image")
    assert image.descriptor.digest == before
    members = [each for what in ("base", "chain") for each in layer_members(tmp_path / "image", image, what).values()]
    assert {(each.uid, each.gid, each.uname, each.gname) for each in members} == {(0, 0, "", "")}


def test_the_order_in_which_files_came_to_be_does_not_matter(tmp_path: Path, base: Path, cache: Path) -> None:
    forth, back = tmp_path / "forth", tmp_path / "back"
    names = [f"file-{number}.txt" for number in range(40)]
    for folder, ordered in ((forth, names), (back, names[::-1])):
        folder.mkdir()
        for name in ordered:
            (folder / name).write_text(name)
        a_chain(folder)
    assert digest(base, forth, cache) == digest(base, back, cache)


def test_names_are_bytes_that_no_locale_changes(tmp_path: Path, base: Path, chain: Path) -> None:
    for name in (b"gr\xc3\xb6\xc3\x9fe", b"latin-\xf6", b"line\nbreak", b"z" * 120 + b"\xc3\xb6"):
        Path(os.fsdecode(os.fsencode(chain) + b"/" + name)).write_bytes(name)
    digests = []
    for place, environment in (
        ("utf-8", {"LC_ALL": "C.UTF-8"}),
        ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ):
        (tmp_path / place).mkdir()
        digests.append(by_program(tmp_path / place, base, chain, env=environment)["digest"])
    assert digests[0] == digests[1]
    with tarfile.open(tmp_path / "ascii/home/image.tar") as tar:
        last = json.loads(tar.extractfile("index.json").read())["manifests"][0]["digest"]  # type: ignore[union-attr]
        manifest = json.loads(tar.extractfile(f"blobs/{last.replace(':', '/')}").read())  # type: ignore[union-attr]
        blob = tar.extractfile(f"blobs/{manifest['layers'][-1]['digest'].replace(':', '/')}")
        with tarfile.open(fileobj=blob) as layer:
            names = {os.fsencode(each.name) for each in layer}
    assert {b"app/chain/gr\xc3\xb6\xc3\x9fe", b"app/chain/latin-\xf6", b"app/chain/line\nbreak"} <= names


def test_builds_at_the_same_time_with_one_cache_are_the_same(base: Path, chain: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cold"
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: digest(base, chain, cache), range(4)))
    assert len(found) == 1


def test_a_cold_cache_a_warm_one_and_none_give_the_same(base: Path, chain: Path, tmp_path: Path) -> None:
    cold = digest(base, chain, tmp_path / "cache")
    warm = digest(base, chain, tmp_path / "cache")
    (tmp_path / "file").touch()
    none = digest(base, chain, tmp_path / "file" / "cache")
    assert cold == warm == none


def test_a_broken_cache_is_not_believed(base: Path, chain: Path, tmp_path: Path) -> None:
    cold = built(base, chain, tmp_path / "cache", tmp_path / "one")
    for blob in (tmp_path / "cache/blobs/sha256").iterdir():
        blob.write_bytes(b"garbage")
    for note in (tmp_path / "cache/libraries").iterdir():
        note.write_text("[]")
    assert built(base, chain, tmp_path / "cache", tmp_path / "two").descriptor == cold.descriptor
    with_good_blobs = [
        each.name for each in (tmp_path / "two/blobs/sha256").iterdir() if each.read_bytes() != b"garbage"
    ]
    assert len(with_good_blobs) == len(cold.layers) + 2


def test_one_changed_byte_of_a_handler_changes_the_chain_s_layer_alone(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    before = built(base, chain, cache, tmp_path / "one")
    handlers = chain / "handlers.py"
    handlers.write_text(handlers.read_text().replace("hello", "hallo"))
    after = built(base, chain, cache, tmp_path / "two")
    changed = {
        old.what
        for old, new in zip(before.layers, after.layers, strict=True)
        if old.descriptor.digest != new.descriptor.digest
    }
    assert changed == {"chain"}
    assert before.reference != after.reference
    assert before.descriptor.digest != after.descriptor.digest


def test_chains_share_all_layers_but_the_last(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    other = a_chain(tmp_path / "other", more_txt="more")
    ours, theirs = built(base, chain, cache, tmp_path / "one"), built(base, other, cache, tmp_path / "two")
    assert [each.descriptor for each in ours.layers[:-1]] == [each.descriptor for each in theirs.layers[:-1]]
    assert ours.layers[-1].descriptor != theirs.layers[-1].descriptor


def test_what_a_test_run_or_a_build_leaves_in_the_folder_changes_nothing(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    before = digest(base, chain, cache)
    for name in ("__pycache__/handlers.cpython-311.pyc", "runs/1/report.json", ".git/config", "sub/__pycache__/x.pyc"):
        (chain / name).parent.mkdir(parents=True, exist_ok=True)
        (chain / name).write_bytes(b"cached")
    (chain / ".hidden").touch()
    (chain / "old.pyc").touch()
    built(base, chain, cache, chain / "image", left_out=(chain / "image",))
    subprocess.run(
        [sys.executable, "-m", "toolkit.cli", "build", ".", "--base", str(base), "--to", "image.tar"],
        cwd=chain,
        check=True,
        capture_output=True,
    )
    assert digest(base, chain, cache) == before


def test_the_time_that_was_asked_for_is_the_time_of_every_file(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image", epoch=1_700_000_000)
    times = set()
    for layer in image.layers:
        with tarfile.open(tmp_path / "image/blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
            times |= {member.mtime for member in tar}
    assert times == {1_700_000_000}
    assert json.loads(image.config)["created"] == "2023-11-14T22:13:20Z"


def test_nothing_in_an_image_tells_where_when_or_by_whom_it_was_built(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    image = built(base, chain, cache, tmp_path / "image")
    secrets = [str(tmp_path), str(Path.home()), os.uname().nodename]
    for layer in image.layers:
        stored = (tmp_path / "image/blobs" / layer.descriptor.digest.replace(":", "/")).read_bytes()
        content = gzip.decompress(stored)
        assert [each for each in secrets if len(each) > 3 and each.encode() in content] == []
    assert time.strftime("%Y-") not in image.config.decode()
