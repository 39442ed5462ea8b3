"""Which image a command takes when nobody names one: the last that was built of the very chain, or none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli import programs
from tests.cli.built import STRICT, TO_TAR, build, images
from toolkit.cli import main

pytestmark = pytest.mark.usefixtures("workshop")
COMMANDS = {
    "render": ("render", "chain"),
    "deploy": ("deploy", "chain", "--engine", "knative", "--dry-run=client"),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return COMMANDS[str(request.param)]


def test_what_was_built_last_is_used_and_told(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    first = build(capsys, *TO_TAR)["reference"]
    Path("chain/handlers.py").write_text(Path("chain/handlers.py").read_text() + "\n# changed\n")
    second = build(capsys, *TO_TAR)["reference"]
    assert first != second
    assert main([*command]) == 0
    printed = capsys.readouterr()
    assert images(printed.out) == {second}
    assert f"image: {second}, built 2" in printed.err
    assert ", written to image.tar\n" in printed.err


def test_an_image_that_is_named_wins(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(capsys, *TO_TAR)
    assert main([*command, "--image", "registry.example/xx:1"]) == 0
    printed = capsys.readouterr()
    assert (images(printed.out), "image: " in printed.err) == ({"registry.example/xx:1"}, False)
    monkeypatch.setenv("TOOLKIT_IMAGE", "registry.example/yy:1")
    assert main([*command]) == 0
    assert images(capsys.readouterr().out) == {"registry.example/yy:1"}


def test_an_empty_name_is_no_name_and_not_the_default(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    build(capsys, *TO_TAR)
    assert main([*command, "--image", ""]) == 2
    assert capsys.readouterr().out == ""


def test_without_a_build_the_way_to_one_is_told(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command]) == 2
    told = capsys.readouterr().err
    assert "error: --image is missing" in told
    assert "next: 'toolkit build chain --base BASE --push REGISTRY/REPOSITORY' (or --load kind" in told


@pytest.mark.parametrize(
    ("file", "text"), [("chain.yaml", "\n"), ("handlers.py", "\n"), ("data/new.txt", "new"), (".hidden", None)]
)
def test_an_image_of_a_chain_that_has_changed_is_stale(
    file: str, text: str | None, command: tuple[str, ...], workshop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = build(capsys, *TO_TAR)["reference"]
    path = Path("chain", file)
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as found:
        found.write(text or "what is no part of an image")
    status = main([*command])
    told = capsys.readouterr().err
    if text is None:
        assert status == 0
        return
    assert status == 2
    assert f"{reference} is stale: it was built before {file} changed\n" in told
    assert f"next: build it again: toolkit build chain --base {workshop}/base --to {workshop}/image.tar\n" in told


def test_building_again_as_told_makes_it_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    build(capsys, *TO_TAR)
    Path("chain/handlers.py").write_text(Path("chain/handlers.py").read_text() + "\n# changed\n")
    assert main(["render", "chain"]) == 2
    again = capsys.readouterr().err.partition("next: build it again: toolkit ")[2].split()
    assert main(again) == 0
    assert main(["render", "chain"]) == 0


def test_a_file_that_was_removed_is_a_change_too(capsys: pytest.CaptureFixture[str]) -> None:
    Path("chain/data.txt").write_text("data")
    build(capsys, *TO_TAR)
    Path("chain/data.txt").unlink()
    assert main(["render", "chain"]) == 2
    assert "before data.txt changed" in capsys.readouterr().err


def test_what_a_build_leaves_in_the_chains_folder_does_not_make_it_stale(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move("base", "chain/rootfs")
    build(capsys, "--base", "chain/rootfs", "--to", "chain/image.tar")
    assert main(["render", "chain"]) == 0


def test_another_copy_of_the_chain_has_an_image_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    build(capsys, *TO_TAR)
    shutil.copytree("chain", "copy")
    assert main(["render", "copy"]) == 2
    assert "next: 'toolkit build copy " in capsys.readouterr().err
    assert main(["render", "chain/chain.yaml"]) == 0


def test_a_parameter_is_no_change_for_it_travels_with_the_wiring(capsys: pytest.CaptureFixture[str]) -> None:
    build(capsys, *TO_TAR)
    assert main(["render", "chain", "--payload", "7B"]) == 0


def test_a_build_that_failed_is_not_remembered(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.install(workshop, "send", "raise SystemExit(1)")
    assert main(["build", "chain", "--base", "base", "--publish", "send {tar}"]) == 3
    assert main(["render", "chain"]) == 2


def test_an_image_with_one_functions_wiring_is_not_the_chains(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "chain", *STRICT, "--image", "x.y/a-{function}:1", "-o", "out"]) == 0
    build(capsys, *TO_TAR, "--wiring", "out/wiring/producer.json")
    assert main(["render", "chain"]) == 2
    assert "--image is missing: " in capsys.readouterr().err


def test_a_hook_out_of_the_environment_is_not_written_down(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.install(workshop, "send")
    monkeypatch.setenv("TOOLKIT_PUBLISH", "send --password hunter2 {image}")
    build(capsys, "--base", "base")
    Path("chain/new").touch()
    assert main(["render", "chain"]) == 2
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"image": 1}', '{"image": "x", "place": "", "at": "now"}'])
def test_a_record_that_cannot_be_read_is_none(
    text: str, capsys: pytest.CaptureFixture[str], workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(capsys, *TO_TAR)
    monkeypatch.setenv("XDG_CACHE_HOME", str(workshop / "broken"))
    build(capsys, *TO_TAR)
    for each in (workshop / "broken/kn-bench/images/built").iterdir():
        each.write_text(text)
    assert main(["render", "chain"]) == 2
    assert "--image is missing: " in capsys.readouterr().err
