"""Generates the typed stubs from the .proto files, and tells which of them are stale.

May live here: the run of protoc and the manifest of hashes. May not: anything a function process loads. Only `generate`
needs grpcio-tools and mypy-protobuf (`pip install 'kn-bench[stubs]'`); `stale` reads files and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError, UsageError

MANIFEST = "MANIFEST.json"
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
INSTALL = "pip install 'kn-bench[stubs]'"

# Stubs live in a package, protoc writes imports as if they lay on sys.path. Only imports of our own files are changed.
_IMPORT = re.compile(r"^import (\w+_pb2(?:_grpc)?)( as \w+)?$", re.MULTILINE)
_PROTOBUF = re.compile(r"^# Protobuf Python Version: (\S+)$", re.MULTILINE)
_GRPC = re.compile(r"^GRPC_GENERATED_VERSION = '([^']+)'$", re.MULTILINE)


def generate(protos: Path, out: Path) -> list[Path]:
    """Writes the stubs of every .proto in the flat folder `protos` into the package `out`; returns what it wrote.

    The same protos and the same tools give the same bytes. Outputs of protos that are gone are removed. Raises
    UsageError when there is nothing to generate or a .proto is wrong (protoc's own words, with file and line), and
    ToolkitError when the tools are missing.
    """
    sources = _sources(protos)
    with tempfile.TemporaryDirectory(prefix="toolkit-stubs-") as scratch:
        _protoc(protos, sources, Path(scratch))
        texts = {path.name: _package_relative(path.read_text("utf-8"), sources) for path in _outputs(Path(scratch))}
    hashes = {name: _sha256((protos / name).read_bytes()) for name in sources}
    return _write(hashes, texts, out)


def stale(protos: Path, out: Path) -> list[str]:
    """Why the stubs in `out` do not match `protos`, one sentence each; empty when they do. Needs no grpcio-tools."""
    try:
        manifest = json.loads((out / MANIFEST).read_text("utf-8"))
        known, outputs = dict(manifest["protos"]), dict(manifest["outputs"])
    except FileNotFoundError:
        return [f"{out / MANIFEST} is missing: the stubs were never generated"]
    except (ValueError, KeyError, TypeError):
        return [f"{out / MANIFEST} is not a manifest of stubs"]
    found = {path.name: _sha256(path.read_bytes()) for path in sorted(protos.glob("*.proto"))}
    return [*_proto_problems(protos, known, found), *_output_problems(out, outputs)]


def _proto_problems(protos: Path, known: dict[str, Any], found: dict[str, str]) -> list[str]:
    changed = [
        f"{protos / name} changed after its stubs were generated"
        for name, sha256 in found.items()
        if name in known and known[name] != sha256
    ]
    new = [f"{protos / name} has no stubs yet" for name in found if name not in known]
    gone = [f"{protos / name} is gone, its stubs are still there" for name in known if name not in found]
    return changed + new + gone


def _output_problems(out: Path, outputs: dict[str, Any]) -> list[str]:
    problems = []
    for name, wanted in outputs.items():
        try:
            found = _sha256((out / name).read_bytes())
        except FileNotFoundError:
            problems.append(f"{out / name} is missing")
            continue
        if found != wanted:
            problems.append(f"{out / name} was changed by hand")
    return problems


def _sources(protos: Path) -> list[str]:
    sources = sorted(path.name for path in protos.glob("*.proto"))
    if not sources:
        raise UsageError(f"{protos}: no .proto files here", next_step="name the folder that holds them")
    return sources


def _protoc(protos: Path, sources: list[str], scratch: Path) -> None:
    # A process of its own: protoc prints its errors to the C stderr, and keeps the descriptors of its run for ever.
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"-I{_well_known()}"]
    command += [f"--plugin={name}={_plugin(name)}" for name in PLUGINS]
    command += [f"--{kind}_out={scratch}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    done = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)  # noqa: S603 - no shell, own arguments
    if done.returncode:
        raise UsageError(f"protoc refused {protos}:\n{done.stderr.strip()}")


def _well_known() -> Path:
    try:
        import grpc_tools
    except ImportError as missing:
        raise ToolkitError(
            "generating stubs needs grpcio-tools, which is not installed", next_step=INSTALL
        ) from missing
    return Path(str(grpc_tools.__file__)).parent / "_proto"


def _plugin(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise ToolkitError("generating stubs needs mypy-protobuf, which is not installed", next_step=INSTALL)
    return found


def _outputs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".py", ".pyi"))


def _package_relative(text: str, sources: Iterable[str]) -> str:
    own = {f"{Path(name).stem}_pb2" for name in sources}

    def replace(found: re.Match[str]) -> str:
        module, alias = found[1], found[2] or ""
        return f"from . import {module}{alias}" if module.removesuffix("_grpc") in own else found[0]

    return _IMPORT.sub(replace, text)


def _write(hashes: dict[str, str], texts: dict[str, str], out: Path) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    for stem in {Path(name).stem for name in _known(out)} - {Path(name).stem for name in hashes}:
        for path in out.glob(f"{stem}_pb2*.py*"):
            path.unlink()
    init = out / "__init__.py"
    if not init.exists():
        init.write_text('"""Generated by `toolkit stubs`: never edit by hand."""\n', "utf-8")
    for name, text in texts.items():
        (out / name).write_text(text, "utf-8")
    outputs = {name: _sha256(text.encode()) for name, text in sorted(texts.items())}
    manifest = {"needs": _needs(texts.values()), "protos": hashes, "outputs": outputs}
    (out / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    return [*(out / name for name in sorted(texts)), out / MANIFEST]


def _known(out: Path) -> list[str]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return list(json.loads((out / MANIFEST).read_text("utf-8"))["protos"])
    return []


def _needs(texts: Iterable[str]) -> dict[str, str]:
    """The oldest runtimes the stubs accept; the package's dependencies must not allow older ones."""
    whole = "\n".join(texts)
    return {
        name: max(found, key=_version)
        for name, pattern in (("protobuf", _PROTOBUF), ("grpcio", _GRPC))
        if (found := pattern.findall(whole))
    }


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
