"""The command line: one file a command, and one place where errors become text and exit codes.

May live here: arguments, printing, signals. May not: anything worth calling from elsewhere. This module and the
commands' top levels import nothing heavy, so that `toolkit --help` answers at once.
"""

from __future__ import annotations

import os
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
        print("interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except ToolkitError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.next_step:
            print(f"next: {error.next_step}", file=sys.stderr)
        return error.exit
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:  # the last resort: a bug of ours is still told in words
        return _bug(error)


def _bug(error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="toolkit-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    print(f"bug: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"next: please report it with {file.name}, which holds where it happened", file=sys.stderr)
    return Exit.BUG
