"""A base for function images out of Debian's packages: Python, the libraries it needs, and nothing to log in with.

`python -m tests.cluster.python_base DIR` writes the root folder DIR. Needs `apt-get` with fresh lists, `apt-cache` and
`dpkg-deb`, no root. It holds no shell, no package manager, no documentation but the licences. The packages are those
the machine's Debian offers today, so the same packages give the same files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

# cygrpc, the C core of gRPC, wants libstdc++6; everything else is what Python's own modules want.
WANTED = ("libstdc++6", "ca-certificates")
# What those ask for and no function needs: terminals, Berkeley databases, the shells and tools of package scripts.
LEFT_OUT = re.compile(
    r"c?debconf|gcc-\d+-base|libc-bin|libdb5.*|libncurses.*|libnsl2|libreadline.*|libtinfo.*|libtirpc.*|"
    r"media-types|mime-support|netbase|openssl|perl.*|python3\.\d+-minimal|tzdata"
)
RELATIONS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
DROPPED = (
    *("usr/sbin", "var", "etc/ca-certificates", "etc/ld.so.conf.d", "usr/share/[!dc]*", "usr/share/debconf"),
    *("usr/lib/valgrind", "usr/lib/binfmt.d", "etc/python3.*", "usr/lib/python3.*/sitecustomize.py"),
    *("usr/lib/*/gconv", "usr/lib/*/engines-*", "usr/lib/*/ossl-modules", "usr/lib/*/audit"),
    *("usr/lib/*/libmemusage.so", "usr/lib/*/libpcprofile.so", "usr/lib/*/libthread_db.so*"),
    *(
        f"usr/lib/python3.*/{name}"
        for name in (
            *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "distutils", "tkinter", "turtle*", "curses", "dbm"),
            *("__phello__", "antigravity.py", "_pyrepl", "venv", "test", "*/test", "*/tests"),
            *("lib-dynload/_test*", "lib-dynload/_xxtest*", "lib-dynload/xxlimited*", "lib-dynload/_ctypes_test*"),
        )
    ),
)
PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
GROUP = "root:x:0:\nnonroot:x:65532:\n"
BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")


class NoBase(Exception):
    """The base cannot be made here; the message says why, and what to do."""


def make(folder: Path) -> None:
    """Writes the base to `folder`, which must not be there yet or be empty; all of it or nothing. Raises NoBase."""
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NoBase(f"{folder} is there already: name a new folder, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        root, debs = Path(scratch, "root"), Path(scratch, "debs")
        debs.mkdir()
        for deb in download(packages(), debs):
            _run("dpkg-deb", "-x", str(deb), str(root))
        _skeleton(root)
        _certificates(root)
        _strip(root)
        _name_python(root)
        _without_broken_modules(root)
        _compile(root)
        _modes(root)
        root.replace(folder)


def packages() -> list[str]:
    """The packages that make up the base, sorted: what Python's standard library and `WANTED` depend on."""
    python = re.search(r"python3\.\d+", _run("apt-cache", "depends", "python3-minimal"))
    if python is None:
        raise NoBase("apt knows no package python3-minimal: run 'apt-get update', on Debian or Ubuntu")
    found: set[str] = set()
    new = {f"{python[0]}-minimal", f"lib{python[0]}-stdlib", *WANTED}
    while new:
        found |= new
        listed = _run("apt-cache", "depends", *(f"--no-{each}" for each in RELATIONS), *sorted(new))
        named = set(re.findall(r"Depends: ([a-z0-9][a-z0-9+.-]*)$", listed, re.MULTILINE))
        new = {name for name in named - found if not LEFT_OUT.fullmatch(name)}
    return sorted(found)


def download(names: Sequence[str], folder: Path) -> list[Path]:
    """The .deb files of the packages `names`, fetched into `folder`."""
    _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names, cwd=folder)
    return sorted(folder.glob("*.deb"))


def size(folder: Path) -> int:
    """Bytes of all files; what is hard-linked counts once."""
    files = {(found.st_dev, found.st_ino): found.st_size for each in _files(folder) for found in [each.lstat()]}
    return sum(files.values())


def _skeleton(root: Path) -> None:
    """What no package brings: a merged /usr, the folders a container mounts over, the users."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(exist_ok=True)
        if (root / name).is_dir():
            _merge(root / name, root / "usr" / name)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("proc", "sys", "dev", "run", "root", "home/nonroot", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _merge(source: Path, target: Path) -> None:
    for each in sorted(source.iterdir()):
        if each.is_dir() and not each.is_symlink() and (target / each.name).is_dir():
            _merge(each, target / each.name)
        else:
            each.rename(target / each.name)
    source.rmdir()


def _certificates(root: Path) -> None:
    """The bundle, as `update-ca-certificates` makes it when the package is installed."""
    sources = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    if not sources:
        raise NoBase("the package ca-certificates holds no certificates")
    (root / BUNDLE).parent.mkdir(parents=True, exist_ok=True)
    (root / BUNDLE).write_bytes(b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in sources))
    shutil.rmtree(root / "usr/share/ca-certificates")


def _strip(root: Path) -> None:
    for pattern in DROPPED:
        for found in sorted(root.glob(pattern)):
            shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
    (root / "usr/sbin").mkdir()  # /sbin points to it
    for each in sorted((root / "usr/share/doc").rglob("*")):
        if each.name != "copyright" and not each.is_dir():
            each.unlink()
    for each in sorted((root / "usr/bin").iterdir()):
        if not re.fullmatch(r"python3(\.\d+)?", each.name):
            each.unlink()


def _name_python(root: Path) -> None:
    (root / "usr/bin/python3").symlink_to(_python(root).name)


def _python(root: Path) -> Path:
    found = sorted(each for each in (root / "usr/bin").glob("python3.*"))
    if len(found) != 1:
        raise NoBase(f"the packages hold {len(found)} Pythons, not one")
    return found[0]


def _without_broken_modules(root: Path) -> None:
    """Removes the extension modules whose libraries were left out: importing them could only fail."""
    for module in sorted(root.glob("usr/lib/python3.*/lib-dynload/*.so")):
        if _missing_libraries(root, module):
            module.unlink()
    for library in (_python(root), *sorted(root.glob("usr/lib/*/*.so*"))):
        if library.is_file() and (missing := _missing_libraries(root, library)):
            raise NoBase(f"{library.relative_to(root)} needs {missing[0]}, which no package brought")


def _missing_libraries(root: Path, binary: Path) -> list[str]:
    """The libraries of `binary` that the base does not hold, as its own loader tells."""
    listed = _in_base(root, "--list", str(binary), check=False)
    lines = [line.split() for line in listed.splitlines() if " => " in line]
    return [words[0] for words in lines if not words[2].startswith(str(root)) and "ld-linux" not in words[0]]


def _compile(root: Path) -> None:
    """Byte-codes the standard library with the base's own Python; a read-only container never could."""
    library = next(root.glob("usr/lib/python3.*"))
    modes = ("--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/")
    code = (
        "-B",
        "-P",
        "-s",
        "-S",
        "-m",
        "compileall",
        "-q",
        *modes,
        str(library),
    )  # -B: not its own imports, with times
    _in_base(root, str(_python(root)), *code)


def _in_base(root: Path, *arguments: str, check: bool = True) -> str:
    """Starts a program of the base by the base's own loader, on the base's own libraries, without chroot."""
    loader = next(each for each in sorted(root.glob("usr/lib*/**/ld-linux*.so.*")) if not each.is_symlink())
    folders = ":".join(str(each) for each in (*sorted(root.glob("usr/lib/*-linux-*")), root / "usr/lib"))
    environment = {"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    command = (str(loader), "--inhibit-cache", "--library-path", folders, *arguments)
    return _run(*command, environment=environment, check=check)


def _modes(root: Path) -> None:
    """Modes that no umask has a say in."""
    for each in (root, *root.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & 0o100 else 0o644)
    (root / "tmp").chmod(0o1777)


def _files(folder: Path) -> Iterable[Path]:
    return (each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


def _run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None, check: bool = True) -> str:
    environment = {**os.environ, "LC_ALL": "C"} if environment is None else environment
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
    except FileNotFoundError as error:
        raise NoBase(f"{command[0]} is not there: this needs Debian or Ubuntu, with apt and dpkg") from error
    if check and done.returncode:
        last = "\n    ".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise NoBase(f"'{' '.join(command[:4])} …' failed:\n    {last}\nrun 'apt-get update' if a package is missing")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.cluster.python_base DIR", file=sys.stderr)
        return 2
    try:
        make(Path(arguments[0]))
    except NoBase as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print(f"{arguments[0]}: {size(Path(arguments[0])) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
