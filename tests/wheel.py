"""`python -m tests.wheel`: builds the wheel, installs it into an empty environment elsewhere, runs chains there."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="toolkit-wheel-") as folder:
        elsewhere = Path(folder)
        lock = ROOT / "requirements.lock"
        call(elsewhere, sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT))
        (wheel,) = elsewhere.glob("*.whl")
        venv.create(elsewhere / "empty", with_pip=True)
        python = str(elsewhere / "empty" / "bin" / "python")
        call(
            elsewhere, python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(lock), str(wheel)
        )
        toolkit = str(elsewhere / "empty" / "bin" / "toolkit")
        call(elsewhere, toolkit, "list")
        call(elsewhere, toolkit, "stubs", "--check")
        call(elsewhere, str(elsewhere / "empty" / "bin" / "kn-bench"), "version")
        call(elsewhere, toolkit, "render", "chained-mixed", "--image", "dev.local/mixed:v1", "-o", "manifests")
        for chain in ("chained-serving", "chained-eventing", "chained-mixed"):
            call(elsewhere, toolkit, "verify", chain)
    print("the wheel works in an empty environment elsewhere")
    return 0


def call(folder: Path, *command: str) -> None:
    print("$", *(Path(command[0]).name, *command[1:]), flush=True)
    subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
