"""What a build needs, small and without a network: a root file system of five files, wheels of nothing, a chain."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import struct
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit import catalog
from toolkit.images import build, dependencies, layout
from toolkit.images.archive import compressed
from toolkit.images.base import this_machine
from toolkit.images.model import Image

MACHINE = platform.machine()
HERE = this_machine().architecture
ELF_MACHINES = {"amd64": 62, "arm64": 183}
PYTHON = "{}.{}".format(*sys.version_info[:2])
SILENT = lambda _: None  # noqa: E731 - what nobody wants to be told

CHAIN = """name: greetings
about: A greeter.
functions:
  greeter: {handler: "handlers.py:greet"}
"""
HANDLERS = '''"""Handlers."""


async def greet(ctx, request):
    return f"hello {request.name}"
'''


def rootfs(folder: Path, *, python: str = PYTHON, architecture: str = HERE) -> Path:
    """The least that passes for a Debian with a Python in it."""
    library = folder / f"usr/lib/python{python}"
    library.mkdir(parents=True)
    (library / "os.py").write_text("# the library\n")
    (folder / "usr/bin").mkdir()
    (folder / f"usr/bin/python{python}").write_bytes(elf(architecture))
    (folder / f"usr/bin/python{python}").chmod(0o755)
    (folder / "usr/bin/python3").symlink_to(f"python{python}")
    (folder / "bin").symlink_to("usr/bin")
    (folder / "usr/lib/x86_64-linux-gnu").mkdir()
    (folder / "usr/lib/x86_64-linux-gnu/libc.so.6").write_bytes(
        b"\x7fELF...\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n\0"
    )
    return folder


def elf(architecture: str) -> bytes:
    """The first bytes of a program for that machine."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, ELF_MACHINES[architecture])


def chain(folder: Path, **files: str) -> Path:
    """A chain's folder, with `files` (name without its dot in place of `_`) beside its description and handlers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chain.yaml").write_text(CHAIN)
    (folder / "handlers.py").write_text(HANDLERS)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def wheels(folder: Path) -> Path:
    """A wheel for each library of an image, with the noise that installations bring. gRPC's is for this machine."""
    for pin in dependencies.pins():
        name, _, version = pin.partition("==")
        wheel(folder, name, version, native=name == "grpcio")
    return folder


def wheel(folder: Path, name: str, version: str, *, native: bool = False, requires: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    digits = PYTHON.replace(".", "")
    tag = f"cp{digits}-cp{digits}-manylinux_2_17_{MACHINE}" if native else "py3-none-any"
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": f'VERSION = "{version}"\n',
        f"{module}/__init__.pyi": "VERSION: str\n",
        f"{module}/tests/test_it.py": "assert False\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {not native}\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {module}:main\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(each, text)
    return path


def order(base: Path, folder: Path, cache: Path, **more: Any) -> build.Order:
    content = {name: more.pop(name) for name in ("wiring", "epoch", "left_out") if name in more}
    return build.Order(build.Content(catalog.load(str(folder)), **content), base, cache, **more)


def built(base: Path, folder: Path, cache: Path, to: Path, **more: Any) -> Image:
    """The image of the chain in `folder`, written as a layout to `to`."""
    with build.building(order(base, folder, cache, **more), SILENT) as image:
        layout.write_folder(image, to)
    return image


def layer_members(layout_folder: Path, image: Image, what: str) -> dict[str, tarfile.TarInfo]:
    """The members of one layer of an image that was written as a layout."""
    found = next(each for each in image.layers if each.what == what)
    with tarfile.open(layout_folder / "blobs" / found.descriptor.digest.replace(":", "/")) as tar:
        return {each.name: each for each in tar}


def tar_of(files: Mapping[str, bytes | str | None]) -> bytes:
    """A tar: bytes make a file, text a symbolic link to it, None a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def gzipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with compressed(out) as stream:
        stream.write(data)
    return out.getvalue()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


PYTHON_LAYER: dict[str, bytes | str | None] = {
    f"usr/local/bin/python{PYTHON}": elf("amd64"),
    "usr/local/bin/python3": f"python{PYTHON}",
    f"usr/local/lib/python{PYTHON}/os.py": b"",
}


class Layout:
    """An OCI layout in the making; every part of it may be changed before it is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes) -> dict[str, Any]:
        (self.folder / "blobs" / sha256(data).replace(":", "/")).write_bytes(data)
        return {"digest": sha256(data), "size": len(data)}

    def image(self, *layers: bytes, architecture: str = HERE, variant: str = "", **config: Any) -> dict[str, Any]:
        """An image of gzipped tars: the descriptor of its manifest."""
        described = [self.blob(gzipped(each)) | {"mediaType": LAYER} for each in layers]
        found: dict[str, Any] = {"os": "linux", "architecture": architecture, "config": config}
        found |= {"variant": variant} if variant else {}
        found["rootfs"] = {"type": "layers", "diff_ids": [sha256(each) for each in layers]}
        kept = self.blob(json.dumps(found).encode()) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": kept, "layers": described}
        platform = {key: found[key] for key in ("os", "architecture", "variant") if key in found}
        return self.blob(json.dumps(manifest).encode()) | {"mediaType": MANIFEST, "platform": platform}

    def index(self, *manifests: dict[str, Any]) -> Path:
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(manifests)}))
        return self.folder


LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
