"""Files of spans, read and written trace by trace: a million spans are never all in memory.

May live here: how such files look on disk. What a span is on the wire is `traces.zipkin`'s; whose file it is, and
where it lies, the caller's.

Written is a Zipkin v2 JSON list, one span a line, the spans of a trace together. Read is whatever holds Zipkin v2
spans as JSON: a list of them, a list of traces, one span or list a line, or several of these behind each other; or as
protobuf; with gzip around it or not. Where the spans of a trace are apart, they are first sorted into temporary files,
as many as it takes for one of them to fit in memory.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from toolkit.errors import UsageError
from toolkit.spanread import Cut, Found, spans_in
from toolkit.traces import tree, zipkin
from toolkit.traces.model import Span

CHUNK = 1 << 20  # characters read at once
IN_MEMORY = 32 << 20  # bytes of spans that are apart and are held at once; as objects they take a few times as much
MOST_FILES = 256
_GZIP = b"\x1f\x8b"
_ID = re.compile(rb'"traceId"\s*:\s*"0*([0-9a-f]{1,32})"')
_LONGEST_ID = 256  # bytes that one match may have
_NEXT = "give a file of Zipkin v2 spans as JSON, such as a run's spans.json"


class CutOff(UsageError):
    """The file ends in the middle of something; what was read before is whole."""


def write(path: Path, spans: Iterable[Span]) -> None:
    """Raises OSError."""
    with path.open("wb") as file:
        file.write(b"[")
        for at, span in enumerate(itertools.chain.from_iterable(tree.by_trace(spans).values())):
            file.write((b",\n" if at else b"\n") + zipkin.text(zipkin.to_wire(span)).encode())
        file.write(b"\n]\n")


def traces(path: Path, *, in_memory: int = IN_MEMORY) -> Iterator[list[Span]]:
    """The spans of each trace, in the order of the file if they are together there.

    Raises UsageError when the file cannot be read or holds anything else, after those before it; CutOff when it ends
    too early.
    """
    with _told(path):
        if (layout := _layout(path)).together:
            yield from _runs(path)
        elif (files := min(MOST_FILES, -(-layout.size // in_memory))) == 1:
            yield from tree.by_trace(found.span for found in _read(path)).values()
        else:
            yield from _sorted(path, files)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file becomes one clear error."""
    try:
        yield
    except (EOFError, Cut) as error:
        raise CutOff(f"{path} is cut off: {error}", next_step="fetch or write it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UsageError(f"{path}: not gzip: {error}", next_step=_NEXT) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error.reason}", next_step=_NEXT) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}", next_step=_NEXT) from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}", next_step=_NEXT) from error


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many bytes a file holds (unpacked), and whether the spans of each trace stand together."""

    size: int
    together: bool


def _layout(path: Path) -> _Layout:
    """A quick look at the ids alone. Somebody's tag that looks like an id at worst makes a trace look apart."""
    size, last, together, seen = 0, b"", True, set[bytes]()
    with _opened(path) as file:
        rest = b""
        while chunk := _piece(file):
            together = together and (size > 0 or not _is_protobuf(chunk))  # its ids are looked for by nobody
            size += len(chunk)
            text, end = rest + chunk, 0
            for match in _ID.finditer(text) if together else ():
                end = match.end()
                if (trace := match[1]) != last:
                    together = together and trace not in seen
                    seen.add(trace)
                    last = trace
            rest = text[max(end, len(text) - _LONGEST_ID) :]
    return _Layout(size, together)


def _piece(file: IO[bytes]) -> bytes:
    """The next bytes; none where a packed file is cut off, which whoever reads its spans is told."""
    try:
        return file.read(CHUNK)
    except EOFError:
        return b""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, unpacked if it is packed."""
    with path.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield file


def _read(path: Path) -> Iterator[Found]:
    with _opened(path) as file:
        first = file.read(CHUNK)
        pieces = itertools.chain((first,), iter(lambda: file.read(CHUNK), b""))
        yield from _messages(pieces) if _is_protobuf(first) else spans_in(pieces)


def _is_protobuf(first: bytes) -> bool:
    if first[:1] != b"\n":
        return False
    from toolkit.traces import streams  # brings protobuf along, which few files need

    return streams.is_protobuf(first)


def _messages(pieces: Iterable[bytes]) -> Iterator[Found]:
    """Spans of Zipkin's protobuf."""
    from toolkit.traces import streams

    for found in streams.spans(pieces):
        if isinstance(found, streams.Bad):
            raise ValueError(f"span {found.index}: {found.reason}")
        yield Found(zipkin.to_span(found), zipkin.text(found))


def _runs(path: Path) -> Iterator[list[Span]]:
    """Traces whose spans stand together."""
    done: set[str] = set()
    for trace, found in itertools.groupby(_read(path), key=lambda each: each.span.trace):
        if trace in done:
            raise ValueError(f"spans of trace {trace} are apart, and their ids are written so that it cannot be seen")
        done.add(trace)
        yield [each.span for each in found]


def _sorted(path: Path, files: int) -> Iterator[list[Span]]:
    """Traces whose spans are apart, by way of so many files."""
    with tempfile.TemporaryDirectory(prefix="toolkit-spans-") as folder:
        parts = [Path(folder, str(number)) for number in range(files)]
        _sort(path, parts)
        for part in parts:
            yield from tree.by_trace(found.span for found in _read(part)).values()
            part.unlink()


def _sort(path: Path, parts: Sequence[Path]) -> None:
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(part.open("w", encoding="utf-8")) for part in parts]
        for found in _read(path):
            files[zlib.crc32(found.span.trace.encode()) % len(files)].write(found.text + "\n")
