"""`toolkit build` on the command line: data on stdout, the rest on stderr, and every refusal in words."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import program
from tests.unit.images import surroundings
from toolkit.cli import main

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return surroundings.wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, wheels: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a base in it; builds reach no network."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(wheels)), ("CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    surroundings.rootfs(tmp_path / "base")
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


def test_json_tells_a_script_all_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "chained-serving", "--base", "base", "--to", "image.tar", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == 1
    assert re.fullmatch(r"dev\.local/chained-serving:[0-9a-f]{12}", found["reference"])
    assert found["reference"].endswith(found["config"].removeprefix("sha256:")[:12])
    assert found["platform"] == f"linux/{surroundings.HERE}"
    assert [layer["what"] for layer in found["layers"]] == ["base", "dependencies", "scaffold", "chain"]
    assert found["size"] > sum(layer["size"] for layer in found["layers"])
    assert (found["user"], found["entrypoint"]) == ("65532:65532", ["python3", "-P", "-m", "toolkit.sdk"])
    assert (found["written"], found["pushed"]) == ("image.tar", None)
    index = json.loads(_member(Path("image.tar"), "index.json"))
    assert index["manifests"][0]["digest"] == found["digest"]


def _member(path: Path, name: str) -> bytes:
    with tarfile.open(path) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def test_text_tells_sizes_and_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "chained-serving", "--base", "base", "--to", "image.tar"]) == 0
    captured = capsys.readouterr()
    titles = [line.split()[0] for line in captured.out.splitlines()]
    wanted = ["reference", "digest", "platform", "base", "dependencies", "scaffold", "chain", "total"]
    assert titles == wanted
    assert "next: ctr -n k8s.io images import image.tar (or: kind load image-archive image.tar" in captured.err


def test_a_name_alone_is_for_scripts_and_the_layout_for_skopeo(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["build", "chained-serving", "--base", "base", "--to", "image", "--tag", "ghcr.io/me/chains:v1"]
    assert main([*command, "-o", "name"]) == 0
    assert capsys.readouterr().out == "ghcr.io/me/chains:v1\n"
    assert main(command) == 0
    assert "next: skopeo copy oci:image:v1 docker://ghcr.io/me/chains:v1" in capsys.readouterr().err


def test_a_parameter_decides_nothing_of_an_image_for_it_travels_with_the_wiring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    digests = set()
    for setting in ("length=2", "length=7"):
        assert (
            main(["build", "chained-serving", "--base", "base", "--to", "i.tar", "--set", setting, "-o", "json"]) == 0
        )
        digests.add(json.loads(capsys.readouterr().out)["digest"])
    assert len(digests) == 1


def test_flags_may_come_from_the_environment_and_a_function_s_own_variables_are_none_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_BASE", "base")
    monkeypatch.setenv("TOOLKIT_TO", "image.tar")
    monkeypatch.setenv("TOOLKIT_WIRING", '{"chain": "of a function that runs in this shell"}')
    assert main(["build", "chained-serving", "-o", "name"]) == 0
    assert capsys.readouterr().out.startswith("dev.local/chained-serving:")


BASE = ["--base", "base"]
TAR = ["--to", "image.tar"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["chained-servin", *BASE, *TAR], 2, "did you mean 'chained-serving'?"),
        (["chained-serving", *TAR], 2, "--base is missing"),
        (["chained-serving", *BASE], 2, "neither --to nor --push"),
        (["chained-serving", "--base", "nowhere", *TAR], 2, "there is no base nowhere"),
        (["chained-serving", "--base", "empty", *TAR], 2, "neither an image nor a root file system"),
        (["chained-serving", "--base", "file", *TAR], 2, "file is no tar that can be read"),
        (["chained-serving", "--base", "pythonless", *TAR], 3, "holds no python3"),
        (["chained-serving", *BASE, *TAR, "--platform", "linux/s390x"], 3, "and linux/s390x is wanted"),
        (["chained-serving", *BASE, *TAR, "--platform", "windows/amd64"], 2, "is no platform of a Linux container"),
        (["chained-serving", *BASE, "--to", "file"], 2, "file is a file"),
        (["chained-serving", *BASE, "--to", "image.tar.gz"], 2, "is not packed once more"),
        (["chained-serving", *BASE, "--to", "base"], 2, "base lies in the base"),
        (["chained-serving", *BASE, "--to", "base/usr/image.tar"], 2, "lies in the base"),
        (["chained-serving", "--base", "file", "--to", "file"], 2, "lies in the base"),
        (["chained-serving", *BASE, "--to", "full"], 2, "full is there and is no OCI layout"),
        (["chained-serving", *BASE, "--to", "file/below.tar"], 3, "file/below.tar cannot be written"),
        (["chained-serving", *BASE, *TAR, "--tag", "x:latest"], 2, "'latest' says nothing"),
        (["chained-serving", *BASE, "--push", "ghcr.io/x:latest"], 2, "'latest' says nothing"),
        (["chained-serving", *BASE, *TAR, "--tag", "Not A Name"], 2, "is no name of an image"),
        (["chained-serving", *BASE, *TAR, "--tag", ""], 2, "is no name of an image"),
        (["chained-serving", *BASE, *TAR, "--wiring", "nowhere"], 2, "nowhere cannot be read"),
        (["chained-serving", *BASE, *TAR, "--set", "lenght=2"], 2, "did you mean 'length'?"),
        (["chained-serving", *BASE, "--push", "127.0.0.1:9/x/y"], 3, "127.0.0.1:9 cannot be reached"),
        (["chained-serving", *BASE, "--files", "out"], 2, "--files and --base exclude each other"),
        (["chained-serving", "--files", "out", "--plain-http"], 2, "--files and --plain-http exclude each other"),
        (["chained-serving", "--files", "full"], 2, "full is there already"),
    ],
)
def test_what_cannot_be_is_told_in_words(
    arguments: list[str],
    status: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("toolkit.images.transport.WAITS_S", (0.0, 0.0))
    Path("empty").mkdir()
    Path("pythonless/usr").mkdir(parents=True)
    Path("file").write_text("a file")
    Path("full").mkdir()
    Path("full/thesis").touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(["build", *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["now", "-1", "1e9", "١", "99999999999999999999"])
def test_a_time_that_is_none_is_told(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
    assert main(["build", "chained-serving", *BASE, *TAR]) == 2
    assert "is no time in seconds since 1970" in capsys.readouterr().err


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_build_leaves_nothing_behind(here: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Interrupted while pip waits for an index that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        monkeypatch.setenv("XDG_CACHE_HOME", str(here / "cold"))
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{index.getsockname()[1]}/simple")
        with program.start(here, "build", "chained-serving", "--base", "base", "--to", "image") as found:
            index.settimeout(90)
            index.accept()[0].close()
            program.wait_until(lambda: bool(pips(here)), "pip")
            found.send_signal(number)
            _, told = found.communicate(timeout=30)
    assert found.returncode == 130, told
    assert "interrupted" in told
    assert pips(here) == []
    assert list((here / "tmp").iterdir()) == []
    assert not (here / "image").exists()


def pips(folder: Path) -> list[str]:
    """The processes of pip below this test's builds."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and f"TMPDIR={folder}/tmp/".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_a_reader_that_has_seen_enough_is_no_error(here: Path) -> None:
    with program.start(here, "build", "chained-serving", *BASE, *TAR, "-o", "json") as found:
        assert found.stdout is not None
        assert found.stderr is not None
        found.stdout.close()
        told = found.stderr.read()
    assert (found.returncode, "Traceback" in told) == (0, False), told
