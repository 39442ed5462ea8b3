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

    def at(self, path: str) -> Node | None:
        """What has this very name."""
        return self._nodes.get(path)

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
    new: list[tuple[str, Node]] = []
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            path = inside(member.name)
            folder, name = posixpath.split(path or "")
            if name == _OPAQUE:  # whiteouts are for the layers below, wherever in the tar they stand
                tree.remove(tree.resolve(folder) or folder, below_only=True)
            elif name.startswith(_WHITEOUT):
                tree.remove(posixpath.join(tree.resolve(folder) or folder, name.removeprefix(_WHITEOUT)))
            elif path is not None and (node := _node(member, reread)) is not None:
                new.append((path, node))
    for path, node in new:
        folder, name = posixpath.split(path)
        tree.put(posixpath.join(_whole(tree, folder), name), node)


def _node(member: tarfile.TarInfo, reread: Callable[[str, int], bytes]) -> Node | None:
    if member.isdir():
        return Node("folder")
    if member.issym():
        return Node("link", member.linkname)
    if member.islnk():
        return Node("link", f"/{inside(member.linkname) or ''}")
    return Node("file", read=partial(reread, member.name)) if member.isreg() else None


def _whole(tree: Tree, folder: str) -> str:
    """Where a folder's members go: through links, into folders that need no entries of their own."""
    here = ""
    for step in folder.split("/") if folder else ():
        below = f"{here}/{step}" if here else step
        known = tree.at(below)
        found = tree.resolve(below) if known is not None and known.kind == "link" else below
        if known is None or found is None:
            tree.put(below, Node("folder"))
        here = found or below
    return here


def inside(name: str) -> str | None:
    """A member's name as a path below the root; None for the root itself and for names that climb out of it."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and ".." not in parts else None
