"""The libraries of an image: the versions this environment has of what the scaffold needs, and what a chain requires.

Which libraries those are is read from the installed packages' own metadata; versions are never written down here.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from toolkit.images import bytecode, pip
from toolkit.images.configuration import LIBRARY_FOLDER
from toolkit.images.entries import Entry, of_folder, with_folders
from toolkit.images.interpreter import Interpreter
from toolkit.images.model import ImageError, Layer, Note, What, canonical
from toolkit.images.store import Store

# What scaffold and generator import; a test holds it against the imports. What these need in turn, metadata tells.
ROOTS = ("grpcio", "grpcio-health-checking", "grpcio-reflection", "hpack", "opentelemetry-sdk", "protobuf")
RULES = 1  # counted up when what is stripped changes: part of the cache's key
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Of an installation: what differs from run to run, and what is for compilers and type checkers.
_NOISE = re.compile(
    r"(bin|[^/]+\.data)/.*|(.*/)?__pycache__(/.*)?|.*\.(pyc|pyi|pyx|pxd|pxi|c|cc|cpp|h|hpp)|(.*/)?py\.typed|"
    r"[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|top_level\.txt|WHEEL)|\.lock"
)
_TESTS = re.compile(r"(.*/)?tests?(/.*)?")


@dataclass(frozen=True, slots=True)
class Libraries:
    """What one layer shall hold: `pins` alone, or what `requires` brings besides them."""

    what: What
    pins: tuple[str, ...]
    requires: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()  # what is installed here: requirements have to agree with it

    def key(self, python: Interpreter) -> str:
        """Everything that decides the layer's bytes."""
        compiler = sys.version if bytecode.fits(python.version) else None
        wheels = (python.named, python.wheel_platforms())
        decided = [RULES, self.what, self.pins, self.requires, self.constraints, wheels, compiler]
        return hashlib.sha256(canonical(decided)).hexdigest()


def pins(roots: Iterable[str] = ROOTS) -> list[str]:
    """`name==version` of each root and of all it needs, as installed here, sorted. Raises ImageError."""
    found: dict[str, str] = {}
    left = list(roots)
    while left:
        name = _normal(left.pop())
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise ImageError(
                f"the toolkit's environment is not whole: it needs {name}, which is not installed",
                next_step="install the toolkit again, with what it depends on",
            ) from error
        found[name] = package.version
        left += [each for each in map(_needed, package.requires or []) if each]
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def installed() -> list[str]:
    """`name==version` of everything here but the toolkit: what a chain's own requirements have to agree with."""
    found = {_normal(each.metadata["Name"]): each.version for each in metadata.distributions() if each.metadata["Name"]}
    return [f"{name}=={version}" for name, version in sorted(found.items()) if name != "kn-bench"]


def libraries() -> Libraries:
    """What every function imports, the same for all chains."""
    return Libraries("dependencies", tuple(pins()))


def required(requires: Sequence[str]) -> Libraries:
    """What a chain requires besides, in versions that go with the scaffold's libraries."""
    return Libraries("requires", tuple(pins()), tuple(requires), tuple(installed()))


def layer(wanted: Libraries, python: Interpreter, store: Store, epoch: int, note: Note) -> Layer:
    """The libraries as a layer, from the store if it lies there."""
    name = f"libraries/{wanted.key(python)}-{epoch}.json"
    kept = store.read_note(name)
    if kept is not None and (known := store.known_layer(wanted.what, str(kept.get("diff_id")))) is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="toolkit-build-") as scratch:
        packed = store.pack(wanted.what, with_folders(files(wanted, python, Path(scratch), note)), epoch)
    store.keep_note(name, {"diff_id": packed.diff_id})
    return packed


def files(wanted: Libraries, python: Interpreter, scratch: Path, note: Note) -> list[Entry]:
    """The libraries' files, fetched into `scratch`, which has to be there for as long as the entries are used."""
    target = scratch / wanted.what
    if wanted.requires:
        note(f"{wanted.what}: pip fetches {', '.join(wanted.requires)}")
        constraints = scratch / "constraints.txt"
        constraints.write_text("\n".join(sorted({*wanted.pins, *wanted.constraints})))
        pip.install(wanted.requires, python, target, constraints=constraints)
        _drop(target, {pin.partition("==")[0] for pin in wanted.pins})
    else:
        note(f"{wanted.what}: pip fetches {len(wanted.pins)} libraries")
        pip.install(wanted.pins, python, target)
    _strip(target, tests=not wanted.requires)
    if bytecode.fits(python.version):
        bytecode.add(target, f"/{LIBRARY_FOLDER}")
    return list(of_folder(target, LIBRARY_FOLDER, lambda path: True))


def _drop(target: Path, names: set[str]) -> None:
    """Removes the packages that another layer holds, in the same versions."""
    for package in metadata.distributions(path=[str(target)]):
        if _normal(package.metadata["Name"]) in names:
            for file in package.files or ():
                Path(str(file.locate())).unlink(missing_ok=True)


def _strip(target: Path, *, tests: bool) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        name = path.relative_to(target).as_posix()
        if path.is_dir():
            continue
        if _NOISE.fullmatch(name) or (tests and _TESTS.fullmatch(name)):
            path.unlink()


def _needed(requirement: str) -> str | None:
    """The package a requirement names, None when only an extra wants it or this environment has no need of it."""
    name = _NAME.match(requirement)
    marker = requirement.partition(";")[2]
    if name is None or re.search(r"\bextra\b", marker):
        return None
    if marker and not _is_installed(name[0]):
        return None
    return name[0]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    """The one spelling of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
