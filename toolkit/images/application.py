"""The layers a chain puts on a base: libraries, the scaffold, the chain itself, and its wiring if it is baked in."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import toolkit
from toolkit.contract import Wiring
from toolkit.errors import UsageError
from toolkit.images import bytecode
from toolkit.images.configuration import CHAIN_FOLDER, LIBRARY_FOLDER, WIRING_FILE
from toolkit.images.entries import FILE_MODE, Entry, of_folder
from toolkit.images.interpreter import Interpreter
from toolkit.spec.folders import packed
from toolkit.spec.model import ChainSpec

SCAFFOLD = ("__init__.py", "contract", "sdk", "stubs")  # all that a function's process imports of the toolkit
GENERATOR = (  # and what a generator's does
    *("analysis.py", "coldness.py", "errors.py", "hops.py", "load", "results.py"),
    *("traces/__init__.py", "traces/model.py", "traces/segments.py"),
)
_CACHES = ("__pycache__", "runs", "node_modules")


def scaffold(python: Interpreter, scratch: Path) -> list[Entry]:
    """The toolkit's part of a function. Byte code goes to `scratch`, where this Python can make it."""
    return _with_code(_scaffold(), LIBRARY_FOLDER, python, scratch / "scaffold")


def chain(spec: ChainSpec, python: Interpreter, scratch: Path, left_out: Sequence[Path]) -> list[Entry]:
    """The chain's folder: its description, handlers and data. Caches, runs, dotfiles and `left_out` stay behind."""
    return _with_code(_chain(spec, left_out), CHAIN_FOLDER, python, scratch / "chain")


def sources(spec: ChainSpec, left_out: Sequence[Path]) -> list[Entry]:
    """The files that decide what a chain's image does: the scaffold's and the chain's, without byte code."""
    return [*_scaffold(), *_chain(spec, left_out)]


def _scaffold() -> list[Entry]:
    return list(of_folder(Path(toolkit.__file__).parent, f"{LIBRARY_FOLDER}/toolkit", _in_scaffold))


def _chain(spec: ChainSpec, left_out: Sequence[Path]) -> list[Entry]:
    """The chain's folder, and below it those of its sub-chains that lie elsewhere."""
    places = {spec.folder: CHAIN_FOLDER} | {each: f"{CHAIN_FOLDER}/{place}" for each, place in packed(spec).items()}
    return [entry for folder, into in places.items() for entry in _folder(Path(folder), into, left_out)]


def _folder(folder: Path, into: str, left_out: Sequence[Path]) -> list[Entry]:
    hidden = {path.resolve() for path in left_out}

    def wanted(path: str) -> bool:
        name = path.rpartition("/")[2]
        if name.startswith(".") or name in _CACHES or name.endswith((".pyc", ".pyo")):
            return False
        found = folder / path
        if found.is_symlink() and not found.is_file():
            raise UsageError(
                f"{found} is a link to a folder, or to nothing: it cannot be packed",
                next_step="put there what it should lead to, or move it away",
            )
        return found.resolve() not in hidden and not _is_image(found)

    return list(of_folder(folder, into, wanted))


def wiring(path: Path, chain: str) -> list[Entry]:
    """The wiring to be baked in. Raises UsageError when it is none, or another chain's."""
    try:
        data = path.read_bytes()
        found = Wiring.decode(data.decode())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is no wiring: {error}") from error
    if found.chain != chain:
        raise UsageError(f"{path} is the wiring of a function of the chain {found.chain!r}, not of {chain!r}")
    return baked(data)


def baked(data: bytes) -> list[Entry]:
    """The file that a function reads its wiring from where no environment reaches it."""
    return [Entry(WIRING_FILE, "file", FILE_MODE, data)]


def _is_image(path: Path) -> bool:
    """Whether this is an image that a build before has left in the chain's folder: no image holds an older one."""
    if path.is_dir():
        return (path / "oci-layout").is_file()
    if path.suffix != ".tar":
        return False
    try:
        with tarfile.open(path) as tar:
            first = tar.next()
    except (tarfile.TarError, OSError):
        return False
    return first is not None and first.name == "blobs"


def _in_scaffold(path: str) -> bool:
    """Folders and sources; an editor's copies begin with a dot."""
    name = path.rpartition("/")[2]
    source = name.endswith(".py") and not name.startswith(".")
    return _belongs(path) and name != "__pycache__" and (source or "." not in name)


def _belongs(path: str) -> bool:
    """Whether this is one of those, in one of them, or on the way to one."""
    wanted = (*SCAFFOLD, *GENERATOR)
    return any(path == each or path.startswith(f"{each}/") or each.startswith(f"{path}/") for each in wanted)


def _with_code(found: list[Entry], into: str, python: Interpreter, scratch: Path) -> list[Entry]:
    """The entries, all below `into`, and byte code for those that are sources."""
    if not bytecode.fits(python.version):
        return found
    scratch.mkdir()
    for entry in found:
        if entry.path.endswith(".py") and isinstance(entry.content, Path):
            copy = scratch / entry.path.removeprefix(f"{into}/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(entry.content, copy)
    bytecode.add(scratch, f"/{into}")
    return [*found, *of_folder(scratch, into, lambda path: not path.endswith(".py"))]
