"""Programs of strangers before a chain starts here: built once, in a copy; what is missing is said."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_answers_hostile import gone
from toolkit import plan
from toolkit.engines import programs
from toolkit.errors import EngineError
from toolkit.plan import Plan
from toolkit.spec.model import ChainSpec, Function

BUILD = (
    "import pathlib; text = pathlib.Path('source.txt').read_text(); "
    "pathlib.Path('built.txt').write_text(text.upper()); "
    "count = pathlib.Path({count!r}); count.write_text(count.read_text() + '.' if count.exists() else '.')"
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kn-bench" / "programs"


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    made = tmp_path / "chain"
    made.mkdir()
    (made / "source.txt").write_text("small")
    return made


def planned(folder: Path, *, count: Path | None = None, **more: Any) -> Plan:
    build = BUILD.format(count=str(count or folder.parent / "count"))
    usual: dict[str, Any] = {"command": (sys.executable,), "prepare": (sys.executable, "-c", build)}
    function = dataclasses.replace(Function("f", "toolkit.sdk.stranger:relay", "h2c"), **{**usual, **more})
    return plan.make(ChainSpec("c", "", "f", (function,), (), None, (), str(folder), "0" * 64), "run")


async def built(made: Plan) -> Path:
    return Path((await programs.prepared(made)).chain.function("f").folder or "")


async def test_a_program_is_built_in_a_copy_of_its_folder(folder: Path, cache: Path) -> None:
    place = await built(planned(folder))
    assert place.parent == cache
    assert (place / "built.txt").read_text() == "SMALL"
    assert not (folder / "built.txt").exists()
    assert [each.name for each in cache.iterdir()] == [place.name], "nothing else is left"


async def test_it_is_built_again_only_when_a_file_or_a_word_changes(folder: Path) -> None:
    count = folder.parent / "count"
    first, second = await built(planned(folder)), await built(planned(folder))
    assert (first, count.read_text()) == (second, ".")
    (folder / "source.txt").write_text("other")
    assert (await built(planned(folder)) / "built.txt").read_text() == "OTHER"
    assert count.read_text() == ".."
    (folder / "source.txt").write_text("small")
    assert await built(planned(folder)) == first, "as it was"
    assert count.read_text() == ".."


async def test_what_a_build_or_a_run_left_there_changes_nothing(folder: Path) -> None:
    first = await built(planned(folder))
    for name in ("runs", "node_modules", "__pycache__", ".git"):
        (folder / name).mkdir()
        (folder / name / "x").write_text("x")
    assert await built(planned(folder)) == first


async def test_a_build_that_fails_is_shown_and_leaves_nothing(folder: Path, cache: Path) -> None:
    made = planned(folder, prepare=(sys.executable, "-c", "print('line 1: no such thing'); raise SystemExit(3)"))
    with pytest.raises(EngineError, match=r"(?s)'f' could not be prepared: .* left with exit status 3.*line 1"):
        await programs.prepared(made)
    assert list(cache.iterdir()) == []


async def test_what_the_machine_lacks_is_said_before_anything_is_built(folder: Path, cache: Path) -> None:
    with pytest.raises(EngineError, match="'f' is prepared with 'no-such-compiler', which this machine does not have"):
        await programs.prepared(planned(folder, prepare=("no-such-compiler", "x")))
    with pytest.raises(EngineError, match="'f' is started with 'no-such-runtime'") as missing:
        await programs.prepared(planned(folder, command=("no-such-runtime",)))
    assert missing.value.next_step == "install no-such-runtime, and see that it is on the PATH"
    assert not cache.exists()


async def test_an_image_alone_is_nothing_that_this_machine_can_start(folder: Path) -> None:
    with pytest.raises(EngineError, match="'f' is the image dev/x, and the local engine starts programs"):
        await programs.prepared(planned(folder, image="dev/x", command=(), prepare=()))


async def test_a_chain_without_strangers_stays_as_it_is(folder: Path) -> None:
    made = planned(folder, command=(), prepare=())
    assert await programs.prepared(made) == made


async def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(EngineError, match="could not be prepared"):
        await programs.prepared(planned(tmp_path / "none", count=tmp_path / "count"))


async def test_what_a_build_leaves_running_is_ended_with_it_and_not_waited_for(folder: Path) -> None:
    made = planned(folder, prepare=("sh", "-c", "sleep 600 & echo $! > pid; echo done"))
    place = await built(made)
    await gone(int((place / "pid").read_text()))


async def test_a_build_that_takes_too_long_ends_with_all_that_it_started(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "LONGEST_S", 0.5)
    pid = folder.parent / "pid"
    with pytest.raises(EngineError, match=r"was not done after 0\.5 s"):
        await programs.prepared(planned(folder, prepare=("sh", "-c", f"sleep 600 & echo $! > {pid}; wait")))
    await gone(int(pid.read_text()))
    assert list(cache.iterdir()) == []


async def test_a_build_that_says_a_lot_is_shown_by_its_end(folder: Path) -> None:
    says = "print('x' * 5_000_000); print('the end', flush=True); raise SystemExit(1)"
    with pytest.raises(EngineError, match="the end") as failed:
        await programs.prepared(planned(folder, prepare=(sys.executable, "-c", says)))
    assert len(str(failed.value)) < 100_000


async def test_what_is_no_file_is_no_part_of_a_build(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "endless").symlink_to("/dev/zero")
    (folder / "nowhere").symlink_to("nothing")
    place = await built(planned(folder))
    assert sorted(each.name for each in place.iterdir()) == ["built.txt", "source.txt"]


async def test_a_cache_that_others_can_write_is_refused(folder: Path, cache: Path) -> None:
    place = await built(planned(folder))
    for each in (place, cache, cache.parent):
        each.chmod(0o777)
        with pytest.raises(EngineError, match="can be written by others"):
            await built(planned(folder))
        each.chmod(0o700)
    assert await built(planned(folder)) == place
