"""Processes of the local engine: they are restarted, stopped, and never outlive the one who started them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from toolkit.engines.local import sentinel
from toolkit.engines.local.process import Command, Crash, Supervised, Watch
from toolkit.engines.waiting import until

WAITS = "import signal, sys; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


def python(code: str, name: str = "process") -> Command:
    return Command(name, (sys.executable, "-c", code))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


async def gone(*pids: int) -> bool:
    async def all_gone() -> bool:
        return not any(alive(pid) for pid in pids)

    return await until(all_gone, within_s=10)


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    folder = tmp_path / "work"
    folder.mkdir()
    watch = await Watch.start(folder)
    yield watch
    await watch.close()


@contextlib.asynccontextmanager
async def running(command: Command, watch: Watch, folder: Path) -> AsyncIterator[tuple[Supervised, list[Crash]]]:
    crashes: list[Crash] = []
    process = Supervised(command, watch, folder, on_crash=crashes.append)
    await process.start()
    try:
        yield process, crashes
    finally:
        await process.stop(grace_s=1.0)


async def logged(process: Supervised, text: str) -> bool:
    async def there() -> bool:
        return any(text in line for line in process.log_tail())

    return await until(there, within_s=10)


async def test_a_process_stops_when_it_is_asked(watch: Watch, tmp_path: Path) -> None:
    async with running(python(WAITS), watch, tmp_path) as (process, crashes):
        assert await logged(process, "up")
        pid = process.pid
        assert pid is not None
        await process.stop()
        assert not alive(pid)
        assert crashes == []


async def test_a_process_that_ignores_sigterm_is_ended_after_the_grace_time(watch: Watch, tmp_path: Path) -> None:
    async with running(python(STUBBORN), watch, tmp_path) as (process, _):
        assert await logged(process, "up")
        pid = process.pid
        assert pid is not None
        await process.stop(grace_s=0.2)
        assert not alive(pid)


async def test_a_killed_process_comes_back_as_another_replica_and_is_told_of(watch: Watch, tmp_path: Path) -> None:
    async with running(python(WAITS), watch, tmp_path) as (process, crashes):
        assert await logged(process, "up")
        first, replica = process.pid, process.replica
        process.signal(signal.SIGKILL)

        async def back() -> bool:
            return process.pid not in (None, first)

        assert await until(back, within_s=10)
        assert [crash.how for crash in crashes] == ["was ended by SIGKILL"]
        assert crashes[0].replica == replica != process.replica


async def test_a_crash_brings_its_last_log_lines(watch: Watch, tmp_path: Path) -> None:
    code = "import sys; sys.exit('the disk is on fire')"
    async with running(python(code), watch, tmp_path) as (_, crashes):

        async def crashed() -> bool:
            return bool(crashes)

        assert await until(crashed, within_s=10)
        assert crashes[0].status == 1
        assert crashes[0].log_tail == ("the disk is on fire",)


async def test_stopping_twice_is_as_good_as_once(watch: Watch, tmp_path: Path) -> None:
    async with running(python(WAITS), watch, tmp_path) as (process, crashes):
        await asyncio.gather(process.stop(), process.stop())
        await process.stop()
        assert process.pid is None
        assert crashes == []


async def test_a_process_gets_no_more_of_the_environment_than_it_needs(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "hush")
    code = "import os; print('SOME_SECRET' in os.environ, os.environ['OWN'], flush=True); import signal; signal.pause()"
    command = Command("process", (sys.executable, "-c", code), {"OWN": "mine"})
    async with running(command, watch, tmp_path) as (process, _):
        assert await logged(process, "False mine")


PARENT = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from toolkit.engines.local.process import Command, Supervised, Watch

    async def main() -> None:
        folder = Path(sys.argv[1])
        watch = await Watch.start(folder)
        code = sys.argv[2]
        commands = [Command(f"p{n}", (sys.executable, "-c", code)) for n in (1, 2)]
        processes = [Supervised(command, watch, folder, on_crash=print) for command in commands]
        for process in processes:
            await process.start()
        print(watch._process.pid, *(process.pid for process in processes), flush=True)
        await asyncio.sleep(600)

    asyncio.run(main())
""")


@pytest.mark.parametrize("code", [WAITS, STUBBORN], ids=["polite", "stubborn"])
async def test_nothing_outlives_a_toolkit_that_was_killed(tmp_path: Path, code: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder), code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert all(map(alive, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert await gone(*pids)
    assert not folder.exists()


async def test_a_process_that_was_started_but_not_yet_announced_is_found_by_its_token(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    watch = await Watch.start(folder)
    environment = {**os.environ, "TOOLKIT_SENTINEL": watch.token}
    orphan = subprocess.Popen([sys.executable, "-c", WAITS], env=environment, start_new_session=True)
    bystander = subprocess.Popen([sys.executable, "-c", WAITS], start_new_session=True)
    try:
        await watch.close()
        assert orphan.wait(timeout=10) == -signal.SIGTERM
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


LATE = """
import os, signal, sys, time
if os.read(0, 1) == b"":  # our parent, who stands for the toolkit, is gone: only now become what we were made for
    time.sleep(0.3)
    waits = [sys.executable, "-c", "import signal; signal.pause()"]
    os.execve(sys.executable, waits, {"TOOLKIT_SENTINEL": sys.argv[1]})
"""


async def test_a_process_that_was_still_being_made_when_the_toolkit_was_killed_is_found_too(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    ours = subprocess.Popen(
        [sys.executable, "-I", "-S", sentinel.__file__, "late-token", str(folder)], stdin=subprocess.PIPE
    )
    late = subprocess.Popen([sys.executable, "-c", LATE, "late-token"], stdin=subprocess.PIPE, start_new_session=True)
    assert ours.stdin is not None
    assert late.stdin is not None
    late.stdin.close()
    ours.stdin.close()
    try:
        assert late.wait(timeout=20) == -signal.SIGTERM
        assert ours.wait(timeout=20) == 0
        assert not folder.exists()
    finally:
        late.kill()
        late.wait()


@pytest.mark.parametrize("own_group", [False, True], ids=["in its group", "in a group of its own"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
async def test_what_a_process_started_ends_with_it_before_it_is_started_again(
    watch: Watch, tmp_path: Path, own_group: bool, number: int
) -> None:
    words = ["sh", "-c", "sleep 600 & echo child $!; wait"]
    starts = f"import subprocess; subprocess.Popen({words}, start_new_session={own_group}); "
    async with running(python(starts + WAITS), watch, tmp_path) as (process, crashes):
        assert await logged(process, "child")
        assert await logged(process, "up")
        child = next(int(line.split()[1]) for line in process.log_tail() if line.startswith("child"))
        assert process.pid is not None
        os.kill(process.pid, number)
        assert await until_crashed(crashes)
        assert await gone(child)


async def test_a_program_and_its_children_end_when_their_scaffold_is_killed(watch: Watch, tmp_path: Path) -> None:
    scaffold = (
        "import asyncio, os\nfrom toolkit.sdk.program import Program\n"
        "async def main():\n"
        "    words = ['sh', '-c', 'sleep 600 & echo child $!; wait']\n"
        "    await Program.start(words, None, {**os.environ, 'PORT': '1'})\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    async with running(python(scaffold), watch, tmp_path) as (process, crashes):
        assert await logged(process, "child")
        child = next(int(line.split()[1]) for line in process.log_tail() if line.startswith("child"))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert await until_crashed(crashes)
        assert await gone(child)


async def until_crashed(crashes: list[Crash]) -> bool:
    async def told() -> bool:
        return bool(crashes)

    return await until(told, within_s=10)
