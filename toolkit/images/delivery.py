"""Brings an image to where a cluster finds it, by the programs that people have for that. No shell, ever.

May live here: which words those programs are called with, and how one is run. May not: how a registry is spoken to
(`registry`), or what is built.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import string
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toolkit.errors import UsageError
from toolkit.images.failures import told
from toolkit.images.model import ImageError

PLACEHOLDERS = ("tar", "image", "digest")
_LAST_LINES, _LAST_BYTES = 8, 1 << 16
_PATIENCE_S = 5.0  # from SIGTERM to SIGKILL
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9.-]*")  # kind's rule (pkg/internal/apis/config/validate.go), but no flag
_TOOLS = {
    "kind": ("kind", "load", "image-archive"),
    "containerd": ("ctr", "-n", "k8s.io", "images", "import"),
    "docker": ("docker", "load", "-i"),
}
_NEXT = {
    "kind": "'kind get clusters' lists what there is; --load kind:CLUSTER names one",
    "containerd": "run it on the node, as a user who may: sudo ctr …; $CONTAINERD_ADDRESS names another socket",
    "docker": "see that its daemon runs and that you may use it: docker info",
}


@dataclass(frozen=True, slots=True)
class Load:
    """A program that takes a tar to the nodes of this machine. `cluster` is kind's; None: kind's own default."""

    tool: str
    cluster: str | None = None

    def words(self, tar: Path) -> tuple[str, ...]:
        named = ("--name", self.cluster) if self.cluster is not None else ()
        return (*_TOOLS[self.tool], str(tar), *named)

    @property
    def next_step(self) -> str:
        return _NEXT[self.tool]

    def __str__(self) -> str:
        return self.tool if self.cluster is None else f"{self.tool}:{self.cluster}"


@dataclass(frozen=True, slots=True)
class Hook:
    """A command of the user's, in words; `{tar}`, `{image}` and `{digest}` in them stand for those of each image."""

    text: str
    template: tuple[str, ...]

    @property
    def wants_tar(self) -> bool:
        return any(field == "tar" for word in self.template for _, field, _, _ in string.Formatter().parse(word))

    def words(self, tar: Path | None, image: str, digest: str) -> tuple[str, ...]:
        values = {"tar": str(tar), "image": image, "digest": digest}
        return tuple(word.format_map(values) for word in self.template)

    @property
    def next_step(self) -> str:
        return f"try it by hand; {', '.join(f'{{{each}}}' for each in PLACEHOLDERS)} stand for what was built"

    def __str__(self) -> str:
        return self.text


def load(text: str) -> Load:
    """`kind`, `kind:CLUSTER`, `containerd` or `docker`. Raises UsageError."""
    tool, colon, cluster = text.partition(":")
    if tool not in _TOOLS or (colon and (tool != "kind" or not _CLUSTER.fullmatch(cluster))):
        raise UsageError(f"{text[:200]!r} is none of kind, kind:CLUSTER, containerd and docker")
    return Load(tool, cluster if colon else None)


def hook(text: str) -> Hook:
    """The command in `text`, read as a shell reads words, and nothing more of what a shell does. Raises UsageError."""
    try:
        words = tuple(shlex.split(text))
        fields = [each for word in words for each in string.Formatter().parse(word)]
    except ValueError as error:
        raise UsageError(f"{text[:200]!r} is no command: {str(error).lower()}") from error
    if not words or not words[0]:
        raise UsageError("the command is empty", next_step="for example 'kind load image-archive {tar} --name dev'")
    for _, name, form, conversion in fields:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise UsageError(  # as it was written
                f"{{{name[:100]}{'!' + conversion if conversion else ''}{':' + form if form else ''}}} stands for "
                f"nothing: there are {known}",
                next_step="write {{ and }} for braces",
            )
    return Hook(text, words)


def find(way: Load | Hook) -> None:
    """Raises ImageError when the program is not there: better told before the build than after it."""
    program = way.template[0] if isinstance(way, Hook) else _TOOLS[way.tool][0]
    if "{" not in program and shutil.which(program) is None:
        raise ImageError(
            f"{program!r} cannot be run: there is no such program on the PATH",
            next_step="install it, or write the image to a file (--to image.tar) and take that to the nodes yourself",
        )


def run(words: Sequence[str], next_step: str) -> tuple[str, ...]:
    """Runs a program to its end; its last lines. Raises ImageError, which holds them, when it fails.

    It belongs to our terminal, so that one that asks for a password (sudo) can. Who interrupts us ends it too.
    """
    with told(f"{words[0]} cannot be run"), tempfile.TemporaryFile() as out:
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT) as process:  # noqa: S603 - no shell, the user's own words
            try:
                status = process.wait()
            except BaseException:
                _end(process)
                raise
        lines = _last_lines(out)
    if status:
        how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        text = "".join(f"\n    {line}" for line in lines) or "\n    (it said nothing)"
        raise ImageError(f"`{_line(shlex.join(words))}` {how}:{text}", next_step=next_step)
    return lines


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _last_lines(out: IO[bytes]) -> tuple[str, ...]:
    out.seek(max(0, out.seek(0, os.SEEK_END) - _LAST_BYTES))
    told = out.read().decode(errors="replace").replace("\r", "\n")  # of a progress bar, what stood there last
    return tuple(_line(line) for line in told.splitlines() if line.strip())[-_LAST_LINES:]


def _line(text: str) -> str:
    """Nothing in it that a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)
