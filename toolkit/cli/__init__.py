"""The command line: one file a command, and one place where errors become text and exit codes.

May live here: arguments, printing, signals. May not: anything worth calling from elsewhere. This module and the
commands' top levels import nothing heavy, so that `toolkit --help` answers at once.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Sequence

from toolkit.errors import Exit, ToolkitError


def main(argv: Sequence[str] | None = None) -> int:
    """The console script. Returns the exit code; every error has become text on standard error by then."""
    try:
        from toolkit.cli.tree import dispatch

        return dispatch(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        _tell("interrupted")
        return Exit.INTERRUPTED
    except ToolkitError as error:
        _tell(f"error: {error}")
        if error.next_step:
            _tell(f"next: {error.next_step}")
        return error.exit
    except Exception as error:  # the last resort: a bug of ours is still told in words
        return _bug(error)


def _bug(error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="toolkit-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    _tell(f"bug: {type(error).__name__}: {error}")
    _tell(f"next: please report it with {file.name}, which holds where it happened")
    return Exit.BUG


def _tell(text: str) -> None:
    from toolkit.cli.output import note

    note(text)
