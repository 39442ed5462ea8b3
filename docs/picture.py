"""`make picture`: runs a chain in a terminal and keeps what it showed as docs/run.svg, for the README."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, LINES = 100, 60
COMMAND = ("run", "chained-eventing", "--set", "length=3")


def main() -> int:
    shown = in_a_terminal([str(Path(sys.executable).parent / "toolkit"), *COMMAND])
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ toolkit {' '.join(COMMAND)}\n{shown}"))
    drawn = console.export_svg(title="toolkit", unique_id="run")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # a picture must not fetch fonts from elsewhere
    (Path(__file__).parent / "run.svg").write_text(drawn.replace("Fira Code, monospace", "monospace"))
    return 0


def in_a_terminal(command: list[str]) -> str:
    """What the command wrote to its standard output, a terminal of `COLUMNS` columns."""
    with tempfile.TemporaryDirectory() as folder:
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.update(COLUMNS=str(COLUMNS), LINES=str(LINES), TERM="xterm-256color")
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)  # the progress line is gone at the end anyway
            os.execv(command[0], command)
        shown = b"".join(iter(lambda: _read(terminal), b""))
        _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(shown.decode())
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side is closed
        return b""


if __name__ == "__main__":
    raise SystemExit(main())
