"""Images of single programs: a tar file that containerd imports, made without a builder."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.knative import ENVOY_IMAGE, image_of
from tests.cluster.running import run
from tests.cluster.versions import PROGRAMS

NOBODY, ENVOY_USER = "65532", "65534"
ENVOY_PLACE = "/usr/local/bin/envoy"
_LIBRARY = re.compile(r"(/\S+) \(0x")


@dataclass(frozen=True, slots=True)
class Image:
    """One program, with the files that it needs: place in the image to place on this machine."""

    name: str
    files: Mapping[str, Path]
    entrypoint: str
    user: str
    arguments: tuple[str, ...] = ()  # before those that a pod gives


def all_images() -> list[Image]:
    """What the cluster's pods run. Raises ClusterError."""
    in_pods = [each for each in PROGRAMS if each.in_pod]
    found = [
        Image(image_of(each.package), {f"/{each.name}": binaries.path(each.name)}, f"/{each.name}", NOBODY)
        for each in in_pods
    ]
    return [*found, _envoy()]


def _envoy() -> Image:
    """Envoy is linked against the C library: this machine's comes along."""
    envoy = binaries.path(binaries.ENVOY)
    return Image(ENVOY_IMAGE, {ENVOY_PLACE: envoy, **libraries(envoy)}, ENVOY_PLACE, ENVOY_USER)


def libraries(program: Path) -> dict[str, Path]:
    """The shared libraries that a program of this machine is linked against. Raises ClusterError."""
    return {each: Path(each) for each in _LIBRARY.findall(run("ldd", program))}


def write(image: Image, target: Path) -> None:
    """The image as `docker save` writes it, in one layer."""
    layer = target.with_suffix(".layer")
    _write_layer(layer, image.files)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [image.entrypoint, *image.arguments], "User": image.user},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image.name], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as tar:
        tar.add(layer, "layer.tar")
        for name, content in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    layer.unlink()


def _write_layer(target: Path, files: Mapping[str, Path]) -> None:
    """The files, world-readable, and a `/tmp`."""
    with tarfile.open(target, "w", dereference=True) as tar:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
        for inside, path in sorted(files.items()):
            entry = tar.gettarinfo(path, inside.lstrip("/"))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode, entry.mtime = 0o755, 0
            with path.open("rb") as file:
                tar.addfile(entry, file)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
