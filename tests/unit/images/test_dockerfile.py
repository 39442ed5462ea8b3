"""The Dockerfile and `toolkit build` say the same of an image, and its steps are what the toolkit does.

There is no Docker here: the file is read by the rules of its reference, and what its steps call is called.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.unit.images.surroundings import SILENT, built
from toolkit import catalog
from toolkit.cli import tree
from toolkit.errors import UsageError
from toolkit.images import build, configuration

ROOT = Path(__file__).parents[3]
Step = tuple[str, str]


def steps(text: str) -> list[Step]:
    """The instructions of a Dockerfile: comments dropped, continued lines joined (its reference, "Format")."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def stages(found: list[Step]) -> tuple[list[Step], list[Step], list[Step]]:
    """What stands before the first FROM, and the two stages."""
    starts = [number for number, (word, _) in enumerate(found) if word == "FROM"]
    assert len(starts) == 2
    return found[: starts[0]], found[starts[0] : starts[1]], found[starts[1] :]


GLOBAL, FIRST, SECOND = stages(steps((ROOT / "Dockerfile").read_text()))


def only(stage: list[Step], word: str) -> str:
    (found,) = [rest for each, rest in stage if each == word]
    return found


def test_the_dockerfile_declares_what_toolkit_build_writes(
    base: Path, chain: Path, cache: Path, tmp_path: Path
) -> None:
    ours = json.loads(built(base, chain, cache, tmp_path / "image").config)["config"]
    theirs = dict(each.split("=", 1) for each in shlex.split(only(SECOND, "ENV")))
    assert json.loads(only(SECOND, "ENTRYPOINT")) == ours["Entrypoint"]
    assert only(SECOND, "USER") == ours["User"]
    assert only(SECOND, "WORKDIR") == ours["WorkingDir"]
    assert {only(SECOND, "EXPOSE"): {}} == ours["ExposedPorts"]
    # PATH is the base's own; where a base has none, a default takes its place.
    assert theirs == {name: value for name, value in (each.split("=", 1) for each in ours["Env"]) if name != "PATH"}
    assert "CMD" not in dict(SECOND)


def test_both_stages_have_the_same_python_which_can_be_chosen() -> None:
    assert [rest.partition("=")[0] for word, rest in GLOBAL if word == "ARG"] == ["PYTHON_VERSION"]
    assert only(FIRST, "FROM") == "python:${PYTHON_VERSION}-slim AS build"
    assert only(SECOND, "FROM") == "python:${PYTHON_VERSION}-slim"
    assert only(FIRST, "ARG") == "TARGET=chained-serving"
    assert "chained-serving" in catalog.names()


def test_the_second_stage_only_copies_what_the_first_has_written() -> None:
    assert only(SECOND, "COPY") == "--from=build /image/ /"
    assert "RUN" not in dict(SECOND)
    assert FIRST[-1] == ("RUN", 'toolkit build "${TARGET}" --files /image')


def test_the_first_stage_writes_the_files_that_toolkit_build_puts_on_a_base(
    base: Path, cache: Path, tmp_path: Path
) -> None:
    command = only(FIRST[-1:], "RUN").replace("/image", shlex.quote(str(tmp_path / "image")))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"TARGET": "chained-serving", "PATH": path}
    subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True, cwd=tmp_path, umask=0o077)
    image = built(base, catalog.benchmarks_folder() / "chained-serving", cache, tmp_path / "layout")
    wanted = {}
    for layer in image.layers[1:]:
        with tarfile.open(tmp_path / "layout/blobs" / layer.descriptor.digest.replace(":", "/")) as tar:
            for each in tar:
                file = tar.extractfile(each)
                wanted[each.name] = (oct(each.mode), int(each.mtime), file and file.read())
    found = {
        each.relative_to(tmp_path / "image").as_posix(): (
            oct(stat.S_IMODE(each.stat().st_mode)),
            int(each.stat().st_mtime),
            each.read_bytes() if each.is_file() else None,
        )
        for each in (tmp_path / "image").rglob("*")
    }
    assert found == wanted


def test_what_the_first_stage_needs_is_not_kept_from_it_and_what_it_does_not_is() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    def kept(path: str) -> bool:
        parts = [path.split("/")[: end + 1] for end in range(path.count("/") + 1)]
        prefixes = ["/".join(each) for each in parts]
        return not any(
            fnmatch.fnmatchcase(prefix, pattern) or fnmatch.fnmatchcase(f"/{prefix}", pattern.replace("**/", "*/"))
            for pattern in ignored
            for prefix in prefixes
        )

    needed = (
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "LICENSE",
        "toolkit/sdk/process.py",
        "protos/link.proto",
    )
    assert [path for path in (*needed, "benchmarks/chained-serving/chain.yaml") if not kept(path)] == []
    unwanted = (".git/config", ".venv/bin/python", "toolkit/__pycache__/x.pyc", "runs/1/report.json", "tests/a.py")
    assert [path for path in (*unwanted, "benchmarks/x/.secret", "image.tar") if kept(path)] == []


def test_what_the_documentation_shows_is_understood() -> None:
    text = (ROOT / "docs/images.md").read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("toolkit ")]
    shown = [shlex.split(line, comments=True) for line in lines]
    assert [command for _, command, *_ in shown].count("build") == 12
    for _, command, *arguments in shown:
        assert tree.parser_of(command).parse_args(arguments).chain
    assert f"docker build --build-arg {only(FIRST, 'ARG').partition('=')[0]}=" in text


# --- `--files`, which it stands on ------------------------------------------------------------------------------------


def test_the_files_of_a_build_come_with_the_wiring_too(chain: Path, tmp_path: Path) -> None:
    from toolkit.contract import Wiring

    wiring = tmp_path / "wiring.json"
    wiring.write_text(Wiring("greetings", "greeter", "r", "handlers.py:greet", serves=("a.B/C",)).encode())
    content = build.Content(catalog.load(str(chain)), wiring, epoch=1_000)
    build.write_files(content, tmp_path / "files", SILENT)
    found = tmp_path / "files" / configuration.WIRING_FILE
    assert found.read_text() == wiring.read_text()
    assert found.stat().st_mtime == 1_000
    assert (tmp_path / "files/app/chain/handlers.py").is_file()


def test_files_are_not_written_over_what_is_there(chain: Path, tmp_path: Path) -> None:
    content = build.Content(catalog.load(str(chain)))
    with pytest.raises(UsageError, match="is there already"):
        build.write_files(content, chain, SILENT)
    (tmp_path / "empty").mkdir()
    build.write_files(content, tmp_path / "empty", SILENT)
    assert (tmp_path / "empty/app/lib/toolkit/sdk").is_dir()
