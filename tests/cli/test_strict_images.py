"""One build for all functions: `--engine vhive --profile strict` bakes each one's wiring into an image of its own."""

from __future__ import annotations

import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cli import programs
from tests.cli.built import STRICT, TO_TAR, build, images
from toolkit.cli import main

pytestmark = pytest.mark.usefixtures("workshop")


def test_strict_images_hold_the_wiring_that_render_writes(capsys: pytest.CaptureFixture[str]) -> None:
    told = build(capsys, *TO_TAR, *STRICT, "-n", "here", "--payload", "7B")
    assert main(["render", "chain", *STRICT, "-n", "here", "--payload", "7B", "-o", "out"]) == 0
    functions = [each["function"] for each in told["images"]]
    assert functions == ["producer", "publisher", "subscriber", "consumer"]
    with tarfile.open("image.tar") as tar:
        for each in told["images"]:
            (layer,) = [one for one in each["layers"] if one["what"] == "wiring"]
            blob = tar.extractfile(f"blobs/{layer['digest'].replace(':', '/')}")
            assert blob is not None
            with tarfile.open(fileobj=blob, mode="r:gz") as inner:
                file = inner.extractfile("etc/toolkit/wiring.json")
                assert file is not None
                assert file.read() == Path(f"out/wiring/{each['function']}.json").read_bytes()


def test_strict_images_are_as_those_that_are_built_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    told = build(capsys, *TO_TAR, *STRICT)
    assert main(["render", "chain", *STRICT, "-o", "out"]) == 0
    digests = [
        build(capsys, "--base", "base", "--to", "one.tar", "--wiring", f"out/wiring/{each['function']}.json")["digest"]
        for each in told["images"]
    ]
    assert digests == [each["digest"] for each in told["images"]]


def test_render_uses_the_images_of_the_functions(capsys: pytest.CaptureFixture[str]) -> None:
    told = build(capsys, *TO_TAR, *STRICT)
    template = told["reference"]
    assert template.startswith("dev.local/chained-mixed-{function}:")
    references = {each["reference"] for each in told["images"]}
    assert references == {template.replace("{function}", each["function"]) for each in told["images"]}
    assert main(["render", "chain", *STRICT]) == 0
    assert images(capsys.readouterr().out) == references
    with tarfile.open("image.tar") as tar:
        file = tar.extractfile("manifest.json")
        assert file is not None
        assert {name for each in json.load(file) for name in each["RepoTags"]} == references


def test_the_name_alone_is_what_image_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "chain", *TO_TAR, *STRICT, "-o", "name"]) == 0
    template = capsys.readouterr().out.strip()
    assert main(["render", "chain", *STRICT, "--image", template]) == 0


def test_strict_images_share_a_tag_that_their_content_decides(capsys: pytest.CaptureFixture[str]) -> None:
    references = [build(capsys, *TO_TAR, *STRICT, *more)["reference"] for more in ((), (), ("--seed", "2"))]
    assert references[0] == references[1] != references[2]


@pytest.mark.parametrize(
    "more", [("-n", "other"), ("--seed", "2"), ("--payload", "7B"), ("--tracing",), ("--zipkin", "http://z:9411")]
)
def test_another_wiring_makes_strict_images_stale_and_the_command_bakes_it_in(
    more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    build(capsys, *TO_TAR, *STRICT)
    assert main(["render", "chain", *STRICT, *more]) == 2
    told = capsys.readouterr().err
    assert "is stale: it was built before the wiring of '" in told
    assert main(told.partition("next: build it again: toolkit ")[2].split()) == 0
    assert main(["render", "chain", *STRICT, *more]) == 0


def test_one_image_and_one_for_each_function_are_remembered_beside_each_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["render", "chain", *STRICT]) == 2
    assert "next: 'toolkit build chain --engine vhive --profile strict --base BASE" in capsys.readouterr().err
    whole = build(capsys, *TO_TAR, "--engine", "vhive")["reference"]
    build(capsys, *TO_TAR, *STRICT)
    capsys.readouterr()
    assert main(["render", "chain", "--engine", "vhive"]) == 0
    assert images(capsys.readouterr().out) == {whole}


def test_a_function_may_stand_anywhere_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    told = build(capsys, *TO_TAR, *STRICT, "--tag", "ghcr.io/{function}/x:v1-{function}")
    assert told["reference"] == "ghcr.io/{function}/x:v1-{function}"
    assert told["images"][0]["reference"] == "ghcr.io/producer/x:v1-producer"


def test_a_hook_runs_once_for_each_function(
    workshop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.install(workshop, "send")
    programs.install(workshop, "kind")
    told = build(capsys, "--base", "base", *STRICT, "--load", "kind", "--publish", "send {tar} {image}")
    references = [each["reference"] for each in told["images"]]
    first, *others = programs.taken(workshop)
    assert (first["words"][0], first["images"]) == ("kind", references)
    assert [each["images"] for each in others] == [[each] for each in references]
    assert [each["words"][2] for each in others] == references


def test_a_layout_holds_them_all_under_their_whole_names(capsys: pytest.CaptureFixture[str]) -> None:
    told = build(capsys, "--base", "base", "--to", "layout", *STRICT)
    found = json.loads(Path("layout/index.json").read_text())["manifests"]
    named = [each["annotations"]["org.opencontainers.image.ref.name"] for each in found]
    assert named == [each["reference"] for each in told["images"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--wiring", "x"), "--wiring is for one image"),
        (("--files", "out"), "--files is for one image"),
        (("-n", "Big"), "is no name of a namespace"),
        (("--run", ""), "--run '' is no id"),
        (("--tracing", "--zipkin", "http://z"), "--tracing brings a Zipkin of its own"),
        (("--tag", "a b"), "is no name of an image"),
        (("--push", "x.y/{other}"), "is no name of an image"),
    ],
)
def test_what_cannot_be_baked_in_is_told(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "chain", *TO_TAR, *STRICT, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_chain_that_needs_an_environment_is_not_built_strict(capsys: pytest.CaptureFixture[str]) -> None:
    text = "name: shop\nfunctions: {shop: {handler: 'handlers.py:f', env: {MODE: x}}}\n"
    Path("chain/chain.yaml").write_text(text)
    assert main(["build", "chain", *TO_TAR, *STRICT]) == 2
    assert "'shop' sets MODE, and vHive's strict profile passes no environment" in capsys.readouterr().err


# --- Pushed -----------------------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Knows the paths of the manifests that were put there."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.put: list[str] = []


class Registry(http.server.BaseHTTPRequestHandler):
    """Has every blob already, and takes manifests."""

    def do_HEAD(self) -> None:
        self._answer(200)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        cast(Server, self.server).put.append(self.path)
        self._answer(201)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[tuple[str, list[str]]]:
    """`HOST:PORT`, and the paths of the manifests that were put there."""
    with Server(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", server.put
        server.shutdown()
        thread.join()


def test_a_pushed_image_is_known_by_its_digest(
    registry: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    host, _ = registry
    told = build(capsys, "--base", "base", "--push", f"{host}/bench/chains:v1")
    assert main(["render", "chain"]) == 0
    printed = capsys.readouterr()
    assert images(printed.out) == {told["pushed"]} == {f"{host}/bench/chains@{told['digest']}"}
    assert ", pushed\n" in printed.err


def test_the_images_of_all_functions_are_pushed_under_names_of_their_own(
    registry: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    host, put = registry
    told = build(capsys, "--base", "base", *STRICT, "--push", f"{host}/bench")
    tag = told["reference"].rpartition(":")[2]
    functions = [each["function"] for each in told["images"]]
    assert put == [f"/v2/bench-{each}/manifests/{tag}" for each in functions]
    assert main(["render", "chain", *STRICT]) == 0
    assert images(capsys.readouterr().out) == {f"{host}/bench-{each}:{tag}" for each in functions}
