"""Fetches wheels by pip, for the Python of a base instead of the one that runs here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from toolkit.images.interpreter import Interpreter
from toolkit.images.model import ImageError

_LAST_LINES = 8
# What pip would refuse beside --target, or act upon elsewhere; indexes and proxies are the user's own affair.
_OVERRULED = {
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_NO_COMPILE": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
_DROPPED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_DRY_RUN", "PIP_REPORT")


def install(requirements: Sequence[str], python: Interpreter, target: Path, *, constraints: Path | None = None) -> None:
    """Unpacks wheels into `target`; with `constraints` also those of what they depend on. Raises ImageError.

    Whatever pip needs meanwhile it puts beside `target`, so that nothing is left when both are gone.
    """
    if importlib.util.find_spec("pip") is None:
        raise ImageError(
            f"{sys.executable} has no pip, which fetches the libraries of an image",
            next_step=f"run '{sys.executable} -m ensurepip', or install pip into this environment",
        )
    resolved = ("--no-deps",) if constraints is None else ("--constraint", str(constraints))
    command = (
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile", "--root-user-action=ignore"),
        *("--only-binary=:all:", "--implementation=cp", "--python-version", python.named, "--target", str(target)),
        *(f"--platform={each}" for each in python.wheel_platforms()),
        *resolved,
        *requirements,
    )
    done = subprocess.run(  # noqa: S603 - no shell; requirements are names and versions, the chain language sees to it
        command,
        env=environment(target.parent),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _failed(done.stderr or done.stdout, python)


def environment(scratch: Path) -> dict[str, str]:
    """This process's variables, without what would lead pip elsewhere; what it needs meanwhile lies in `scratch`."""
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    return kept | _OVERRULED | {"TMPDIR": str(scratch)}


def _failed(told: str, python: Interpreter) -> ImageError:
    lines = [line for line in told.strip().splitlines() if line.strip()][-_LAST_LINES:]
    text = "".join(f"\n    {line}" for line in lines) or "\n    (it said nothing)"
    return ImageError(
        f"pip could not fetch the libraries for Python {python.named} on {python.architecture}:{text}",
        next_step="only wheels are taken: see that there is one for this Python, and that the index can be reached",
    )
