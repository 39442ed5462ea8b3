"""Which Python a base holds, for which processor and C library: what decides which wheels fit."""

from __future__ import annotations

import platform as machine
import re
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from toolkit.images.model import ImageError, Platform
from toolkit.images.tree import Tree

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OLDEST = (3, 11)  # as pyproject.toml says; `-P` of the entry point needs it too
_HEADER = 20  # bytes of an ELF header up to its machine
_LIBC = 1 << 24  # bytes of a libc.so.6 that are searched for its version
_MACHINES = {3: "386", 40: "arm", 62: "amd64", 183: "arm64", 21: "ppc64le", 22: "s390x", 243: "riscv64", 258: "loong64"}
_WHEEL_NAMES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l", "386": "i686", "loong64": "loongarch64"}
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600 gives the older names their versions
_MANYLINUX_FROM = {"amd64": 5, "386": 5}  # else 17
_NAMED = re.compile(r"python(3)\.(\d+)")
_LIBRARY = re.compile(r"(?:.*/)?lib/python(3)\.(\d+)/os\.pyc?")


@dataclass(frozen=True, slots=True)
class Libc:
    """The C library: `name` is glibc or musl; `minor` of version 2 (glibc) or 1 (musl)."""

    name: str
    minor: int


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: `version` is (major, minor), `architecture` as Go names it."""

    version: tuple[int, int]
    architecture: str
    libc: Libc

    @property
    def named(self) -> str:
        return "{}.{}".format(*self.version)

    def wheel_platforms(self) -> list[str]:
        """The platform tags that wheels for it may have, the best first (PEP 600, PEP 656)."""
        machine = _WHEEL_NAMES.get(self.architecture, self.architecture)
        if self.libc.name == "musl":
            return [f"musllinux_1_{minor}_{machine}" for minor in range(self.libc.minor, 0, -1)]
        return [f"{tag}_{machine}" for tag in _manylinux(self.libc.minor, _MANYLINUX_FROM.get(self.architecture, 17))]


def find(tree: Tree, environment: Mapping[str, str], where: str) -> Interpreter:
    """The Python that the name `python3` means in `tree`; raises ImageError when there is none that fits."""
    for path in _candidates(tree, environment.get("PATH") or DEFAULT_PATH):
        version = _version(tree, path)
        if version is not None:
            break
    else:
        raise ImageError(
            f"{where} holds no python3 on its PATH", next_step="take a base with Python 3.11 or newer in it"
        )
    if version < OLDEST:
        raise ImageError(f"{where} holds Python {version[0]}.{version[1]}", next_step="take one with 3.11 or newer")
    found = tree.file(path)
    return Interpreter(version, architecture(found[1].read(_HEADER)) if found else "", _libc(tree))


def running(platform: Platform) -> Interpreter:
    """The Python that runs this."""
    name, version = machine.libc_ver()
    minor = version.partition(".")[2].partition(".")[0]
    libc = Libc("glibc", int(minor)) if name == "glibc" and minor.isdecimal() else Libc("musl", 2)
    return Interpreter(sys.version_info[:2], platform.architecture, libc)


def architecture(header: bytes) -> str:
    """The processor an ELF file is for, as Go names it; empty when it is none that we know."""
    if len(header) < _HEADER or header[:4] != b"\x7fELF":
        return ""
    (machine,) = struct.unpack_from("<H" if header[5] == 1 else ">H", header, 18)
    return _MACHINES.get(machine, "")


def _candidates(tree: Tree, path: str) -> Iterator[str]:
    for folder in path.split(":"):
        if (found := tree.file(f"{folder}/python3")) is not None:
            yield found[0]


def _version(tree: Tree, path: str) -> tuple[int, int] | None:
    """Told by the program's own name (`python3.11`), else by the library beside it."""
    named = _NAMED.fullmatch(path.rpartition("/")[2])
    if named is None:
        prefix = path.rpartition("/bin/")[0]
        libraries = [_LIBRARY.fullmatch(each) for each in tree.paths() if each.startswith(f"{prefix}/lib/python3.")]
        named = next((found for found in libraries if found), None)
    return (int(named[1]), int(named[2])) if named else None


def _libc(tree: Tree) -> Libc:
    paths = tree.paths()
    if any(re.fullmatch(r"(usr/)?lib/ld-musl-\w+\.so\.1", path) for path in paths):
        return Libc("musl", 2)  # every musl since 1.2.0 (2020)
    for path in paths:
        if re.fullmatch(r"(usr/)?lib(64)?/([^/]+/)?libc\.so\.6", path) and (found := tree.file(path)) is not None:
            told = re.search(rb"GNU C Library [^\n]{0,99}version 2\.(\d+)", found[1].read(_LIBC))
            if told:
                return Libc("glibc", int(told[1]))
    return Libc("glibc", 17)  # the oldest that current wheels are made for


def _manylinux(newest: int, oldest: int) -> Iterator[str]:
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_2_{minor}"
        if minor in _OLD_NAMES:
            yield _OLD_NAMES[minor]
