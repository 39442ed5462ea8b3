"""Which Python a base holds, and which wheels fit it."""

from __future__ import annotations

import pytest

from tests.unit.images.surroundings import elf
from toolkit.images import interpreter
from toolkit.images.interpreter import Interpreter, Libc
from toolkit.images.model import ImageError
from toolkit.images.tree import Node, Tree

FILE = Node("file", read=lambda limit: elf("arm64")[:limit])


def link(target: str) -> Node:
    return Node("link", target)


def tree(**nodes: Node) -> Tree:
    return Tree({name.replace("__", ".").replace("_", "/"): node for name, node in nodes.items()})


def test_debian_and_the_official_image_in_one_base_the_first_on_the_path_counts() -> None:
    found = Tree(
        {
            "usr/bin/python3": link("python3.11"),
            "usr/bin/python3.11": FILE,
            "usr/local/bin/python3": link("python3.13"),
            "usr/local/bin/python3.13": FILE,
        }
    )
    for name in ("usr", "usr/bin", "usr/local", "usr/local/bin"):
        found.put(name, Node("folder"))
    assert interpreter.find(found, {}, "x").version == (3, 13)
    assert interpreter.find(found, {"PATH": "/usr/bin:/usr/local/bin"}, "x").version == (3, 11)


def test_a_python_without_its_version_in_its_name_is_told_by_its_library() -> None:
    found = Tree({name: Node("folder") for name in ("opt", "opt/bin", "opt/lib", "opt/lib/python3.12")})
    found.put("opt/bin/python3", FILE)
    found.put("opt/lib/python3.12/os.pyc", FILE)
    assert interpreter.find(found, {"PATH": "/opt/bin"}, "x") == Interpreter((3, 12), "arm64", Libc("glibc", 17))


def test_links_are_followed_within_the_root_only() -> None:
    found = Tree({name: Node("folder") for name in ("usr", "usr/bin", "nix", "nix/store")})
    found.put("bin", link("/../../../usr/bin"))
    found.put("usr/bin/python3", link("../../../../nix/store/python3.12"))
    found.put("nix/store/python3.12", FILE)
    assert interpreter.find(found, {"PATH": "/bin"}, "x").version == (3, 12)


def test_an_alternative_is_followed_from_the_root() -> None:
    found = Tree({name: Node("folder") for name in ("usr", "usr/bin", "etc", "etc/alternatives")})
    found.put("usr/bin/python3", link("/etc/alternatives/python3"))
    found.put("etc/alternatives/python3", link("/usr/bin/python3.13"))
    found.put("usr/bin/python3.13", FILE)
    assert interpreter.find(found, {"PATH": "/usr/bin"}, "x").version == (3, 13)


def test_links_in_a_circle_are_no_python() -> None:
    found = Tree({"bin": Node("folder"), "bin/python3": link("python"), "bin/python": link("python3")})
    with pytest.raises(ImageError, match="holds no python3"):
        interpreter.find(found, {"PATH": "/bin"}, "x")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (elf("amd64"), "amd64"),
        (elf("arm64"), "arm64"),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + b"\0\x02\0\x16", "s390x"),
        (b"#!/bin/sh\n" * 3, ""),
        (b"", ""),
        (b"\x7fELF", ""),
    ],
)
def test_the_processor_is_told_by_the_program_s_header(header: bytes, wanted: str) -> None:
    assert interpreter.architecture(header) == wanted


def test_wheels_for_this_glibc_and_older_fit_the_best_first() -> None:
    found = Interpreter((3, 11), "amd64", Libc("glibc", 18)).wheel_platforms()
    assert found[:4] == [
        "manylinux_2_18_x86_64",
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_16_x86_64",
    ]
    assert found[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]


def test_wheels_for_arm_begin_with_2014() -> None:
    found = Interpreter((3, 11), "arm64", Libc("glibc", 18)).wheel_platforms()
    assert found == ["manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"]


def test_musl_has_wheels_of_its_own() -> None:
    found = Interpreter((3, 11), "amd64", Libc("musl", 2)).wheel_platforms()
    assert found == ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64"]


@pytest.mark.parametrize(
    ("path", "content", "wanted"),
    [
        ("lib/x86_64-linux-gnu/libc.so.6", b"..GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n", 36),
        ("usr/lib64/libc.so.6", b"GNU C Library (GNU libc) stable release version 2.28.\n", 28),
        ("lib/libc.so.6", b"nothing of the kind", 17),
    ],
)
def test_the_version_of_glibc_is_read_from_the_library(path: str, content: bytes, wanted: int) -> None:
    found = Tree({"bin": Node("folder"), "bin/python3.11": FILE, "bin/python3": link("python3.11")})
    parts = path.split("/")
    for end in range(1, len(parts)):
        found.put("/".join(parts[:end]), Node("folder"))
    found.put(path, Node("file", read=lambda limit: content[:limit]))
    assert interpreter.find(found, {"PATH": "/bin"}, "x").libc == Libc("glibc", wanted)


def test_alpine_is_told_by_its_loader() -> None:
    found = Tree(
        {"bin": Node("folder"), "bin/python3.11": FILE, "bin/python3": link("python3.11"), "lib": Node("folder")}
    )
    found.put("lib/ld-musl-x86_64.so.1", FILE)
    assert interpreter.find(found, {"PATH": "/bin"}, "x").libc.name == "musl"
