"""The file system of a base, as names: enough to find its Python. Nothing is ever unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, Literal

FEW_LINKS = 40  # as the kernel allows on the way to one file
_WHITEOUT, _OPAQUE = (
    ".wh.",
    ".wh..wh..opq",
)  # https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md#whiteouts


@dataclass(frozen=True, slots=True)
class Node:
    """A name in the tree: a folder, a file with a way to read its first bytes, or a symbolic link."""

    kind: Literal["folder", "file", "link"]
    target: str = ""
    read: Callable[[int], bytes] = lambda _: b""


class Tree:
    """Names and what they stand for; paths are relative to the root and hold no dots. Links never lead out of it."""

    def __init__(self, nodes: dict[str, Node] | None = None) -> None:
        self._nodes = nodes if nodes is not None else {}

    def paths(self) -> list[str]:
        return sorted(self._nodes)

    def put(self, path: str, node: Node) -> None:
        self._nodes[path] = node

    def remove(self, path: str, *, below_only: bool = False) -> None:
        below = f"{path}/" if path else ""
        for each in [name for name in self._nodes if name.startswith(below) or (name == path and not below_only)]:
            del self._nodes[each]

    def resolve(self, path: str) -> str | None:
        """The path without links, None when it leads nowhere."""
        left, here, links = path.split("/"), "", 0
        while left:
            step = left.pop(0)
            if step in ("", "."):
                continue
            if step == "..":
                here = posixpath.dirname(here)
                continue
            candidate = f"{here}/{step}" if here else step
            node = self._nodes.get(candidate)
            if node is None:
                return None
            if node.kind == "link":
                links += 1
                if links > FEW_LINKS:
                    return None
                left = node.target.split("/") + left
                here = "" if node.target.startswith("/") else here
            else:
                here = candidate
        return here

    def file(self, path: str) -> tuple[str, Node] | None:
        """The file that `path` leads to, and its own path."""
        found = self.resolve(path)
        node = self._nodes.get(found) if found else None
        return (found, node) if found and node is not None and node.kind == "file" else None


def lay(tree: Tree, stream: IO[bytes], reread: Callable[[str, int], bytes]) -> None:
    """Lays one layer, an uncompressed tar, over the tree. `reread` gets the first bytes of one of its members later.

    Raises tarfile.TarError when it is no tar. Members whose names climb out of the root are not there for us.
    """
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            path = inside(member.name)
            if path is None:
                continue
            folder, name = posixpath.split(path)
            if name == _OPAQUE:
                tree.remove(folder, below_only=True)
            elif name.startswith(_WHITEOUT):
                tree.remove(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
            else:
                _put(tree, path, member, reread)


def _put(tree: Tree, path: str, member: tarfile.TarInfo, reread: Callable[[str, int], bytes]) -> None:
    _whole_folders(tree, path)
    if member.isdir():
        tree.put(path, Node("folder"))
    elif member.issym():
        tree.put(path, Node("link", member.linkname))
    elif member.islnk():
        tree.put(path, Node("link", f"/{member.linkname.lstrip('./')}"))
    elif member.isreg():
        tree.put(path, Node("file", read=partial(reread, member.name)))


def _whole_folders(tree: Tree, path: str) -> None:
    """The folders above a member need no entries of their own."""
    parent = posixpath.dirname(path)
    if parent and tree.resolve(parent) is None:
        _whole_folders(tree, parent)
        tree.put(parent, Node("folder"))


def inside(name: str) -> str | None:
    """A member's name as a path below the root; None for the root itself and for names that climb out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and ".." not in parts else None
