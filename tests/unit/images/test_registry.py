"""Pushing: against a real registry where there is one, and against one of our own for what a real one seldom does."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.program import wait_until
from tests.unit.images.surroundings import SILENT, order
from tests.unit.images.surroundings import chain as a_chain
from toolkit.images import build, credentials, names, registry, transport
from toolkit.images.credentials import Login
from toolkit.images.model import Image, ImageError

USER, PASSWORD = "ali", "open sesame"
HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"


@pytest.fixture
def image(base: Path, chain: Path, cache: Path) -> Iterator[Image]:
    with build.building(order(base, chain, cache), SILENT) as found:
        yield found


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody is logged in anywhere, whoever runs the tests; no second is waited between two tries."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setattr(transport, "WAITS_S", (0.0, 0.0))
    (tmp_path / "docker").mkdir()
    return tmp_path / "docker"


def log_in(folder: Path, **config: object) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def push(image: Image, name: str, said: Callable[[str], None] = SILENT, **more: bool) -> str:
    return registry.push(image, names.parse(name), "v1", plain=more.get("plain", False), note=said)


# --- A real one -------------------------------------------------------------------------------------------------------


@pytest.fixture
def real(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """`HOST:PORT` of a real registry; with a password when the test's parameter says so."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("no docker-registry here (Debian: apt-get install docker-registry)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": place},
    }
    if getattr(request, "param", None) == "password":
        (tmp_path / "htpasswd").write_text(HTPASSWD)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}
    (tmp_path / "registry.yml").write_text(json.dumps(settings))
    command = [program, "serve", str(tmp_path / "registry.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: listening(place), "the registry")
            yield place
        finally:
            process.terminate()


def listening(place: str) -> bool:
    host, _, port = place.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_real_registry_holds_what_was_pushed_and_shared_layers_are_sent_once(
    real: str, image: Image, base: Path, cache: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    by_digest = push(image, f"{real}/bench/chains", said.append)
    assert by_digest == f"{real}/bench/chains@{image.descriptor.digest}"
    sent = [line for line in said if "bytes" in line]
    assert len(sent) == len(image.layers) + 1
    connection = transport.Connection(real, "bench/chains", True, None)
    for what in ("v1", image.descriptor.digest):
        answer = connection.request("GET", f"manifests/{what}")
        assert answer.body == image.manifest
    for layer in image.layers:
        answer = connection.request("HEAD", f"blobs/{layer.descriptor.digest}")
        assert answer.headers["content-length"] == str(layer.descriptor.size)
    said.clear()
    other = a_chain(tmp_path / "other", x_txt="x")
    with build.building(order(base, other, cache), SILENT) as second:
        push(second, f"{real}/bench/chains", said.append)
    assert said[:3] == [f"push: {what} is there already" for what in ("base", "dependencies", "scaffold")]
    assert [line.partition(",")[0] for line in said[3:]] == ["push: chain", "push: configuration"]


@pytest.mark.parametrize("real", ["password"], indirect=True)
def test_a_real_registry_that_wants_a_password_gets_the_one_of_docker_login(
    real: str, image: Image, nobody: Path
) -> None:
    with pytest.raises(ImageError, match="without a login") as told:
        push(image, f"{real}/bench/chains")
    assert "docker login" in str(told.value.next_step)
    log_in(nobody, auths={real: {"auth": base64.b64encode(f"{USER}:wrong".encode()).decode()}})
    with pytest.raises(ImageError, match="as ali"):
        push(image, f"{real}/bench/chains")
    log_in(nobody, auths={real: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}})
    assert push(image, f"{real}/bench/chains").endswith(image.descriptor.digest)


# --- One of our own ---------------------------------------------------------------------------------------------------


class Registry(ThreadingHTTPServer):
    """As little of a registry as a push meets. `stumbles` are statuses that the next requests get in its place."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.token: str | None = None
        self.realm: str | None = None
        self.stumbles: list[int] = []
        self.upload_host: str | None = None
        self.wrong_digest = False
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.seen: list[tuple[str, str, str | None]] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Requests(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts, server = urlsplit(self.path), self.server
        server.seen.append((self.command, parts.path, self.headers.get("Authorization")))
        if parts.path == "/token":
            self.give_token(parse_qs(parts.query or body.decode()))
        elif server.stumbles and self.command != "HEAD":  # whose answers hold no words
            self.answer(server.stumbles.pop(0), b'{"errors": [{"code": "UNAVAILABLE", "message": "a bad day"}]}')
        elif (
            server.token
            and self.headers.get("Authorization") != f"Bearer {server.token}"
            and "elsewhere" not in self.path
        ):
            realm = server.realm or f"http://{server.place}/token"
            self.answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="here",scope="ignored"')
        else:
            self.serve(parts.path, parse_qs(parts.query), body)

    do_HEAD = do_GET = do_POST = do_PUT = do  # noqa: N815 - the library's names

    def give_token(self, asked: dict[str, list[str]]) -> None:
        assert asked["scope"] == ["repository:bench/chains:pull,push"]
        ours = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") == f"Basic {ours}" or asked.get("refresh_token") == ["refresh"]:
            self.answer(200, json.dumps({"access_token": self.server.token}).encode())
        else:
            self.answer(401)

    def serve(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        server = self.server
        if self.command == "HEAD":
            self.answer(200 if path.rpartition("/")[2] in server.blobs else 404)
        elif self.command == "POST":
            self.answer(202, Location=f"{server.upload_host or ''}/v2/bench/chains/blobs/uploads/1?state=x")
        elif "uploads" in path:
            assert (query["state"], self.headers["Content-Type"]) == (["x"], "application/octet-stream")
            assert query["digest"] == [f"sha256:{hashlib.sha256(body).hexdigest()}"]
            server.blobs[query["digest"][0]] = body
            self.answer(201)
        else:
            digest = "sha256:" + "0" * 64 if server.wrong_digest else f"sha256:{hashlib.sha256(body).hexdigest()}"
            server.manifests[path.rpartition("/")[2]] = body
            self.answer(201, Docker_Content_Digest=digest)


@pytest.fixture
def fake() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_token_is_fetched_with_the_password_and_sent_to_the_registry(
    fake: Registry, image: Image, nobody: Path
) -> None:
    fake.token = "t0ken"
    log_in(nobody, auths={fake.place: {"username": USER, "password": PASSWORD}})
    push(image, f"{fake.place}/bench/chains")
    assert fake.manifests["v1"] == image.manifest
    assert len([path for _, path, _ in fake.seen if path == "/token"]) == 1


def test_a_refresh_token_is_as_good_as_a_password(fake: Registry, image: Image, nobody: Path) -> None:
    fake.token = "t0ken"
    log_in(nobody, auths={fake.place: {"identitytoken": "refresh"}})
    push(image, f"{fake.place}/bench/chains")
    assert fake.manifests["v1"] == image.manifest


def test_a_credential_helper_is_asked(
    fake: Registry, image: Image, nobody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.token = "t0ken"
    helper = tmp_path / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f'#!/bin/sh\nread server\n[ "$1 $server" = "get {fake.place}" ] || exit 1\n'
        f'echo \'{{"Username": "{USER}", "Secret": "{PASSWORD}"}}\'\n'
    )
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(helper.parent), prepend=":")
    log_in(nobody, credHelpers={fake.place: "test"})
    push(image, f"{fake.place}/bench/chains")
    assert fake.manifests["v1"] == image.manifest


def test_who_may_not_is_told_to_log_in_and_no_password_is_shown(fake: Registry, image: Image, nobody: Path) -> None:
    fake.token = "t0ken"
    log_in(nobody, auths={fake.place: {"username": USER, "password": "wrong-secret"}})
    with pytest.raises(ImageError, match="gives no token to ali") as told:
        push(image, f"{fake.place}/bench/chains")
    assert "wrong-secret" not in f"{told.value} {told.value.next_step} {Login('a', 'wrong-secret')!r}"


def test_no_password_goes_to_a_place_that_could_be_anybody(
    fake: Registry, image: Image, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.token, fake.realm = "t0ken", "ftp://example.org/token"
    log_in(nobody, auths={fake.place: {"username": USER, "password": PASSWORD}})
    with pytest.raises(ImageError, match="no password is sent there"):
        push(image, f"{fake.place}/bench/chains")


def test_an_upload_to_another_host_takes_no_token_along(fake: Registry, image: Image, nobody: Path) -> None:
    fake.token = "t0ken"
    fake.upload_host = f"http://localhost:{fake.server_address[1]}/elsewhere"
    log_in(nobody, auths={fake.place: {"username": USER, "password": PASSWORD}})
    push(image, f"{fake.place}/bench/chains")
    uploads = [authorization for _, path, authorization in fake.seen if "elsewhere" in path]
    assert len(uploads) == len(image.layers) + 1
    assert set(uploads) == {None}


def test_another_host_that_asks_for_a_password_gets_none(fake: Registry, image: Image, nobody: Path) -> None:
    log_in(nobody, auths={fake.place: {"username": USER, "password": PASSWORD}})
    with Registry() as other:
        other.token = "theirs"
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.upload_host = f"http://{other.place}"
        with pytest.raises(ImageError, match="refuses PUT"):
            push(image, f"{fake.place}/bench/chains")
        other.shutdown()
        thread.join()
    assert [seen for seen in other.seen if seen[1] == "/token" or seen[2]] == []


@pytest.mark.parametrize("place", ["file:///tmp", "http://[broken", "ftp://example.org", "data:,x"])
def test_an_upload_is_never_sent_to_what_is_no_web_address(fake: Registry, image: Image, place: str) -> None:
    fake.upload_host = place
    with pytest.raises(ImageError, match="that is no web address"):
        push(image, f"{fake.place}/bench/chains")


def test_a_registry_that_stumbles_is_asked_again_and_one_that_stays_down_is_told(fake: Registry, image: Image) -> None:
    fake.stumbles = [503, 429]
    push(image, f"{fake.place}/bench/chains")
    assert fake.manifests["v1"] == image.manifest
    fake.stumbles = [503] * 3
    with pytest.raises(ImageError, match="503 UNAVAILABLE: a bad day"):
        push(image, f"{fake.place}/bench/chains")


def test_a_registry_that_stores_something_else_is_not_believed(fake: Registry, image: Image) -> None:
    fake.wrong_digest = True
    with pytest.raises(ImageError, match="stored the manifest as sha256:000"):
        push(image, f"{fake.place}/bench/chains")


def test_the_manifest_comes_last_so_that_nobody_pulls_half_an_image(fake: Registry, image: Image) -> None:
    push(image, f"{fake.place}/bench/chains")
    paths = [path for _, path, _ in fake.seen]
    assert [path for path in paths if "manifests" in path] == [paths[-1]]
    assert {each.descriptor.digest for each in image.layers} < set(fake.blobs)


def test_a_proxy_for_the_world_does_not_stand_before_this_machine(
    fake: Registry, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    push(image, f"{fake.place}/bench/chains")
    assert fake.manifests["v1"] == image.manifest


def test_a_registry_that_is_not_there_is_told(image: Image) -> None:
    with pytest.raises(ImageError, match=r"127\.0\.0\.1:9 cannot be reached: .*refused") as told:
        push(image, "127.0.0.1:9/bench/chains")
    assert told.value.exit == 3


def test_a_registry_without_tls_elsewhere_is_told_how(fake: Registry) -> None:
    connection = transport.Connection(fake.place, "bench/chains", plain=False, login=None)
    with pytest.raises(ImageError, match="SSL") as told:
        connection.request("HEAD", "blobs/x")
    assert "--plain-http" in str(told.value.next_step)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("[::1]:5000", True),
        ("localhost.example.org", False),
        ("ghcr.io", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(name: str, plain: bool) -> None:
    assert transport.is_loopback(name) is plain


@pytest.mark.parametrize("text", ["", "[]", "{", '"x"', "\udcff"])
def test_a_broken_docker_configuration_is_told(nobody: Path, text: str) -> None:
    (nobody / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ImageError, match=re.escape(str(nobody / "config.json"))):
        credentials.of("ghcr.io")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"auths": []},
        {"auths": {"ghcr.io": None}},
        {"auths": {"ghcr.io": {}}},
        {"auths": {"ghcr.io": {"auth": "no base64!"}}},
        {"auths": {"ghcr.io": {"auth": base64.b64encode(b"no-colon").decode()}}},
        {"credsStore": "no-such-helper"},
        {"credsStore": "../../bin/sh"},
        {"credsStore": 7},
    ],
)
def test_a_configuration_without_a_login_is_no_login(nobody: Path, config: dict[str, object]) -> None:
    log_in(nobody, **config)
    assert credentials.of("ghcr.io") is None


def test_docker_hub_is_found_under_its_old_name(nobody: Path) -> None:
    log_in(nobody, auths={"https://index.docker.io/v1/": {"auth": base64.b64encode(b"me:secret").decode()}})
    assert credentials.of("docker.io") == Login("me", "secret")
    assert (
        transport.Connection("docker.io", "library/x", False, None).root == "https://registry-1.docker.io/v2/library/x/"
    )


def test_a_layer_that_cannot_be_read_is_told(fake: Registry, image: Image, tmp_path: Path) -> None:
    gone = dataclasses.replace(image.layers[0], open=lambda: (tmp_path / "gone").open("rb"))
    with pytest.raises(ImageError, match="gone"):
        push(dataclasses.replace(image, layers=(gone,)), f"{fake.place}/bench/chains")
