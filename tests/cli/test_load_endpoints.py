"""`toolkit load --endpoints`: vSwarm's list of functions, against real Greeters, and the latencies in vSwarm's form."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tests.cli import program
from toolkit.stubs import helloworld_pb2 as messages
from toolkit.stubs import helloworld_pb2_grpc as services

pytestmark = pytest.mark.usefixtures("stored_elsewhere")


class Greeter(services.GreeterServicer):
    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self._refuses = refuses

    def SayHello(  # noqa: N802 - its name in the .proto
        self, request: messages.HelloRequest, context: grpc.ServicerContext
    ) -> messages.HelloReply:
        self.asked.append((request.name, dict(context.invocation_metadata())["traceparent"]))
        if self._refuses:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not me")
        return messages.HelloReply(message="hello")


@contextmanager
def serving(greeter: Greeter) -> Iterator[str]:
    running = grpc.server(ThreadPoolExecutor(2))
    services.add_GreeterServicer_to_server(greeter, running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    yield f"127.0.0.1:{port}"
    running.stop(None).wait()


def load(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "toolkit.cli", "load", *arguments)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert program.ended(done) == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def listed(folder: Path, *entries: object) -> tuple[str, str]:
    file = folder / "endpoints.json"
    file.write_text(json.dumps(entries))
    return "--endpoints", str(file)


def as_vswarm_says(addresses: Sequence[str]) -> list[object]:
    """As vSwarm's deployer writes it, with a key that nobody knows."""
    return [{"hostname": each, "eventing": False, "matchers": None, "since": "2021"} for each in addresses]


def test_each_endpoint_is_called_in_its_turn_and_has_numbers_of_its_own(tmp_path: Path) -> None:
    first, second, third = Greeter(), Greeter(), Greeter()
    with serving(first) as one, serving(second) as two, serving(third) as three:
        listing = listed(tmp_path, *as_vswarm_says([one, two, three]))
        done = load(*listing, "--requests", "31", "--rate", "100", "-o", "json")
    found = json.loads(done.stdout)
    assert [len(each.asked) for each in (first, second, third)] == [11, 10, 10]
    assert [(each["sent"], each["ok"]) for each in found["endpoints"]] == [(11, 11), (10, 10), (10, 10)]
    assert found["endpoints"][0]["target"] == f"h2c://{one}/helloworld.Greeter/SayHello"
    assert found["endpoints"][0]["service_time_us"]["n"] == 11
    assert found["load"]["ok"] == 31
    assert len({context for each in (first, second, third) for _, context in each.asked}) == 31, "a trace each"


def test_several_generators_take_turns_as_one_does(tmp_path: Path) -> None:
    first, second = Greeter(), Greeter()
    with serving(first) as one, serving(second) as two:
        listing = listed(tmp_path, *as_vswarm_says([one, two]))
        done = load(
            *listing, "--requests", "40", "--rate", "100", "--generators", "2", "--connections", "2", "-o", "json"
        )
    assert (len(first.asked), len(second.asked)) == (20, 20)
    assert [each["ok"] for each in json.loads(done.stdout)["endpoints"]] == [20, 20]


def test_latencies_are_written_as_the_invoker_writes_them(tmp_path: Path) -> None:
    with serving(Greeter()) as one, serving(Greeter(refuses=True)) as two:
        listing = listed(tmp_path, *as_vswarm_says([one, two]))
        wanted = ("--requests", "40", "--rate", "100", "--warmup", "4", "--lat-csv", str(tmp_path), "-o", "json")
        found = json.loads(load(*listing, *wanted, status=4).stdout)
    (file,) = tmp_path.glob("rps*_lat.csv")
    lines = file.read_text().splitlines()
    assert len(lines) == found["load"]["ok"] == 18, "failed calls are no latencies, the warm-up is left out"
    assert all(each.isdecimal() and int(each) > 0 for each in lines)
    assert min(map(int, lines)) == int(found["latency_us"]["min"])
    assert max(map(int, lines)) == int(found["latency_us"]["max"])
    rate = found["load"]["ok"] / found["load"]["duration_s"]
    assert file.name == f"rps{rate:.2f}_lat.csv"
    assert [each["failed"] for each in found["endpoints"]] == [0, 18]


def test_the_file_may_have_a_name_of_its_own(tmp_path: Path) -> None:
    with serving(Greeter()) as one:
        listing = listed(tmp_path, *as_vswarm_says([one]))
        done = load(*listing, "--requests", "5", "--no-out", "--lat-csv", str(tmp_path / "warm.csv"))
    (file,) = tmp_path.glob("rps*_warm.csv")
    assert len(file.read_text().splitlines()) == 5
    assert file.name in done.stderr
    assert "endpoint" in done.stdout


def test_a_folder_for_latencies_is_made_when_it_is_not_there(tmp_path: Path) -> None:
    with serving(Greeter()) as one:
        listing = listed(tmp_path, *as_vswarm_says([one]))
        load(*listing, "--requests", "5", "--no-out", "--lat-csv", str(tmp_path / "new" / "csvs"))
    (file,) = (tmp_path / "new" / "csvs").iterdir()
    assert file.match("rps*_lat.csv")


def test_whoever_interrupts_again_and_again_has_interrupted_and_killed_nothing(tmp_path: Path) -> None:
    greeter = Greeter()
    with serving(greeter) as one:
        words = (sys.executable, "-m", "toolkit.cli", "load", *listed(tmp_path, *as_vswarm_says([one])))
        with subprocess.Popen(
            [*words, "--duration", "60s", "--no-out"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while not greeter.asked and process.poll() is None:
                time.sleep(0.01)
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                time.sleep(0.001)
    assert process.returncode == 130


def test_hostnames_without_a_port_are_called_on_the_one_that_is_given(tmp_path: Path) -> None:
    greeter = Greeter()
    with serving(greeter) as one:
        listing = listed(tmp_path, {"hostname": "localhost"})
        load(*listing, "--port", one.rpartition(":")[2], "--requests", "5", "--no-out")
    assert len(greeter.asked) == 5


def test_one_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    class Hanging(Greeter):
        def SayHello(  # noqa: N802 - its name in the .proto
            self, request: messages.HelloRequest, context: grpc.ServicerContext
        ) -> messages.HelloReply:
            released.wait(30)
            return messages.HelloReply()

    import threading

    released = threading.Event()
    with serving(Greeter()) as one, serving(Hanging()) as two:
        listing = listed(tmp_path, *as_vswarm_says([one, two]))
        done = load(*listing, "--requests", "20", "--rate", "100", "--timeout", "1s", "-o", "json", status=4)
        released.set()
    quick, hung = json.loads(done.stdout)["endpoints"]
    assert (quick["ok"], hung["ok"]) == (10, 0)
    assert hung["statuses"] == {"DEADLINE_EXCEEDED": 10}


def test_everything_that_is_wrong_with_a_list_is_told_at_once(tmp_path: Path) -> None:
    wrong = [{"hostname": ""}, {"hostname": "a b"}, {"eventing": "yes"}, "x", {"hostname": "a", "eventing": True}]
    done = load(*listed(tmp_path, *wrong), status=2)
    for place in ("[0].hostname", "[1].hostname", "[2].hostname", "[2].eventing", "[3]", "[4].eventing"):
        assert f"{place}:" in done.stderr
    assert "TimeseriesDB" in done.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", "[" * 100_000, '"x"', "null", "\ufeff[]"])
def test_what_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(text)
    done = load("--endpoints", str(file), status=2)
    assert "endpoints.json" in done.stderr


def test_a_list_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "No such file" in load("--endpoints", str(tmp_path / "none.json"), status=2).stderr


def test_an_endpoint_that_nobody_serves_is_named(tmp_path: Path) -> None:
    with serving(Greeter()) as one:
        done = load(*listed(tmp_path, *as_vswarm_says([one, "127.0.0.1:1"])), "--requests", "2", status=3)
    assert "127.0.0.1:1" in done.stderr


def test_a_target_and_a_list_exclude_each_other(tmp_path: Path) -> None:
    both = (*listed(tmp_path, {"hostname": "a"}), "--target", "h2c://a/b/c")
    assert "not allowed with" in load(*both, status=2).stderr
    assert "--port" in load("--target", "h2c://a/b/c", "--port", "80", status=2).stderr
