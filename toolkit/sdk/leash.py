"""Becomes a program that the kernel ends should the process that wanted it be gone: a file to be run, not imported.

`python -I -S leash.py PARENT FD WORD...`: PARENT is the process id of who wants it, FD a pipe on which the error number
of an exec that failed is told, and nothing of one that did not. May live here: what must happen between fork and exec.

Why a process of its own: gRPC has threads and fork handlers, and a child that runs any code between fork and exec may
be ended by them (`subprocess` without `preexec_fn` runs none).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent: int, tell: int, words: list[str]) -> None:
    with contextlib.suppress(OSError, AttributeError):  # there is no such thing outside Linux
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL.value)
    if os.getppid() != parent:  # it was gone before the kernel knew
        sys.exit(1)
    os.set_inheritable(tell, False)
    try:
        os.execvp(words[0], words)  # noqa: S606 - a program that the chain names, its words apart
    except OSError as error:
        os.write(tell, str(error.errno).encode())
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
