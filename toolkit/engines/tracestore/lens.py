"""Zipkin's own pages, Lens, as they were published: out of a jar, in memory, on the paths of a Zipkin server.

May live here: reading the jar, and what those paths answer. May not: spans, which the pages ask for through the API.
A page is looked up by its whole path in a table that is made once; nothing of a request ever names a file. Paths,
types and caching are those of a Zipkin 3.6 server (ZipkinUiConfiguration), but every answer forbids a browser to guess
its type, and the document forbids everything that does not come from here.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import IO

from toolkit.errors import UsageError
from toolkit.sdk.http1 import Request, Response

VERSION = "3.6.1"  # the one that is tested, and named to who has none
NEXT_STEP = (
    f"get it with 'mvn dependency:copy -Dartifact=io.zipkin:zipkin-lens:{VERSION} -DoutputDirectory=.', or with 'curl "
    f"-O https://repo1.maven.org/maven2/io/zipkin/zipkin-lens/{VERSION}/zipkin-lens-{VERSION}.jar'; "
    "the exec jar of a zipkin-server does as well"
)
MOST_BYTES = 64 << 20  # of the pages, unpacked, and of the jar within a server's jar; Lens has 2.6 MB
CONFIG = {
    "environment": "",
    "queryLimit": 10,
    "defaultLookback": 900_000,  # milliseconds
    "searchEnabled": True,
    "logsUrl": None,
    "supportUrl": None,
    "archivePostUrl": None,
    "archiveUrl": None,
    "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
}

Pages = Callable[[Request], Response | None]
"""What answers a request for a page, or None when the path is not one of theirs."""

_FOLDER = "zipkin-lens/"
_WITHIN_SERVER = re.compile(r"BOOT-INF/lib/zipkin-lens-[^/]+\.jar")
_ROUTES = re.compile(r"/zipkin/(?:index\.html|dependency|traceViewer|traces/[^/]+)?")  # the document shows them all
_HOME = {"/": "/zipkin/", "/zipkin": "/zipkin/", "/favicon.ico": "/zipkin/favicon.ico"}
_TYPES = {
    ".html": b"text/html; charset=utf-8", ".js": b"application/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8", ".json": b"application/json; charset=utf-8", ".svg": b"image/svg+xml",
    ".png": b"image/png", ".ico": b"image/x-icon", ".woff2": b"font/woff2", ".map": b"application/json; charset=utf-8",
}  # fmt: skip
# what zipfile raises, by where the damage is
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
_PACKED = (b"text/", b"application/")
_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_ONLY_FROM_HERE = (
    b"Content-Security-Policy",
    b"default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    b"worker-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: `packed` is the body in gzip, where that helps."""

    body: bytes
    packed: bytes | None
    headers: tuple[tuple[bytes, bytes], ...]
    tag: bytes


class Lens:
    """The pages of one jar; made by `read`."""

    def __init__(self, files: Mapping[str, bytes], modified_s: float) -> None:
        """`files` by their path below the folder of the pages; `modified_s` since the epoch."""
        modified = formatdate(modified_s, usegmt=True).encode()
        self._pages = {f"/zipkin/{name}": _page(name, body, modified) for name, body in files.items()}
        self._pages["/zipkin/config.json"] = _page("config.json", json.dumps(CONFIG, indent=2).encode(), modified)

    def __call__(self, request: Request) -> Response | None:
        path, mark, asked = request.target.partition("?")
        if (place := _HOME.get(path)) is not None:
            return Response(302, ((b"Location", f"{place}{mark}{asked}".encode("latin-1")), _NOSNIFF))
        page = self._pages.get("/zipkin/index.html" if _ROUTES.fullmatch(path) else path)
        if page is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return _text(405, "method not allowed", (b"Allow", b"GET, HEAD"))
        if _is_known(page.tag, request):
            return Response(304, page.headers)
        if page.packed is not None and _takes_gzip(request):
            return Response(200, (*page.headers, (b"Content-Encoding", b"gzip")), page.packed)
        return Response(200, page.headers, page.body)


def absent(request: Request) -> Response | None:
    """What a store without Lens answers where its pages would be: how to have them."""
    path = request.target.partition("?")[0]
    if path == "/favicon.ico" or not (path in _HOME or _ROUTES.fullmatch(path)):
        return None
    return _text(404, "This trace store has no pages of its own: 'toolkit trace serve --lens JAR' shows Zipkin's.\n")


def read(jar: Path) -> Lens:
    """The pages of `jar`: Lens as it is published, or a Zipkin server's jar, which has it inside. Raises UsageError."""
    try:
        file = jar.open("rb")
    except OSError as error:
        raise UsageError(f"--lens {jar}: {error.strerror or error}", next_step=NEXT_STEP) from error
    with file:
        try:
            return Lens(_files(file, jar), jar.stat().st_mtime)
        except _UNREADABLE as error:
            raise UsageError(f"--lens {jar} is no whole jar: {error}", next_step=NEXT_STEP) from error


def _files(file: IO[bytes], jar: Path) -> Mapping[str, bytes]:
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(file))
        inside = next((each for each in archive.infolist() if _WITHIN_SERVER.fullmatch(each.filename)), None)
        if inside is not None:
            _see_that_it_is_small((inside,), jar)
            archive = stack.enter_context(zipfile.ZipFile(io.BytesIO(archive.read(inside))))
        wanted = [each for each in archive.infolist() if each.filename.startswith(_FOLDER) and not each.is_dir()]
        _see_that_it_is_small(wanted, jar)
        files = {each.filename.removeprefix(_FOLDER): archive.read(each) for each in wanted}
    if "index.html" not in files:
        raise UsageError(f"--lens {jar} is a jar without Zipkin's Lens in it", next_step=NEXT_STEP)
    return files


def _see_that_it_is_small(entries: Sequence[zipfile.ZipInfo], jar: Path) -> None:
    if sum(each.file_size for each in entries) > MOST_BYTES:
        raise UsageError(f"--lens {jar} unpacks to more than {MOST_BYTES >> 20} MiB", next_step=NEXT_STEP)


def _page(name: str, body: bytes, modified: bytes) -> Page:
    kind = _TYPES.get(Path(name).suffix.lower(), b"application/octet-stream")
    packed = gzip.compress(body, mtime=0) if kind.startswith(_PACKED) and len(body) > 1024 else None
    tag = b'W/"' + hashlib.sha256(body).hexdigest()[:20].encode() + b'"'
    headers = [
        (b"Content-Type", kind),
        (b"Cache-Control", _caching(name)),
        (b"ETag", tag),
        (b"Last-Modified", modified),
        _NOSNIFF,
    ]
    if kind.startswith(b"text/html"):
        headers.append(_ONLY_FROM_HERE)
    if packed is not None:
        headers.append((b"Vary", b"Accept-Encoding"))
    return Page(body, packed, tuple(headers), tag)


def _caching(name: str) -> bytes:
    """For how long a browser need not ask again, as Zipkin says it: names of assets change with what is in them."""
    return {"index.html": b"max-age=60", "config.json": b"max-age=600"}.get(name, b"max-age=31536000")


def _is_known(tag: bytes, request: Request) -> bool:
    known = [each.strip() for each in (request.header(b"if-none-match") or b"").split(b",")]
    return b"*" in known or tag in known or tag.removeprefix(b"W/") in known


def _takes_gzip(request: Request) -> bool:
    asked = (request.header(b"accept-encoding") or b"").lower().replace(b" ", b"").split(b",")
    return any(each == b"gzip" or (each.startswith(b"gzip;q=") and each[7:].strip(b"0.") != b"") for each in asked)


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Response:
    return Response(status, ((b"Content-Type", b"text/plain; charset=utf-8"), _NOSNIFF, *headers), text.encode())
