"""The broker as a process: it says when it is ready, tells incidents, and leaves when it should."""

from __future__ import annotations

import itertools
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.contract import EXIT_PORT_TAKEN
from toolkit.engines.local.broker import BrokerConfig, DeliveryConfig, ServiceConfig, TriggerConfig, encode
from toolkit.engines.local.broker.__main__ import Lines
from toolkit.engines.local.broker.incidents import LIMIT

COMMAND = [sys.executable, "-m", "toolkit.engines.local.broker"]
CONFIG = ServiceConfig((BrokerConfig("ns", "b"),))


@contextmanager
def started(config: ServiceConfig = CONFIG, *arguments: str, behind: str = "") -> Iterator[subprocess.Popen[str]]:
    """The process, with its configuration on stdin, and `behind` with it in the same write."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        if not arguments:
            process.stdin.write(encode(config) + "\n" + behind)
            process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def post(port: int, headers: dict[str, str]) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/ns/b", b"{}", headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


EVENT = {"ce-id": "1", "ce-type": "t", "ce-source": "/s", "ce-specversion": "1.0"}
HEADERS = [f"{name}: {value}".encode() for name, value in EVENT.items()]


def test_it_says_where_it_listens_and_takes_events() -> None:
    with started() as process:
        ready = line(process)["ready"]
        assert ready["host"] == "127.0.0.1"
        assert post(ready["port"], EVENT) == 202


def test_it_tells_incidents_as_they_happen() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        trigger = TriggerConfig("t", (url,), (), DeliveryConfig())
        with started(ServiceConfig((BrokerConfig("ns", "b", (trigger,)),))) as process:
            assert post(line(process)["ready"]["port"], EVENT) == 500
            incident = line(process)["incident"]
    assert (incident["kind"], incident["subject"]) == ("undelivered", "t")
    assert "event '1' of type 't' is lost" in incident["text"]


@pytest.mark.parametrize("character", [b"a", b"%41", b"'"])
def test_a_path_of_100_kb_is_told_in_a_short_line(character: bytes) -> None:
    head = b"\r\n".join([b"POST /ns/" + character * 100_000 + b" HTTP/1.1", b"Host: x", *HEADERS, b"Connection: close"])
    with started() as process:
        port = line(process)["ready"]["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as link, link.makefile("rb") as answer:
            link.sendall(head + b"\r\nContent-Length: 0\r\n\r\n")
            assert answer.readline() == b"HTTP/1.1 404 Not Found\r\n"
        assert process.stdout is not None
        told = process.stdout.readline()
    assert "there is no such broker" in told
    assert len(told) <= 4096


def test_the_end_of_stdin_is_its_end() -> None:
    with started() as process:
        line(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_its_end(number: signal.Signals) -> None:
    with started() as process:
        line(process)
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_reader_that_is_gone_is_its_end() -> None:
    with started() as process:
        port = line(process)["ready"]["port"]
        assert process.stdout is not None
        process.stdout.close()
        assert post(port, {**EVENT, "ce-time": "bad"}) == 400  # a warning, told to nobody
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@contextmanager
def deaf(delivery: DeliveryConfig | None = None) -> Iterator[ServiceConfig]:
    """Brokers that answer first, for a subscriber that is connected to and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as link:
        trigger = TriggerConfig("t", (f"http://127.0.0.1:{link.getsockname()[1]}/",), (), delivery)
        yield ServiceConfig((BrokerConfig("ns", "b", (trigger,), "async"),))


def ask(process: subprocess.Popen[str], *pieces: str) -> None:
    assert process.stdin is not None
    for piece in pieces:
        process.stdin.write(piece)
        process.stdin.flush()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "the end of stdin"])
def test_what_it_cuts_off_at_its_end_is_told_before_it_is_gone(how: str) -> None:
    with deaf() as config, started(config) as process:
        port = line(process)["ready"]["port"]
        assert [post(port, {**EVENT, "ce-id": f"n{number}"}) for number in range(LIMIT + 2)] == [202] * (LIMIT + 2)
        assert process.stdin is not None
        assert process.stdout is not None
        if how == "the end of stdin":
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])
        told = [json.loads(text)["incident"] for text in process.stdout]
        assert process.wait(10) == 0
    assert {each["kind"] for each in told} == {"undelivered"}
    assert [each["message"] for each in told] == [*(f"n{number}" for number in range(LIMIT)), None]
    assert told[0]["text"] == "event 'n0' of type 't' was cut off when the broker was stopped"
    assert (told[-1]["text"], told[-1]["count"]) == ("and 2 more like it", 2)


def test_an_event_that_waits_for_a_retry_is_told_at_the_end() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
        delivery = DeliveryConfig(retry=5, backoffPolicy="exponential", backoffDelay_s=60)
        trigger = TriggerConfig("t", (url,), (), delivery)
        with started(ServiceConfig((BrokerConfig("ns", "b", (trigger,), "async"),))) as process:
            assert post(line(process)["ready"]["port"], EVENT) == 202
            process.terminate()
            incident = line(process)["incident"]
            assert process.wait(10) == 0
    assert (incident["kind"], incident["subject"], incident["message"]) == ("undelivered", "t", "1")


def test_it_says_how_much_is_open_when_it_is_asked() -> None:
    with deaf() as config, started(config) as process:
        port = line(process)["ready"]["port"]
        ask(process, "open?\n")
        assert line(process) == {"open": 0}
        for number in range(3):
            post(port, EVENT)
            ask(process, "open?\n")
            assert line(process) == {"open": number + 1}


def test_it_is_asked_in_pieces_and_in_heaps_and_overhears_the_rest() -> None:
    with started() as process:
        line(process)
        ask(process, "op", "en", "?", "\nopen?\r\n", "shut?\nopen? \n\0\n\nOPEN?\nopen", "?\n")
        assert [line(process) for _ in range(3)] == [{"open": 0}] * 3
        ask(process, "x" * 200_000 + "open?\n" + "open?\n")
        assert line(process) == {"open": 0}
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("open?")  # without an end it is no line
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(10) == 0


def test_a_question_that_came_with_the_configuration_is_answered() -> None:
    with started(behind="open?\nope") as process:
        assert "ready" in line(process)
        assert line(process) == {"open": 0}
        ask(process, "n?\n")
        assert line(process) == {"open": 0}


def test_a_question_on_stdin_is_answered_when_a_file_holds_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "broker.json"
    path.write_text(encode(CONFIG))
    with started(CONFIG, "--config", str(path)) as process:
        line(process)
        ask(process, "open?\n")
        assert line(process) == {"open": 0}


@given(st.lists(st.integers(0, 400), max_size=20))
def test_lines_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    text = b"open?\n" + b"y" * 300 + b"\nopen?\r\nopen?\n\n" + b"z" * 70
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines = Lines()
    found = [each for a, b in itertools.pairwise(edges) for each in lines.feed(text[a:b])]
    assert [each == b"open?" for each in found] == [True, False, True, True, False]


def test_a_line_without_an_end_does_not_pile_up() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"open?" * 1000) == []
    assert len(lines._rest) < 100
    assert lines.feed(b"\nopen?\n")[1:] == [b"open?"]


def test_a_file_can_hold_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "broker.json"
    path.write_text(encode(CONFIG))
    with started(CONFIG, "--config", str(path)) as process:
        assert post(line(process)["ready"]["port"], EVENT) == 202


@pytest.mark.parametrize("text", ["", "{}", "not json", "\0"])
def test_a_bad_configuration_is_one_line_and_a_2(text: str) -> None:
    done = subprocess.run(COMMAND, input=text + "\n", capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("broker: not a broker configuration")
    assert done.stderr.count("\n") == 1


def test_a_missing_file_is_one_line_and_a_2() -> None:
    done = subprocess.run([*COMMAND, "--config", "/nowhere"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_port_that_is_taken_has_its_own_status() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = ServiceConfig((BrokerConfig("ns", "b"),), port=taken.getsockname()[1])
        done = subprocess.run(
            COMMAND, input=encode(config) + "\n", capture_output=True, text=True, timeout=20, check=False
        )
    assert done.returncode == EXIT_PORT_TAKEN
    assert "in use" in done.stderr
