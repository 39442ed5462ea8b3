"""What is written is an OCI layout by the book, in a folder or in a tar that docker and containerd read as well."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.images.surroundings import HERE, SILENT, built, order
from tests.unit.images.surroundings import chain as a_chain
from toolkit.errors import UsageError
from toolkit.images import build, layout, names
from toolkit.images.model import Image, ImageError


@pytest.fixture
def image(base: Path, chain: Path, cache: Path) -> Iterator[Image]:
    with build.building(order(base, chain, cache), SILENT) as found:
        yield found


def contents(path: Path) -> dict[str, bytes]:
    """The files of a layout, in a folder or a tar."""
    if path.is_dir():
        return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}
    with tarfile.open(path) as tar:
        return {each.name: file.read() for each in tar if (file := tar.extractfile(each)) is not None}


def follow(files: dict[str, bytes]) -> Any:
    """Checks a layout by the rules of image-spec v1.1.0 and returns its index; every blob must be accounted for."""
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(files["index.json"])
    assert (index["schemaVersion"], index["mediaType"]) == (2, "application/vnd.oci.image.index.v1+json")
    seen = set()

    def blob(descriptor: Any) -> bytes:
        algorithm, _, digits = descriptor["digest"].partition(":")
        data = files[f"blobs/{algorithm}/{digits}"]
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (digits, descriptor["size"])
        seen.add(f"blobs/{algorithm}/{digits}")
        return data

    for each in index["manifests"]:
        assert each["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
        manifest = json.loads(blob(each))
        assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, each["mediaType"])
        assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
        config = json.loads(blob(manifest["config"]))
        assert {"os": config["os"], "architecture": config["architecture"]} == each["platform"]
        assert config["rootfs"]["type"] == "layers"
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
            assert hashlib.sha256(_unpacked(blob(layer))).hexdigest() == diff_id.partition(":")[2]
        assert len([line for line in config["history"] if not line.get("empty_layer")]) == len(manifest["layers"])
    assert {name for name in files if name.startswith("blobs/")} == seen
    return index


def _unpacked(data: bytes) -> bytes:
    assert data[4:8] == bytes(4)  # no time
    assert data[3] == 0  # no name
    return gzip.decompress(data)


def test_a_layout_folder_follows_the_specification(image: Image, tmp_path: Path) -> None:
    layout.write_folder(image, tmp_path / "image")
    (described,) = follow(contents(tmp_path / "image"))["manifests"]
    assert described["digest"] == image.descriptor.digest
    assert described["platform"] == {"architecture": HERE, "os": "linux"}
    name, _, tag = image.reference.partition(":")
    assert name == "dev.local/greetings"
    assert described["annotations"] == {
        "io.containerd.image.name": image.reference,
        "org.opencontainers.image.ref.name": tag,
    }
    assert tag == image.config_descriptor.hex[:12]


def test_a_tar_is_the_same_layout_and_a_docker_save_in_one(image: Image, tmp_path: Path) -> None:
    layout.write_tar(image, tmp_path / "image.tar")
    layout.write_folder(image, tmp_path / "image")
    files = contents(tmp_path / "image.tar")
    (docker,) = json.loads(files.pop("manifest.json"))
    assert files == contents(tmp_path / "image")
    assert docker["RepoTags"] == [image.reference]
    assert hashlib.sha256(files[docker["Config"]]).hexdigest() == image.config_descriptor.hex
    assert docker["Layers"] == [f"blobs/sha256/{each.descriptor.hex}" for each in image.layers]


def test_a_tar_is_the_same_to_the_byte_and_belongs_to_nobody(image: Image, tmp_path: Path) -> None:
    for name, umask in (("one.tar", 0o022), ("two.tar", 0o077)):
        old = os.umask(umask)
        try:
            layout.write_tar(image, tmp_path / name)
        finally:
            os.umask(old)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert [oct(each.stat().st_mode & 0o777) for each in sorted(tmp_path.glob("*.tar"))] == ["0o644", "0o600"]
    with tarfile.open(tmp_path / "one.tar") as tar:
        members = tar.getmembers()
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members} == {(0, 0, "", "", 0)}
    assert [each.name for each in members] == sorted(each.name for each in members)


def test_writing_twice_changes_nothing(image: Image, tmp_path: Path) -> None:
    layout.write_folder(image, tmp_path / "image")
    before = contents(tmp_path / "image")
    layout.write_folder(image, tmp_path / "image")
    assert contents(tmp_path / "image") == before


def test_another_image_is_added_and_one_of_the_same_name_replaced(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    name = names.parse("dev.local/greetings:v1")
    first = built(base, chain, cache, tmp_path / "image", name=name)
    other = built(base, a_chain(tmp_path / "other", x_txt="x"), cache, tmp_path / "image")
    (chain / "handlers.py").write_text("async def greet(ctx, request): ...\n")
    second = built(base, chain, cache, tmp_path / "image", name=name)
    index = json.loads((tmp_path / "image/index.json").read_text())
    assert [each["digest"] for each in index["manifests"]] == [other.descriptor.digest, second.descriptor.digest]
    assert first.descriptor != second.descriptor


def test_builds_into_one_layout_at_the_same_time_are_all_there(image: Image, tmp_path: Path) -> None:
    images = [dataclasses.replace(image, reference=f"dev.local/greetings:v{number}") for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: layout.write_folder(each, tmp_path / "image"), images))
    follow(contents(tmp_path / "image"))
    index = json.loads((tmp_path / "image/index.json").read_text())
    found = {each["annotations"]["io.containerd.image.name"] for each in index["manifests"]}
    assert found == {each.reference for each in images}


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: bytes(len(data)), lambda data: b""])
def test_a_blob_that_is_broken_in_the_layout_is_written_again(image: Image, tmp_path: Path, spoil: Any) -> None:
    layout.write_folder(image, tmp_path / "image")
    blob = tmp_path / "image/blobs" / image.layers[0].descriptor.digest.replace(":", "/")
    blob.write_bytes(spoil(blob.read_bytes()))
    layout.write_folder(image, tmp_path / "image")
    follow(contents(tmp_path / "image"))


def test_an_empty_folder_becomes_a_layout(image: Image, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    layout.write_folder(image, tmp_path / "image")
    follow(contents(tmp_path / "image"))


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (lambda path: path.touch(), "is a file"),
        (lambda path: (path.mkdir(), (path / "thesis.txt").touch()), "is there and is no OCI layout"),
        (
            lambda path: (path.mkdir(), (path / "oci-layout").touch(), (path / "index.json").write_text("[]")),
            "is no index of images",
        ),
    ],
)
def test_what_is_no_layout_is_left_alone(image: Image, tmp_path: Path, prepare: Any, told: str) -> None:
    target = tmp_path / "image"
    prepare(target)
    before = contents(target) if target.is_dir() else {}
    with pytest.raises(UsageError, match=told):
        layout.write_folder(image, target)
    after = contents(target) if target.is_dir() else {}
    assert {name: data for name, data in after.items() if not name.startswith("blobs/")} == before


def test_a_folder_named_like_a_tar_is_told(image: Image, tmp_path: Path) -> None:
    (tmp_path / "image.tar").mkdir()
    with pytest.raises(UsageError, match="is a folder, no place for a tar"):
        layout.write_tar(image, tmp_path / "image.tar")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if made.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk that is full soon")
@pytest.mark.parametrize("name", ["image.tar", "image"])
def test_a_full_disk_is_told_and_nothing_half_written_is_left(image: Image, tmp_path: Path, name: str) -> None:
    write = layout.write_tar if name.endswith(".tar") else layout.write_folder
    with small_disk(tmp_path / "disk", 64 << 10):
        with pytest.raises(ImageError, match="No space left on device") as told:
            write(image, tmp_path / "disk" / name)
        assert list((tmp_path / "disk").iterdir()) == []
    assert "make room" in str(told.value.next_step)


@pytest.mark.parametrize("change", [lambda size: bytes(size), lambda size: bytes(size - 1), lambda size: b""])
def test_a_layer_that_changes_while_it_is_written_is_told(image: Image, tmp_path: Path, change: Any) -> None:
    layer = image.layers[0]
    other = dataclasses.replace(layer, open=lambda: io.BytesIO(change(layer.descriptor.size)))
    spoilt = dataclasses.replace(image, layers=(other, *image.layers[1:]))
    for write, name in ((layout.write_tar, "image.tar"), (layout.write_folder, "image")):
        with pytest.raises(ImageError, match="changed while it was being written"):
            write(spoilt, tmp_path / name)
        assert not (tmp_path / name).exists()
