"""`toolkit capacity` and `toolkit run --trials` as a user calls them: real servers, short steps."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.cli.program import TOOLKIT, call, environment, wait_until
from toolkit.stubs import helloworld_pb2 as messages
from toolkit.stubs import helloworld_pb2_grpc as services

DROWNING = """
import asyncio

from toolkit.sdk import Context, Message
from toolkit.stubs.helloworld_pb2 import HelloRequest

one_at_a_time = asyncio.Lock()


async def produce(ctx: Context, request: HelloRequest) -> str:
    await ctx.emit(request.name)
    return "emitted"


async def consume(ctx: Context, message: Message) -> None:
    async with one_at_a_time:
        await asyncio.sleep(0.05)
"""


class Greeter(services.GreeterServicer):
    def SayHello(  # noqa: N802 - its name in the .proto
        self, request: messages.HelloRequest, context: grpc.ServicerContext
    ) -> messages.HelloReply:
        return messages.HelloReply(message="hello")


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    running = grpc.server(ThreadPoolExecutor(4))
    services.add_GreeterServicer_to_server(Greeter(), running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield f"h2c://127.0.0.1:{port}/helloworld.Greeter/SayHello"
    running.stop(None).wait()


def test_a_target_that_keeps_its_promise_up_to_the_highest_rate(target: str, tmp_path: Path) -> None:
    words = ("--slo", "p50<5s", "--slo", "errors<10%", "--from", "20", "--to", "40", "--step-duration", "1s")
    done = call(tmp_path, "capacity", "--target", target, *words, "-o", "json")
    found = json.loads(done.stdout)
    if found["complete"]:  # a machine that is too busy to send says so, and that is all that can be asked of it
        assert done.returncode == 0, done.stderr
        assert (found["kept"], found["broken"]) == (40, None)
        assert [step["rate"] for step in found["steps"]] == [20, 40]
    else:
        assert done.returncode == 6, done.stderr
        assert "no valid measurement" in found["ended"]
    assert found["objectives"] == ["p50<5s", "errors<10%"]
    (stored,) = (tmp_path / "runs").glob("capacity-*/capacity.json")
    assert json.loads(stored.read_text()) == found


def test_a_target_that_breaks_its_promise_from_the_start_ends_with_status_4(target: str, tmp_path: Path) -> None:
    words = ("--slo", "p50<1us", "--from", "20", "--step-duration", "1s")
    done = call(tmp_path, "capacity", "--target", target, *words)
    assert done.returncode in (4, 6), done.stderr  # 6: the machine was too busy to say
    assert "capacity: none that was found" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a CHAIN, or a --target"),
        (("chained-serving", "--target", "h2c://x/a.B/C", "--slo", "p99<1s"), "not both"),
        (("chained-serving",), "there is none"),
        (("chained-serving", "--slo", "p42<1s", "--slo", "p99<1"), "p42 is none of"),
        (("chained-serving", "--slo", "p99<1s", "--from", "9", "--to", "5"), "is above --to"),
        (("no-such-chain", "--slo", "p99<1s"), "no-such-chain"),
        (("--target", "h2c://127.0.0.1:1/a.B/C", "--slo", "p99<1s", "--step-duration", "0s"), "--step-duration"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = call(tmp_path, "capacity", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_chain_whose_events_pile_up_keeps_no_promise_however_fast_its_entry_answers(tmp_path: Path) -> None:
    """The consumer takes one event after the other, 50 ms each; the broker answers before it delivers."""
    folder = tmp_path / "drowning"
    folder.mkdir()
    (folder / "handlers.py").write_text(DROWNING)
    (folder / "chain.yaml").write_text(
        "name: drowning\nabout: Events pile up.\n"
        "functions:\n  producer: {handler: handlers.py:produce}\n  consumer: {handler: handlers.py:consume}\n"
        "edges:\n  - {from: producer, to: consumer, via: event, type: drop}\n"
        "broker: {acknowledge: async}\n"
    )
    words = ("--slo", "p50<5s", "--from", "80", "--to", "80", "--step-duration", "2s", "--sample", "0", "-o", "json")
    done = call(tmp_path, "capacity", str(folder), *words)
    assert done.returncode in (4, 6), done.stderr  # 6: the machine was too busy to say
    found = json.loads(done.stdout)
    step = found["steps"][-1]
    judged = {each["objective"]: each["verdict"] for each in step["judged"]}
    assert judged == {"p50<5s": "kept", "completions keep up": "broken"}
    assert found["kept"] is None
    assert "completions keep up: " in done.stderr


def test_nobody_at_the_target_is_told_at_once(tmp_path: Path) -> None:
    done = call(tmp_path, "capacity", "--target", "h2c://127.0.0.1:1/a.B/C", "--slo", "p99<1s")
    assert done.returncode == 3
    assert "cannot be called" in done.stderr


def test_trials_of_two_variants_are_one_group_that_compare_splits(tmp_path: Path) -> None:
    words = ("--trials", "2", "--vary", "payload=2KiB,1KiB", "--requests", "40", "--rate", "100", "--sample", "0")
    done = call(tmp_path, "run", "chained-serving", *words, "-o", "json")
    found = json.loads(done.stdout)
    assert done.returncode in (0, 4, 6), done.stderr
    assert sorted(each["variant"]["payload"] for each in found["trials"]) == ["1KiB", "1KiB", "2KiB", "2KiB"]
    assert found["variants"] == [{"payload": "2KiB"}, {"payload": "1KiB"}], "in the order in which they were asked for"
    assert [each["block"] for each in found["trials"]] == [0, 0, 1, 1]
    assert found["partial"] is False
    assert list(found["spreads"]) == ["payload=1KiB", "payload=2KiB"]
    runs = {each.name for each in (tmp_path / "runs").iterdir()}
    assert runs == {found["group"], *(each["run"] for each in found["trials"])}
    compared = call(tmp_path, "compare", found["group"], "--by", "payload", "--force", "-o", "json")
    assert compared.returncode in (0, 5), compared.stderr
    first = json.loads(compared.stdout)["a"]
    assert (first["name"], len(first["runs"])) == ("payload=2KiB", 2)


def test_trials_that_are_interrupted_keep_what_there_is(tmp_path: Path) -> None:
    words = ("run", "chained-serving", "--trials", "50", "--requests", "30", "--rate", "100", "-o", "json")
    with subprocess.Popen(
        (*TOOLKIT, *words), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: bool(list(tmp_path.glob("runs/*/trials.json"))), "a trial", 60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    found = json.loads(out)
    assert found["partial"] is True
    assert 1 <= len(found["trials"]) < 50
    assert all((tmp_path / "runs" / each["run"] / "report.json").is_file() for each in found["trials"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--vary", "payload=1,2"), "is for trials"),
        (("--until", "p99±5%"), "is for trials"),
        (("--trials", "3", "--vary", "payload=1"), "two or more different values"),
        (("--trials", "3", "--vary", "nothing=1,2"), "nothing"),
        (("--trials", "3", "--until", "p99"), "--until"),
        (("--trials", "0"), "--trials"),
        (("--trials", "3", "-o", "junit"), "one run"),
    ],
)
def test_trials_that_make_no_sense_are_refused(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = call(tmp_path, "run", "chained-serving", *arguments)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
