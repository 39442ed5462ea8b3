"""Writes go/go.mod from versions.toml and locks it: the only way these two files change."""

from __future__ import annotations

import json

from tests.cluster.running import run
from tests.cluster.versions import GO, KUBERNETES, MODULE, PROGRAMS, versions

GO_LANGUAGE = "1.25.0"  # what Kubernetes 1.35 asks for


def staging_modules() -> list[str]:
    """Kubernetes' own libraries: its go.mod replaces each by a folder, which nobody else has."""
    wanted = f"{KUBERNETES}@{versions().go[KUBERNETES]}"
    downloaded = json.loads(run("go", "mod", "download", "-json", wanted, cwd=GO))
    parsed = json.loads(run("go", "mod", "edit", "-json", downloaded["GoMod"], cwd=GO))
    return sorted(each["Old"]["Path"] for each in parsed["Replace"] if each["New"]["Path"].startswith("./staging/src/"))


def go_mod(staging: list[str]) -> str:
    pinned = versions()
    lines = [
        "// Written by `python -m tests.cluster pin` from versions.toml.",
        f"module {MODULE}",
        f"go {GO_LANGUAGE}",
        *(f"require {module} {version}" for module, version in pinned.go.items()),
        *(f"tool {program.package}" for program in PROGRAMS if not program.package.startswith(MODULE)),
        *(f"replace {module} => {module} {pinned.staging}" for module in staging),
    ]
    return "\n".join(lines) + "\n"


def pin() -> None:
    staging = staging_modules() if (GO / "go.mod").exists() else _first_time()
    (GO / "go.mod").write_text(go_mod(staging), "utf-8")
    run("go", "mod", "tidy", cwd=GO)


def _first_time() -> list[str]:
    (GO / "go.mod").write_text(f"module {MODULE}\n\ngo {GO_LANGUAGE}\n", "utf-8")
    return staging_modules()
