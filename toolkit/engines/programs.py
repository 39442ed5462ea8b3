"""Programs of strangers, before a chain starts on this machine: what is missing is said, what has to be built is built.

A program is built in a copy of its folder, which stays in the user's cache: as long as no file of the folder and no
word of `prepare` changes, it is built once. May live here: that. May not: what runs then (`toolkit.sdk.program`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from toolkit.engines import caches, groups
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.spec.model import Function

LONGEST_S = 600.0  # that a build may take
LOG_TAIL = 12  # lines of a build that failed
LOG_READ = 64 << 10  # bytes from the end of what it said that are looked at for them
_LEFT_BEHIND = ("__pycache__", "node_modules", "runs")


async def prepared(plan: Plan) -> Plan:
    """The plan with every program where it can be started from. Raises EngineError, which says what is missing."""
    for function in plan.chain.functions:
        _see_that_it_can_run(function)
    built = [await _prepared(each, plan.chain.folder) for each in plan.chain.functions]
    return dataclasses.replace(plan, chain=dataclasses.replace(plan.chain, functions=tuple(built)))


def _see_that_it_can_run(function: Function) -> None:
    if function.image is not None and not function.command:
        raise EngineError(
            f"'{function.name}' is the image {function.image}, and the local engine starts programs, not images",
            next_step=f"say with `command` how its program is started here, or run the chain with --engine knative "
            f"(an image can be started by hand too: 'toolkit load' drives whatever listens, {function.name} alone)",
        )
    for what, words in (("started", function.command), ("prepared", function.prepare)):
        if words and "/" not in words[0] and shutil.which(words[0]) is None:
            raise EngineError(
                f"'{function.name}' is {what} with {words[0]!r}, which this machine does not have",
                next_step=f"install {words[0]}, and see that it is on the PATH",
            )


async def _prepared(function: Function, folder: str) -> Function:
    if not function.prepare:
        return function
    place = await _built(function, Path(function.folder or folder))
    return dataclasses.replace(function, folder=str(place))


async def _built(function: Function, source: Path) -> Path:
    """The folder in which the program of `function` is built; built there now if it is not."""
    files = list(_files(source))
    place = cache() / f"{function.name}-{_digest(function.prepare, source, files)}"
    try:
        if not caches.holds(place):
            with _scratch(source, files, place) as scratch:
                await _build(function, scratch)
                _move(scratch, place)
    except OSError as error:
        raise EngineError(f"'{function.name}' cannot be prepared as {place}: {error.strerror or error}") from error
    return place


@contextmanager
def _scratch(source: Path, files: list[Path], place: Path) -> Iterator[Path]:
    """A copy of the folder beside its place, gone afterwards unless it was moved there."""
    caches.made(place.parent)
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        for each in files:
            (scratch / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / each, scratch / each)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _move(scratch: Path, place: Path) -> None:
    try:
        scratch.rename(place)
    except OSError:
        if not caches.holds(place):  # somebody else has built it meanwhile, and theirs is as good
            raise


async def _build(function: Function, folder: Path) -> None:
    """Whatever it leaves running is ended with it; nobody waits for that."""
    shown = " ".join(function.prepare)
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *function.prepare,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,  # no pipe, which would end only with the last who holds it
            stderr=said,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(LONGEST_S):
                status = await process.wait()
        except TimeoutError:
            raise EngineError(f"'{function.name}': '{shown}' was not done after {LONGEST_S:g} s") from None
        finally:
            await groups.end(process)
        tail = _tail(said) if status else ""
    if status:
        raise EngineError(
            f"'{function.name}' could not be prepared: '{shown}' left with exit status {status}:{tail}",
            next_step=f"run it by hand in a copy of the chain's folder until it works: {shown}",
        )


def _tail(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - LOG_READ))
    return "".join(f"\n    {line}" for line in said.read().decode(errors="replace").splitlines()[-LOG_TAIL:])


def cache() -> Path:
    """`$XDG_CACHE_HOME/kn-bench/programs`, else below `~/.cache` (XDG Base Directory Specification)."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(said) if said.startswith("/") else Path.home() / ".cache") / "kn-bench" / "programs"


def _files(folder: Path) -> Iterator[Path]:
    """What a build may need, in order: no caches, no runs, nothing hidden, and files alone: a pipe never ends."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in _LEFT_BEHIND)
        for name in sorted(names):
            file = Path(place, name)
            if not name.startswith(".") and not name.endswith(".pyc") and file.is_file():
                yield file.relative_to(folder)


def _digest(words: tuple[str, ...], folder: Path, files: list[Path]) -> str:
    found = hashlib.blake2b("\0".join(words).encode(), digest_size=10)
    for each in files:
        data = (folder / each).read_bytes()
        found.update(f"\0{each}\0{os.access(folder / each, os.X_OK)}\0{len(data)}\0".encode())
        found.update(data)
    return found.hexdigest()
