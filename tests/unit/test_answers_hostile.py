"""Whatever the code that judges answers starts, writes, reads or holds, the run goes on and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.unit.test_answers import RIGHT, answering, verdicts
from toolkit.engines import requirements

OUT_OF_TURN = {
    "junk": "b'junk\\n'",
    "another value": "b'[]\\n'",
    "a kind of the toolkit's own": 'b\'["ended", "well"]\\n\'',
    "a number for a text": "b'[\"wrong\", 1]\\n'",
    "nested": "b'[' * 100_000 + b'\\n'",
    "no text": "b'\\xff\\n'",
    "too long": "b'x' * 3_000_000 + b'\\n'",
}


@pytest.mark.parametrize("said", OUT_OF_TURN.values(), ids=OUT_OF_TURN)
async def test_a_judge_that_writes_where_verdicts_go_judges_nothing(tmp_path: Path, said: str) -> None:
    source = (
        "import os\n"
        "pipes = [n for n in range(3, 20) if os.path.lexists(f'/proc/self/fd/{n}')]\n"
        "def validate_output(*_):\n"
        "    for each in pipes:\n"
        "        try:\n"
        f"            data = {said}\n"
        "            while data:\n"
        "                data = data[os.write(each, data):]\n"
        "        except OSError:\n"
        "            pass\n"
    )
    found = await verdicts(answering(tmp_path, source, "yes", "never asked"))
    assert found == [
        "could not be judged: work.py:validate_output spoke out of turn: its code wrote where its verdicts go",
        "could not be judged: another answer ended work.py:validate_output",
    ]


FORKS = "import os, pathlib, signal, sys, time\nif os.fork() == 0:\n"
HERE = "pathlib.Path(__file__).with_name('child').write_text(str(os.getpid()))"
LEAVES_A_CHILD = {
    "it judges": ("return None", None),
    "it ends": ("os._exit(3)", "ended its process with status 3"),
    "it hangs": ("time.sleep(600)", "took longer than 3 s"),
}


@pytest.mark.parametrize(("does", "told"), LEAVES_A_CHILD.values(), ids=LEAVES_A_CHILD)
async def test_what_a_judge_started_ends_with_it(tmp_path: Path, does: str, told: str | None) -> None:
    source = FORKS + f"    {HERE}\n    time.sleep(600)\n    os._exit(0)\n"
    source += "while not pathlib.Path(__file__).with_name('child').exists():\n    time.sleep(0.01)\n"
    found = await verdicts(
        answering(tmp_path, source + f"def validate_output(*_):\n    {does}\n", "yes"), patience_s=3.0
    )
    assert (found[0] or "").endswith(told) if told else found == [None]
    await gone(int((tmp_path / "child").read_text()))


async def test_one_that_left_the_judges_group_with_its_pipes_holds_nobody_up(tmp_path: Path) -> None:
    source = (
        "import os, pathlib, subprocess, sys\n"
        "pipes = [n for n in range(3, 20) if os.path.lexists(f'/proc/self/fd/{n}')]\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE,\n"
        "                         pass_fds=pipes, start_new_session=True)\n"
        "pathlib.Path(__file__).with_name('child').write_text(str(child.pid))\n"
        "def validate_output(*_):\n    return None\n"
    )
    assert await verdicts(answering(tmp_path, source, "yes")) == [None]
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


async def test_a_judge_reads_none_of_its_questions_by_itself(tmp_path: Path) -> None:
    source = "import sys\ndef validate_output(*_):\n    return sys.stdin.readline() or None\n"
    assert await verdicts(answering(tmp_path, source, "yes", "no")) == [None, None]


async def test_a_module_with_an_endless_name_is_named_in_a_few_words(tmp_path: Path) -> None:
    found = await verdicts(answering(tmp_path, "raise ModuleNotFoundError('x', name='n' * 2_000_000)\n", "yes"))
    assert len(found[0] or "") < 700
    assert "needs nnnn" in (found[0] or "")


async def test_libraries_of_somebody_elses_cache_are_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = answering(tmp_path, RIGHT, "yes", requires=("kn-needed",))
    place = requirements.folder(("kn-needed",))
    assert place is not None
    place.mkdir(parents=True)
    place.chmod(0o777)
    found = await verdicts(run)
    assert (found[0] or "").startswith("could not be judged: /")
    assert "can be written by others" in (found[0] or "")


async def gone(pid: int) -> None:
    """Returns once that process runs no more; whoever inherited it may not have waited for it yet."""
    async with asyncio.timeout(10):
        while "State:\tZ" not in (state := status(pid)) and state:  # noqa: ASYNC110 - of no child of ours
            await asyncio.sleep(0.01)


def status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
