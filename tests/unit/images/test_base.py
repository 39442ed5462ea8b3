"""Bases of every form, whole and broken: what fits is used as it is, what does not is told and nothing is written."""

from __future__ import annotations

import io
import json
import os
import random
import socket
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.images.surroundings import (
    HERE,
    MANIFEST,
    PYTHON,
    PYTHON_LAYER,
    SILENT,
    Layout,
    built,
    gzipped,
    layer_members,
    order,
    rootfs,
    sha256,
    tar_of,
)
from toolkit.errors import ToolkitError, UsageError
from toolkit.images import base as bases
from toolkit.images import build
from toolkit.images.model import ImageError, Platform
from toolkit.images.store import Store

OTHER = "arm64" if HERE == "amd64" else "amd64"


def read(path: Path, store: Path, platform: Platform | None = None, said: list[str] | None = None) -> bases.Base:
    return bases.read(path, platform, Store(store), 0, SILENT if said is None else said.append)


def refused(path: Path, tmp_path: Path, **more: Any) -> ToolkitError:
    with pytest.raises(ToolkitError) as told:
        read(path, tmp_path / "store", **more)
    assert not (tmp_path / "store" / "blobs").exists()
    return told.value


# --- A root file system -----------------------------------------------------------------------------------------------


def test_a_folder_becomes_one_layer_with_its_modes_and_links(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    (base / "tmp").mkdir()
    (base / "tmp").chmod(0o1777)
    (base / "usr/bin/su").write_bytes(b"su")
    (base / "usr/bin/su").chmod(0o4755)
    os.link(base / "usr/bin/su", base / "usr/bin/a-name-that-sorts-before")
    (base / "absolute").symlink_to("/usr/bin/su")
    (base / "up").symlink_to("../../etc/passwd")
    long = "n" * 200 + "/" + "m" * 200 + "-ü"
    (base / long).parent.mkdir()
    (base / long).write_text("")
    image = built(base, chain, cache, tmp_path / "image")
    found = layer_members(tmp_path / "image", image, "base")
    assert oct(found["tmp"].mode) == "0o1777"
    assert oct(found["usr/bin/a-name-that-sorts-before"].mode) == "0o4755"
    assert (found["usr/bin/su"].type, found["usr/bin/su"].linkname) == (
        tarfile.LNKTYPE,
        "usr/bin/a-name-that-sorts-before",
    )
    assert found["absolute"].linkname == "/usr/bin/su"
    assert found["up"].linkname == "../../etc/passwd"
    assert long in found


def test_the_order_in_a_layer_is_that_of_the_names(base: Path, tmp_path: Path) -> None:
    names = [f"{hash(number) * 7919 % 1000:03}" for number in range(100)]
    (base / "many").mkdir()
    for name in names:
        (base / "many" / name).touch()
    with read(base, tmp_path / "store").layers[0].open() as file, tarfile.open(fileobj=file) as tar:
        found = [name.partition("/")[2] for name in tar.getnames() if name.startswith("many/")]
    assert found == sorted(names)


def test_devices_sockets_and_pipes_are_left_out_with_words(base: Path, tmp_path: Path) -> None:
    os.mkfifo(base / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(base)  # a socket's path is short
        listening.bind("socket")
        if os.getuid() == 0:
            os.mknod(base / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        said: list[str] = []
        found = read(base, tmp_path / "store", said=said)
    with found.layers[0].open() as file, tarfile.open(fileobj=file) as tar:
        assert {"pipe", "socket", "null"}.isdisjoint(tar.getnames())
    assert {f"base: /{name} is a device, a pipe or a socket, left out" for name in ("pipe", "socket")} <= set(said)


def test_byte_code_of_the_base_stays_valid_although_times_are_dropped(base: Path, tmp_path: Path) -> None:
    library = base / f"usr/lib/python{PYTHON}"
    source, stale = library / "os.py", library / "stale.py"
    stale.write_text("x = 1\n")
    (library / "__pycache__").mkdir()
    for path, when in ((source, int(source.stat().st_mtime)), (stale, 12345)):
        header = b"MAGC" + bytes(4) + when.to_bytes(4, "little") + b"SIZE"
        (library / f"__pycache__/{path.stem}.cpython-1.pyc").write_bytes(header + b"code")
    found = bases.read(base, None, Store(tmp_path / "store"), 77, SILENT)
    with found.layers[0].open() as file, tarfile.open(fileobj=file) as tar:
        times = {}
        for name in ("os", "stale"):
            code = tar.extractfile(f"usr/lib/python{PYTHON}/__pycache__/{name}.cpython-1.pyc")
            assert code is not None
            times[name] = int.from_bytes(code.read()[8:12], "little")
        assert tar.getmember(f"usr/lib/python{PYTHON}/os.py").mtime == 77
    assert times == {"os": 77, "stale": 12345}


def test_this_machine_s_own_root_is_no_base(tmp_path: Path) -> None:
    assert "this machine's own root" in str(refused(Path("/"), tmp_path))


def test_an_empty_folder_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = refused(tmp_path / "empty", tmp_path)
    assert "neither an image nor a root file system" in str(error)
    assert error.exit == 2


def test_a_base_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "there is no base" in str(refused(tmp_path / "nowhere", tmp_path))


def test_a_base_without_python_is_told(base: Path, tmp_path: Path) -> None:
    (base / "usr/bin/python3").unlink()
    error = refused(base, tmp_path)
    assert "holds no python3 on its PATH" in str(error)
    assert error.exit == 3


def test_a_base_with_a_python_too_old_is_told(tmp_path: Path) -> None:
    assert "holds Python 3.9" in str(refused(rootfs(tmp_path / "old", python="3.9"), tmp_path))


def test_a_base_for_another_processor_is_told_and_can_be_asked_for(tmp_path: Path) -> None:
    base = rootfs(tmp_path / "other", architecture=OTHER)
    error = refused(base, tmp_path)
    assert f"is for linux/{OTHER}, and linux/{HERE} is wanted" in str(error)
    assert f"--platform linux/{OTHER}" in str(error.next_step)
    found = read(base, tmp_path / "store", Platform("linux", OTHER))
    assert found.interpreter.architecture == found.platform.architecture == OTHER


def test_an_image_of_a_chain_is_no_base(base: Path, chain: Path, cache: Path, tmp_path: Path) -> None:
    built(base, chain, cache, tmp_path / "image")
    assert "it is the image of a chain, no base" in str(refused(tmp_path / "image", tmp_path))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(base: Path, tmp_path: Path) -> None:
    (base / "usr/secret").write_text("")
    (base / "usr/secret").chmod(0)
    assert "usr/secret cannot be read" in str(refused(base, tmp_path))


# --- An OCI layout ----------------------------------------------------------------------------------------------------


def test_the_layers_of_a_layout_are_taken_as_they_are(chain: Path, cache: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    below = tar_of({"etc/os-release": b"x"})
    layout.index(layout.image(below, tar_of(PYTHON_LAYER)))
    image = built(tmp_path / "base", chain, cache, tmp_path / "image")
    assert [each.what for each in image.layers] == ["base", "base", "dependencies", "scaffold", "chain"]
    assert image.layers[0].descriptor.digest == sha256(gzipped(below))
    assert image.layers[0].diff_id == sha256(below)


def test_a_layout_in_a_tar_is_the_same_base(chain: Path, cache: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    layout.index(layout.image(tar_of(PYTHON_LAYER)))
    for name, mode in (("base.tar", "w"), ("base.tar.gz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as tar:  # type: ignore[call-overload]
            tar.add(tmp_path / "base", arcname=".")
    digests = {
        built(tmp_path / name, chain, cache, tmp_path / f"of-{name}").descriptor.digest
        for name in ("base", "base.tar", "base.tar.gz")
    }
    assert len(digests) == 1


def test_of_several_platforms_this_machine_s_is_taken_and_another_on_demand(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    ours = layout.image(tar_of(PYTHON_LAYER))
    theirs = layout.image(tar_of(PYTHON_LAYER), architecture=OTHER, variant="v8")
    attestation = layout.blob(b"{}") | {"mediaType": MANIFEST, "platform": {"os": "unknown", "architecture": "unknown"}}
    index = layout.blob(json.dumps({"manifests": [theirs, attestation, ours]}).encode())
    layout.index(index | {"mediaType": "application/vnd.oci.image.index.v1+json"})
    assert read(tmp_path / "base", tmp_path / "store").platform == Platform("linux", HERE)
    wanted = Platform("linux", OTHER)
    assert read(tmp_path / "base", tmp_path / "store", wanted).platform == Platform("linux", OTHER, "v8")
    assert "and linux/s390x is wanted" in str(refused(tmp_path / "base", tmp_path, platform=Platform("linux", "s390x")))


def test_two_images_for_one_platform_are_not_guessed_between(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    named = {"annotations": {"org.opencontainers.image.ref.name": "first"}}
    layout.index(layout.image(tar_of(PYTHON_LAYER)) | named, layout.image(tar_of(PYTHON_LAYER), Env=["A=b"]))
    assert "holds 2 images for one platform: first" in str(refused(tmp_path / "base", tmp_path))


@pytest.mark.parametrize("which", ["layer", "config", "manifest"])
def test_a_blob_that_is_not_what_its_digest_says_is_refused_with_file_and_digest(tmp_path: Path, which: str) -> None:
    layout = Layout(tmp_path / "base")
    manifest = layout.image(tar_of(PYTHON_LAYER))
    layout.index(manifest)
    told = json.loads((tmp_path / "base/blobs" / manifest["digest"].replace(":", "/")).read_text())
    digest = {"layer": told["layers"][0], "config": told["config"], "manifest": manifest}[which]["digest"]
    path = tmp_path / "base/blobs" / digest.replace(":", "/")
    data = bytearray(path.read_bytes())
    data[4 if which == "layer" else data.rindex(b" ")] ^= 0x2A  # the time in a gzip's header: the content stays
    path.write_bytes(bytes(data))
    error = refused(tmp_path / "base", tmp_path)
    assert digest.partition(":")[2] in str(error)
    assert error.exit == 3


def test_a_layer_that_holds_another_tar_than_the_configuration_says_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    manifest = layout.image(tar_of(PYTHON_LAYER))
    told = json.loads((tmp_path / "base/blobs" / manifest["digest"].replace(":", "/")).read_text())
    told["layers"][0] |= layout.blob(gzipped(tar_of({"other": b""})))
    layout.index(layout.blob(json.dumps(told).encode()) | {"mediaType": MANIFEST})
    assert "its configuration promises" in str(refused(tmp_path / "base", tmp_path))


def test_a_layer_in_zstd_is_refused_with_the_way_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    manifest = layout.image(tar_of(PYTHON_LAYER))
    told = json.loads((tmp_path / "base/blobs" / manifest["digest"].replace(":", "/")).read_text())
    told["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd"
    layout.index(layout.blob(json.dumps(told).encode()) | {"mediaType": MANIFEST})
    error = refused(tmp_path / "base", tmp_path)
    assert "tar+zstd" in str(error)
    assert "gzip" in str(error.next_step)


def test_whiteouts_take_away_what_lies_below(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    new = {f"usr/local/bin/python{PYTHON}": b"", "usr/local/bin/python3": f"python{PYTHON}"}
    old = {"usr/bin/python3": "python3.9", "usr/bin/python3.9": b"", "opt/python3": b""}
    layout.index(
        layout.image(tar_of(old | new), tar_of({"usr/local/.wh..wh..opq": b"", "usr/bin/.wh.python3": b""}))  # type: ignore[arg-type]
    )
    assert "holds no python3" in str(refused(tmp_path / "base", tmp_path))


def test_whiteouts_spare_their_own_layer_wherever_in_it_they_stand(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    old: dict[str, bytes | str | None] = {"usr/bin/python3": "python3.9", "usr/bin/python3.9": b""}
    whiteouts: dict[str, bytes | str | None] = {".wh..wh..opq": b"", "usr/local/bin/.wh.python3": b""}
    layout.index(layout.image(tar_of(old), tar_of(PYTHON_LAYER | whiteouts)))
    assert read(tmp_path / "base", tmp_path / "store").interpreter.named == PYTHON


def test_a_layer_that_writes_through_a_link_of_the_one_below_is_read_so(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    through: dict[str, bytes | str | None] = {"bin/python3": f"python{PYTHON}", f"bin/python{PYTHON}": b""}
    layout.index(layout.image(tar_of({"bin": "usr/bin"}), tar_of({"usr/bin": None}), tar_of(through)))
    assert read(tmp_path / "base", tmp_path / "store").interpreter.named == PYTHON


def test_layers_that_are_plain_tars_are_compressed(chain: Path, cache: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    manifest = layout.image(tar_of(PYTHON_LAYER))
    told = json.loads((tmp_path / "base/blobs" / manifest["digest"].replace(":", "/")).read_text())
    kinds = ("application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar")
    for kind in kinds:
        told["layers"][0] = layout.blob(tar_of(PYTHON_LAYER)) | {"mediaType": kind}
        layout.index(layout.blob(json.dumps(told).encode()) | {"mediaType": MANIFEST})
        image = built(tmp_path / "base", chain, cache, tmp_path / "image")
        assert image.layers[0].descriptor.digest == sha256(gzipped(tar_of(PYTHON_LAYER)))
        assert image.layers[0].descriptor.media_type == "application/vnd.oci.image.layer.v1.tar+gzip"


def test_a_name_of_a_thousand_folders_is_no_trouble(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    deep: dict[str, bytes | str | None] = {"a/" * 3000 + "b": b"", "c": "c/" * 2000}
    layout.index(layout.image(tar_of(deep | PYTHON_LAYER)))
    assert read(tmp_path / "base", tmp_path / "store").interpreter.named == PYTHON


# --- What `docker save` writes ----------------------------------------------------------------------------------------


def docker_save(path: Path, layers: list[bytes], *, linked: bool = False, **config: Any) -> Path:
    """A tar as Docker before 25 and skopeo write it: plain tars, a configuration, a manifest of both."""
    found = {"os": "linux", "architecture": HERE, "config": config, "rootfs": {"diff_ids": [*map(sha256, layers)]}}
    files: dict[str, bytes | str | None] = {f"layer-{number}.tar": data for number, data in enumerate(layers)}
    names = list(files)
    if linked:
        files |= {f"{number}/layer.tar": f"../{name}" for number, name in enumerate(names)}
        names = [f"{number}/layer.tar" for number in range(len(layers))]
    files["config.json"] = json.dumps(found).encode()
    listed = [{"Config": "config.json", "RepoTags": ["a/b:1"], "Layers": names}]
    files["manifest.json"] = json.dumps(listed).encode()
    path.write_bytes(tar_of(files))
    return path


@pytest.mark.parametrize("linked", [False, True])
def test_a_docker_save_is_a_base_too(chain: Path, cache: Path, tmp_path: Path, linked: bool) -> None:
    path = docker_save(
        tmp_path / "save.tar", [tar_of({"etc/x": b""}), tar_of(PYTHON_LAYER)], linked=linked, Env=["A=b"]
    )
    image = built(path, chain, cache, tmp_path / "image")
    assert [each.what for each in image.layers][:2] == ["base", "base"]
    assert image.layers[1].diff_id == sha256(tar_of(PYTHON_LAYER))
    assert image.layers[1].descriptor.digest == sha256(gzipped(tar_of(PYTHON_LAYER)))
    assert "A=b" in json.loads(image.config)["config"]["Env"]


def test_a_docker_save_of_a_layout_s_image_gives_the_same_image(chain: Path, cache: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.index(layout.image(tar_of(PYTHON_LAYER), Env=["A=b"]))
    save = docker_save(tmp_path / "save.tar", [tar_of(PYTHON_LAYER)], Env=["A=b"])
    one = built(tmp_path / "layout", chain, cache, tmp_path / "one")
    assert built(save, chain, cache, tmp_path / "two").descriptor == one.descriptor


def test_a_docker_save_of_several_images_is_not_guessed_between(tmp_path: Path) -> None:
    path = tmp_path / "save.tar"
    listed = [{"Config": "a", "RepoTags": ["a:1"]}, {"Config": "b", "RepoTags": None}]
    path.write_bytes(tar_of({"manifest.json": json.dumps(listed).encode()}))
    assert "holds 2 images" in str(refused(path, tmp_path))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "", 7, None, "missing"])
def test_a_docker_save_that_names_files_elsewhere_is_refused(tmp_path: Path, name: object) -> None:
    path = tmp_path / "save.tar"
    path.write_bytes(tar_of({"manifest.json": json.dumps([{"Config": name, "Layers": []}]).encode()}))
    assert "save.tar" in str(refused(path, tmp_path))


# --- Hostile ----------------------------------------------------------------------------------------------------------


def test_names_and_links_that_climb_out_of_a_layer_lead_nowhere(tmp_path: Path, chain: Path, cache: Path) -> None:
    outside = tmp_path / "outside"
    hostile = {"../../../outside": b"!", "/etc/passwd": b"!", "usr/bin/python3": str(outside), "loop": "loop"}
    layout = Layout(tmp_path / "base")
    layout.index(layout.image(tar_of(hostile | PYTHON_LAYER | {"a/b": "../../../../../../outside"})))  # type: ignore[arg-type]
    outside.write_bytes(b"untouched")
    built(tmp_path / "base", chain, cache, tmp_path / "image")
    assert outside.read_bytes() == b"untouched"
    (tmp_path / "second").mkdir()
    second = Layout(tmp_path / "second/base")
    second.index(second.image(tar_of({"usr/bin/python3": "/../../.." + sys.executable})))
    assert "holds no python3" in str(refused(tmp_path / "second/base", tmp_path))


def test_a_tar_whose_members_climb_out_is_no_base_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    path.write_bytes(tar_of({"../index.json": b"{}", "../../oci-layout": b"{}", "index.json/..": b""}))
    assert "neither an OCI layout nor a 'docker save'" in str(refused(path, tmp_path))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["evil.tar"]


@pytest.mark.parametrize("content", [b"", b"\0" * 10240, b"no tar at all", gzipped(b"x" * 999), b"\x1f\x8bbroken"])
def test_what_is_no_tar_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "base.tar"
    path.write_bytes(content)
    error = refused(path, tmp_path)
    assert error.exit == 2
    assert "base.tar" in str(error)


JUNK: list[Callable[[], Any]] = [lambda: None, list, dict, lambda: 7, lambda: "x", lambda: [[]], lambda: {"a": []}]


def test_whatever_a_description_holds_it_is_an_error_in_words(tmp_path: Path) -> None:
    """Every value of every document, replaced by something of another kind: never a traceback, never an image."""
    rng = random.Random(7)
    layout = Layout(tmp_path / "base")
    manifest = layout.image(tar_of(PYTHON_LAYER), Env=["PATH=/usr/local/bin"], Labels={"a": "b"})
    blob = tmp_path / "base/blobs" / manifest["digest"].replace(":", "/")
    told = json.loads(blob.read_text())
    config = json.loads((tmp_path / "base/blobs" / told["config"]["digest"].replace(":", "/")).read_text())
    for _ in range(300):
        changed_config, changed = json.loads(json.dumps(config)), json.loads(json.dumps(told))
        if rng.random() < 0.5:
            _spoil(changed_config, rng)
        changed["config"] |= layout.blob(json.dumps(changed_config).encode())
        if rng.random() < 0.5:
            _spoil(changed, rng)
        index = {"manifests": [layout.blob(json.dumps(changed).encode()) | {"mediaType": MANIFEST}]}
        if rng.random() < 0.2:
            _spoil(index, rng)
        (tmp_path / "base/index.json").write_text(json.dumps(index))
        told_of = _outcome(tmp_path / "base", tmp_path / "store")
        assert str(tmp_path / "base") in told_of or told_of == "1 layer"


def _outcome(path: Path, store: Path) -> str:
    try:
        return f"{len(read(path, store).layers)} layer"
    except ToolkitError as error:
        return str(error)


def _spoil(document: Any, rng: random.Random) -> None:
    """Replaces one value somewhere in the document."""
    while True:
        keys = list(document) if isinstance(document, dict) else list(range(len(document)))
        key = rng.choice(keys)
        inner = document[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            document = inner
            continue
        document[key] = rng.choice(JUNK)()
        return


def test_a_layer_that_ends_early_or_is_no_tar_is_told(tmp_path: Path) -> None:
    whole = gzipped(tar_of(PYTHON_LAYER))
    for number, data in enumerate((whole[:-9], whole[: len(whole) // 2], b"", gzipped(b"no tar" * 999), b"plain")):
        layout = Layout(tmp_path / f"base-{number}")
        manifest = layout.image(tar_of(PYTHON_LAYER))
        told = json.loads((layout.folder / "blobs" / manifest["digest"].replace(":", "/")).read_text())
        told["layers"][0] |= layout.blob(data)
        layout.index(layout.blob(json.dumps(told).encode()) | {"mediaType": MANIFEST})
        assert str(layout.folder) in str(refused(layout.folder, tmp_path))


def test_nothing_is_written_when_the_base_is_refused(chain: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "base.tar").write_bytes(io.BytesIO(b"junk").getvalue())
    with pytest.raises(UsageError), build.building(order(tmp_path / "base.tar", chain, cache), SILENT):
        pass
    assert sorted(each.name for each in tmp_path.iterdir()) == ["base.tar", "chain"]
    assert ImageError("x").exit == 3
