"""Images of the shipped chains, built by `toolkit build` and put where the cluster finds them.

$KNBENCH_BASE          the base layer: a root folder, an OCI layout or a tarball; made and kept in the cache otherwise
$KNBENCH_LOAD_IMAGE    a command that hands an image to the cluster's nodes; `{}` stands for the tarball
$KNBENCH_REGISTRY      or: where images are pushed to, as a prefix of their names, such as ghcr.io/me
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BASE, LOAD, REGISTRY = "KNBENCH_BASE", "KNBENCH_LOAD_IMAGE", "KNBENCH_REGISTRY"
BUILT_WITHIN_S, LOADED_WITHIN_S = 240.0, 120.0


class NoImages(Exception):
    """There are no images for the functions, and why."""


def provide(chain: str, folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The reference of the chain's image, which the cluster has or can pull. `folder` takes the tarball."""
    base = base_of(environment)
    if registry := environment.get(REGISTRY):
        return _build(chain, base, "--push", f"{registry.rstrip('/')}/{chain}")
    if not (load := environment.get(LOAD)):
        raise NoImages(
            f"the cluster has to get the functions' images: set ${LOAD}, such as `kind load image-archive {{}}`, "
            f"or ${REGISTRY}"
        )
    tarball = folder / f"{chain}.tar"
    reference = _build(chain, base, "--to", str(tarball))
    run(load_command(load, tarball), LOADED_WITHIN_S)
    return reference


def load_command(template: str, tarball: Path) -> list[str]:
    """The words of the command, without a shell. Raises NoImages."""
    words = shlex.split(template)
    if not any("{}" in word for word in words):
        raise NoImages(f"${LOAD}={template!r} does not say where the tarball goes: write {{}} for it")
    return [word.replace("{}", str(tarball)) for word in words]


def base_of(environment: Mapping[str, str]) -> Path:
    """What $KNBENCH_BASE names, else the base of the cache, which is made the first time. Raises NoImages."""
    if given := environment.get(BASE):
        return Path(given)
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kn-bench" / "python-base-2"
    if not cache.exists():
        _make_base(cache)
    return cache


def _make_base(folder: Path) -> None:
    from tests.cluster import python_base

    try:
        python_base.make(folder)
    except python_base.NoBase as error:
        raise NoImages(f"no base image can be made here: {error}; set ${BASE} to one with Python and gRPC") from error


def _build(chain: str, base: Path, *where: str) -> str:
    """The image's reference: by digest where it was pushed."""
    build = (sys.executable, "-m", "toolkit.cli", "build", chain, "--base", str(base), *where, "-o", "json")
    said: Any = json.loads(run(build, BUILT_WITHIN_S))
    return str(said["pushed"] or said["reference"])


def run(command: list[str] | tuple[str, ...], within_s: float) -> str:
    """What it wrote. Raises NoImages, with its last words."""
    shown = shlex.join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=within_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoImages(f"{shown}: {error}") from error
    if done.returncode:
        raise NoImages(f"{shown} left with status {done.returncode}:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
