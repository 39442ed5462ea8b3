"""Standard output, as it is: a terminal or a pipe, in an encoding that may be poor, read to its end or not."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

from toolkit.errors import EngineError
from toolkit.report.characters import in_ascii


def say(text: str) -> None:
    """Writes `text` and a line break, in ASCII where the encoding knows no more.

    A reader that has seen enough is no error. Raises EngineError when nobody can read it for another reason.
    """
    if sys.stdout is None:  # closed before we came
        return
    if not speaks_unicode():
        text = in_ascii(text)
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        forget()
    except OSError as error:
        forget()
        raise EngineError(f"standard output cannot be written: {error.strerror or error}") from error


def pour(pieces: Iterable[str]) -> None:
    """Writes pieces of text as they come, in UTF-8 whatever the terminal speaks: they are data. Raises as `say`."""
    if sys.stdout is None:
        return
    try:
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode("utf-8"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        forget()
    except OSError as error:
        forget()
        raise EngineError(f"standard output cannot be written: {error.strerror or error}") from error


def note(text: str) -> None:
    """Writes a line of prose to standard error, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text if speaks_unicode(error=True) else in_ascii(text), file=sys.stderr, flush=True)


def speaks_unicode(*, error: bool = False) -> bool:
    stream = sys.stderr if error else sys.stdout
    return stream is not None and "utf" in (stream.encoding or "").lower()


def colour() -> bool:
    """Whether standard output is a terminal that wants colours (https://no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stdout is not None and sys.stdout.isatty()


def progress_wanted() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def forget() -> None:
    """What is still buffered must not complain at the end of the program."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
