"""Where chains lie: the catalogue that ships with the toolkit, and the user's own folders. Opens files, judges nothing.

May not live here: what a chain.yaml means (`spec`).
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from toolkit import spec
from toolkit.contract.units import shown
from toolkit.errors import Problem, SpecError, UsageError
from toolkit.spec.model import ChainSpec
from toolkit.spec.nesting import Source
from toolkit.spec.yamltree import MAX_BYTES

FILE = "chain.yaml"
FORM = ".chain.yaml"  # how the file of another form of a folder's chain ends: eventing.chain.yaml
FEW = 10  # names that are listed where none is near
_PACKAGE = Path(__file__).parent
_LIST = "see `toolkit list` for the chains of the catalogue"


def shipped(what: str) -> Path:
    """The folder `benchmarks`, `protos` or `templates`: of the checkout the package lies in, else of the wheel."""
    # A checkout has its pyproject.toml beside the package; site-packages may hold any folder called `benchmarks`.
    checkout = _PACKAGE.parent / what
    in_checkout = checkout.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file()
    return checkout if in_checkout else _PACKAGE / "shipped" / what


def benchmarks_folder() -> Path:
    """Where the chains of the catalogue lie, one folder each."""
    return shipped("benchmarks")


def names() -> list[str]:
    """The chains of the catalogue, sorted."""
    return sorted(_files())


def _files() -> dict[str, Path]:
    """The chain.yaml of each name: that of its folder, and `FOLDER-FORM` for a `FORM.chain.yaml` that lies beside it.

    Forms of one chain (by calls, by events) share its handlers and its work.
    """
    plain = {found.parent.name: found for found in benchmarks_folder().glob(f"*/{FILE}")}
    forms = (found for found in benchmarks_folder().glob(f"*/*{FORM}") if found.name != FORM)
    return {f"{found.parent.name}-{found.name.removesuffix(FORM)}": found for found in forms} | plain


def find(chain: str) -> Path:
    """The chain.yaml that `chain` means: a name of the catalogue, a folder, or the file itself. Raises UsageError."""
    files = _files()
    if chain in files:
        return files[chain]
    path = Path(chain)
    try:
        if path.is_dir() and chain:
            return _in_folder(path)
        if os.path.lexists(path) and chain:
            return path
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown(chain)} cannot be a chain: {_reason(error)}", next_step=_LIST) from error
    raise UsageError(_no_such(chain, sorted(files)), next_step=_LIST)


def load(chain: str, overrides: Mapping[str, str] | None = None) -> ChainSpec:
    """The chain that `chain` means (see `find`), with `overrides` of its parameters. Raises UsageError, or SpecError.

    Handlers are looked for too: a chain whose handler file is missing could never run.
    """
    path = find(chain)
    source = _source(path)
    loaded = spec.parse(
        source.data, origin=source.origin, folder=source.folder, overrides=overrides, resolve=find_inner
    )
    if problems := _missing_handlers(loaded):
        raise SpecError(_origin(path), problems)
    return loaded


def find_inner(chain: str, folder: str) -> Source:
    """The sub-chain that a chain in `folder` calls `chain`: in a folder of its own, or of the catalogue's."""
    inside = Path(folder, chain)
    if inside.is_dir() and inside.resolve().is_relative_to(Path(folder).resolve()):
        return _source(_in_folder(inside))
    files = _files()
    if chain not in files:
        raise UsageError(_no_such(chain, sorted(files)) if "/" not in chain else f"there is no folder {shown(chain)}")
    return _source(files[chain])


def _source(path: Path) -> Source:
    return Source(_read(path), _origin(path), str(path.parent.resolve()))


def _missing_handlers(chain: ChainSpec) -> list[Problem]:
    """A problem for each handler file that is not there, told once however many functions it serves."""
    named = [(each.folder or chain.folder, each.handler, f"'{each.name}' has its handler") for each in chain.functions]
    named += [(chain.folder, chain.expect, "answers are judged")] if chain.expect else []
    missing: dict[tuple[str, str], str] = {}
    for folder, handler, what in named:
        file = handler.rpartition(":")[0]
        if file.endswith(".py") and not Path(folder, file).is_file():
            missing.setdefault((folder, file), what)
    return [
        Problem(0, 0, "", f"there is no file {shown(file)} {_beside(folder, chain)}, where {what}")
        for (folder, file), what in missing.items()
    ]


def _beside(folder: str, chain: ChainSpec) -> str:
    return "beside it" if folder == chain.folder else f"in {folder}"


def _in_folder(folder: Path) -> Path:
    if os.path.lexists(folder / FILE):
        return folder / FILE
    raise UsageError(f"the folder {folder} holds no {FILE}", next_step=f"write one, as the README shows, or {_LIST}")


def _no_such(chain: str, known: list[str]) -> str:
    close = difflib.get_close_matches(chain[:100], known, n=1)
    near = f" — did you mean {close[0]!r}?" if close else ""
    few = f"; the catalogue holds {', '.join(known)}" if known and not close and len(known) <= FEW else ""
    listed = few if known else "; the catalogue is empty"
    return f"no chain, folder or file named {shown(chain)}{near}{listed}"


def _read(path: Path) -> bytes:
    """The file's bytes; of one that is too long, enough for the parser to say so."""
    try:
        mode = path.stat().st_mode  # before opening: to open a pipe would wait for its writer
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"{_origin(path)} is no regular file", next_step=f"name a folder with a {FILE}, or the file"
            )
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{_origin(path)} cannot be read: {_reason(error)}", next_step=_LIST) from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()


def _origin(path: Path) -> str:
    """The path as messages show it: relative to the working directory when it lies below."""
    try:
        absolute, here = path.absolute(), Path.cwd()
    except OSError:  # the working directory is gone
        return str(path)
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
