"""Zipkin's own pages on our store: out of which jars, on which paths, and what a request cannot reach."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.cli.program import call
from tests.tracestore.asking import Asking
from toolkit.engines.tracestore import lens, serve
from toolkit.errors import UsageError
from toolkit.sdk.http1 import Client

INDEX = b'<!DOCTYPE html><html><head><base href="/zipkin/" ></head></html>'
SCRIPT = b"console.log(1); " * 200
FILES = {
    "zipkin-lens/index.html": INDEX,
    "zipkin-lens/favicon.ico": b"icon",
    "zipkin-lens/static/js/index.abc.js": SCRIPT,
    "zipkin-lens/static/css/index.abc.css": b"p{}",
    "zipkin-lens/static/media/logo.png": b"png",
    "META-INF/MANIFEST.MF": b"secret",
    "application.yml": b"secret",
}


def packed(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return written.getvalue()


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "lens.jar"
    path.write_bytes(packed(FILES))
    return path


@asynccontextmanager
async def showing(pages: lens.Pages) -> AsyncIterator[Asking]:
    running = await serve("127.0.0.1", 0, pages=pages)
    client = Client()
    try:
        yield Asking(running, client, [])
    finally:
        await client.close()
        await running.close()


@pytest.mark.parametrize(
    "path",
    [
        "/zipkin/",
        "/zipkin/index.html",
        "/zipkin/dependency",
        "/zipkin/traceViewer",
        "/zipkin/traces/00000000000000a1",
        "/zipkin/?serviceName=%3Cscript%3E",
        "/zipkin/traces/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    ],
)
async def test_every_route_of_the_pages_is_the_published_document(jar: Path, path: str) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get(path)
        assert (answer.status, answer.body) == (200, INDEX)
        assert answer.header(b"content-type") == b"text/html; charset=utf-8"
        assert answer.header(b"cache-control") == b"max-age=60"
        assert answer.header(b"x-content-type-options") == b"nosniff"
        assert b"default-src 'self'" in (answer.header(b"content-security-policy") or b"")


@pytest.mark.parametrize(
    ("path", "kind", "age"),
    [
        ("/zipkin/static/js/index.abc.js", b"application/javascript; charset=utf-8", b"max-age=31536000"),
        ("/zipkin/static/css/index.abc.css", b"text/css; charset=utf-8", b"max-age=31536000"),
        ("/zipkin/static/media/logo.png", b"image/png", b"max-age=31536000"),
        ("/zipkin/favicon.ico", b"image/x-icon", b"max-age=31536000"),
        ("/zipkin/config.json", b"application/json; charset=utf-8", b"max-age=600"),
    ],
)
async def test_assets_have_their_type_and_may_be_kept(jar: Path, path: str, kind: bytes, age: bytes) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get(path)
        assert answer.status == 200
        assert (answer.header(b"content-type"), answer.header(b"cache-control")) == (kind, age)
        assert answer.header(b"x-content-type-options") == b"nosniff"
        assert answer.header(b"last-modified")
        again = await it.get(path, (b"If-None-Match", answer.header(b"etag") or b""))
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/", b"/zipkin/"),
        ("/zipkin", b"/zipkin/"),
        ("/?serviceName=a", b"/zipkin/?serviceName=a"),
        ("/favicon.ico", b"/zipkin/favicon.ico"),
    ],
)
async def test_the_front_door_leads_to_the_pages(jar: Path, path: str, place: bytes) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get(path)
        assert (answer.status, answer.header(b"location")) == (302, place)


@pytest.mark.parametrize(
    "path",
    [
        "/zipkin/../application.yml",
        "/zipkin/..%2f..%2fapplication.yml",
        "/zipkin/static/..%2f..%2fapplication.yml",
        "/zipkin/static/%2e%2e/%2e%2e/META-INF/MANIFEST.MF",
        "/zipkin/META-INF/MANIFEST.MF",
        "/zipkin/zipkin-lens/index.html",
        "/zipkin//etc/passwd",
        "/zipkin/%2Fetc%2Fpasswd",
        "/zipkin/static/",
        "/zipkin/static",
        "/zipkin/traces",
        "/zipkin/traces/",
        "/zipkin/traces/a/b",
        "/zipkin/dependency/",
        "/zipkin/nope",
        "/zipkin/index.html%00",
        "/zipkin/%ff",
        "//evil.example/",
        "/\\evil.example",
        "/index.html",
        "/config.json",
    ],
)
async def test_nothing_else_can_be_reached(jar: Path, path: str) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get(path)
        assert (answer.status, answer.body) == (404, b"not found")


async def test_a_browser_that_takes_gzip_gets_it(jar: Path) -> None:
    async with showing(lens.read(jar)) as it:
        path = "/zipkin/static/js/index.abc.js"
        answer = await it.get(path, (b"Accept-Encoding", b"gzip, deflate, br"))
        assert (answer.header(b"content-encoding"), answer.header(b"vary")) == (b"gzip", b"Accept-Encoding")
        assert gzip.decompress(answer.body) == SCRIPT
        plain = await it.get(path, (b"Accept-Encoding", b"gzip;q=0, br"))
        assert (plain.header(b"content-encoding"), plain.body) == (None, SCRIPT)
        short = await it.get("/zipkin/favicon.ico", (b"Accept-Encoding", b"gzip"))
        assert (short.header(b"content-encoding"), short.body) == (None, b"icon")


async def test_pages_are_only_read(jar: Path) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get("/zipkin/", method="POST")
        assert (answer.status, answer.header(b"allow")) == (405, b"GET, HEAD")
        head = await it.get("/zipkin/", method="HEAD")
        assert (head.status, head.body, head.header(b"content-length")) == (200, b"", str(len(INDEX)).encode())


async def test_the_pages_are_told_what_a_zipkin_tells_them(jar: Path) -> None:
    async with showing(lens.read(jar)) as it:
        answer = await it.get("/zipkin/config.json")
        assert json.loads(answer.body) == {
            "environment": "",
            "queryLimit": 10,
            "defaultLookback": 900000,
            "searchEnabled": True,
            "logsUrl": None,
            "supportUrl": None,
            "archivePostUrl": None,
            "archiveUrl": None,
            "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
        }


async def test_the_api_is_behind_the_pages_as_it_is_without(jar: Path) -> None:
    async with showing(lens.read(jar)) as it:
        assert await it.json("/zipkin/api/v2/services") == []
        assert (await it.get("/health")).status == 200


async def test_another_site_gets_no_page(jar: Path) -> None:
    async with showing(lens.read(jar)) as it:
        assert (await it.get("/zipkin/", (b"Host", b"evil.example"))).status == 403
        assert (await it.get("/zipkin/config.json", (b"Origin", b"http://evil.example"))).status == 403


@pytest.mark.parametrize("path", ["/", "/zipkin", "/zipkin/", "/zipkin/traces/a1", "/zipkin/dependency"])
async def test_a_store_without_pages_says_how_to_have_them(path: str) -> None:
    async with showing(lens.absent) as it:
        answer = await it.get(path)
        assert answer.status == 404
        assert b"toolkit trace serve --lens JAR" in answer.body
        assert answer.header(b"content-type") == b"text/plain; charset=utf-8"


async def test_a_servers_jar_has_the_pages_inside(tmp_path: Path) -> None:
    path = tmp_path / "server.jar"
    path.write_bytes(packed({"BOOT-INF/lib/zipkin-lens-9.9.jar": packed(FILES), "application.yml": b"secret"}))
    async with showing(lens.read(path)) as it:
        assert (await it.get("/zipkin/")).body == INDEX
        assert (await it.get("/zipkin/application.yml")).status == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no whole jar: File is not a zip file"),
        (b"<html>404</html>", "no whole jar: File is not a zip file"),
        (packed(FILES)[:-30], "no whole jar"),
        (packed(FILES)[200:], "no whole jar"),
        (packed({"a": b"b"}), "a jar without Zipkin's Lens in it"),
        (packed({"zipkin-lens/static/a.js": b"b"}), "a jar without Zipkin's Lens in it"),
        (packed({"BOOT-INF/lib/zipkin-lens-1.jar": b"PK nothing"}), "no whole jar: File is not a zip file"),
        (packed(FILES).replace(SCRIPT[:1], b""), "no whole jar"),
        (packed({"zipkin-lens/index.html": b"a" * (65 << 20)}), "unpacks to more than 64 MiB"),
    ],
    ids=["empty", "a page", "its end cut", "its begin cut", "no lens", "no index", "broken inside", "bent", "a bomb"],
)
def test_a_jar_that_is_none_is_refused_with_where_to_get_one(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "lens.jar"
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        lens.read(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert f"io.zipkin:zipkin-lens:{lens.VERSION}" in (refused.value.next_step or "")


@pytest.mark.parametrize("name", ["missing.jar", "."])
def test_a_jar_that_cannot_be_read_is_refused_with_where_to_get_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"No such file|Is a directory") as refused:
        lens.read(tmp_path / name)
    assert "repo1.maven.org" in (refused.value.next_step or "")


def test_the_command_says_in_two_lines_what_is_wrong_with_a_jar(tmp_path: Path) -> None:
    (tmp_path / "page.jar").write_bytes(b"<html>404</html>")
    ended = call(tmp_path, "trace", "serve", "--listen", "127.0.0.1:0", "--lens", "page.jar")
    assert (ended.returncode, ended.stdout) == (2, "")
    wrong, cure = ended.stderr.splitlines()
    assert "--lens page.jar is no whole jar: File is not a zip file" in wrong
    assert "mvn dependency:copy -Dartifact=io.zipkin:zipkin-lens:" in cure
