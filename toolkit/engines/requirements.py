"""What a chain's own code needs beside the toolkit, on this machine: libraries in a folder of the user's cache.

They lie beside this environment, never in it. pip is asked what it would add to the environment as it is, and just that
is unpacked, in exactly those versions: nothing that is here already lies in the folder. Whoever uses it looks there
last (`toolkit.judging`, `toolkit.sdk.loading`), so that nothing is shadowed by it, the standard library least of all.
May not live here: what an image holds (`images.dependencies`).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from toolkit.engines import caches
from toolkit.errors import EngineError, UsageError
from toolkit.images import pip
from toolkit.images.dependencies import installed
from toolkit.images.store import user_cache
from toolkit.judging import SITE
from toolkit.spec.model import ChainSpec

RULES = 1  # counted up when an older folder must not be used any more
LAST_LINES = 10
_QUIETLY = ("--no-input", "--progress-bar=off", "--no-color", "--only-binary=:all:")
Note = Callable[[str], None]


def lacking(requires: Sequence[str]) -> list[str]:
    """Those that this environment does not meet, as they are written. Raises UsageError."""
    return [each for each in requires if not _met(_read(each))]


def folder(requires: Sequence[str]) -> Path | None:
    """Where these requirements' libraries lie, or would, for this environment as it is; None for nobody's cache."""
    images = user_cache()
    decided = [RULES, sorted(requires), sys.implementation.cache_tag, sysconfig.get_platform(), installed()]
    key = hashlib.sha256(json.dumps(decided).encode()).hexdigest()[:20]
    return images and images.parent / "requires" / key


def environment(chain: ChainSpec) -> dict[str, str]:
    """The variable by which a process of the toolkit that runs the chain's code finds what that requires, behind all
    that it has itself; none where the cache holds nothing for it. Raises EngineError for a cache of somebody else's.
    """
    place = folder(chain.requires) if chain.requires else None
    return {SITE: str(place)} if place is not None and caches.holds(place) else {}


def see_that_they_are_here(chain: ChainSpec) -> None:
    """Raises UsageError for one that was written wrong, EngineError for one that is neither here nor in the cache."""
    missing = lacking(chain.requires)
    place = folder(chain.requires) if missing else None
    if missing and (place is None or not caches.holds(place)):
        below = "the user's cache" if place is None else str(place.parent)
        raise EngineError(
            f"{chain.name} needs {', '.join(missing)}, which this environment does not have",
            next_step=f"add --install once: it fetches them into {below}, and leaves this environment as it is",
        )


def install(chain: ChainSpec, note: Note) -> None:
    """Fetches what is neither here nor in the cache. Whoever wants the same at the same time waits for it.

    Raises UsageError and EngineError.
    """
    if not lacking(chain.requires):
        return
    place = folder(chain.requires)
    if place is None:
        raise EngineError(
            "there is no folder for what a chain needs: this user has no home", next_step="name one in XDG_CACHE_HOME"
        )
    try:
        caches.made(place.parent)
        with _alone(place.with_suffix(".lock"), note):
            if not caches.holds(place):
                _fetch(chain, place, note)
    except OSError as error:
        raise EngineError(
            f"{place} cannot be written: {(error.strerror or str(error)).lower()}",
            next_step="make room, or name another folder in XDG_CACHE_HOME",
        ) from error


def _fetch(chain: ChainSpec, place: Path, note: Note) -> None:
    """Fills `place`, which comes into being whole. Nobody else is at it."""
    began, partial = time.monotonic(), place.with_suffix(".partial")
    note(f"{chain.name}: fetching {', '.join(chain.requires)}")
    for left in (partial, scratch := place.with_suffix(".scratch")):  # of one that was ended in the middle
        shutil.rmtree(left, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    try:
        pins = _resolved(chain, scratch)
        _pip(chain, scratch, "--compile", "--no-deps", "--target", str(partial), *pins)
        partial.chmod(0o700)
        partial.rename(place)
    finally:
        for left in (partial, scratch):
            shutil.rmtree(left, ignore_errors=True)
    size = sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
    took = time.monotonic() - began
    note(f"{chain.name}: {len(pins)} libraries, {size / 1e6:.0f} MB in {place}, after {took:.0f} s")


def _resolved(chain: ChainSpec, scratch: Path) -> list[str]:
    """`name==version` of all that pip would add to this environment, which keeps the versions it has."""
    constraints, report = scratch / "constraints.txt", scratch / "report.json"
    constraints.write_text("\n".join(installed()))
    _pip(chain, scratch, "--dry-run", "--report", str(report), "--constraint", str(constraints), *chain.requires)
    found = [each["metadata"] for each in json.loads(report.read_text("utf-8"))["install"]]
    return sorted(f"{each['name']}=={each['version']}" for each in found)


def _pip(chain: ChainSpec, scratch: Path, *arguments: str) -> None:
    """Raises EngineError with the end of what pip said."""
    if importlib.util.find_spec("pip") is None:
        raise EngineError(
            f"{sys.executable} has no pip, which fetches what {chain.name} needs",
            next_step=f"run '{sys.executable} -m ensurepip', or install {' '.join(chain.requires)} yourself",
        )
    command = (sys.executable, "-m", "pip", "install", *_QUIETLY, *arguments)
    done = subprocess.run(  # noqa: S603 - no shell; requirements are names and versions, the chain language sees to it
        command,
        env=pip.environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # what led to an error is on the other one
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()][-LAST_LINES:]
        told = "".join(f"\n    {line}" for line in lines) or "\n    (it said nothing)"
        raise EngineError(
            f"pip could not fetch what {chain.name} needs ({', '.join(chain.requires)}):{told}",
            next_step="see that the index can be reached and has wheels for this Python; then try again",
        )


@contextmanager
def _alone(lock: Path, note: Note) -> Iterator[None]:
    """Holds the lock, which goes with the process however that ends."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("somebody fetches the same at the moment: waiting for them")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _met(wanted: Requirement) -> bool:
    """Whether it is installed here in a version that fits, and so is what its extras need."""
    try:
        package = metadata.distribution(wanted.name)
    except metadata.PackageNotFoundError:
        return False
    if not wanted.specifier.contains(package.version, prereleases=True):
        return False
    return all(_met(each) for extra in wanted.extras for each in _of_extra(package, extra))


def _of_extra(package: metadata.Distribution, extra: str) -> list[Requirement]:
    needed = [Requirement(each) for each in package.requires or ()]
    return [
        each for each in needed if each.marker and each.marker.evaluate({"extra": extra}) and not _always(each.marker)
    ]


def _always(marker: Marker) -> bool:
    return marker.evaluate({"extra": ""})


def _read(requirement: str) -> Requirement:
    try:
        return Requirement(requirement)
    except InvalidRequirement as error:
        raise UsageError(
            f"{requirement!r} is no pip requirement: {str(error).splitlines()[0]}",
            next_step="write it as in 'pillow>=11'",
        ) from error
