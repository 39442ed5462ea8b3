"""Runs a chain and keeps two pictures of its traces, for the README: docs/traces-page.png and docs/traces-trace.png."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

COMMAND = ("run", "chained-eventing", "--set", "length=3", "--rate", "100", "--duration", "12s", "-o", "json")
SERVE = ("trace", "ui", "--listen", "127.0.0.1:0")
WIDTH = 1280
OVERVIEW, TRACE = 1480, 900  # heights
MOST = 250_000  # bytes
HERE = Path(__file__).parent


def main() -> int:
    program = next(found for each in ("chromium", "google-chrome") if (found := shutil.which(each)))
    toolkit = Path(sys.executable).parent / "toolkit"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run((toolkit, *COMMAND), cwd=folder, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - our own
        with subprocess.Popen(  # noqa: S603 - our own
            (toolkit, *SERVE), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as serving:
            try:
                draw(program, address(serving))
            finally:
                serving.terminate()
    return 0


def address(serving: subprocess.Popen[str]) -> str:
    """The first address that the server says."""
    for line in serving.stdout or ():
        for word in line.split():
            if word.startswith("http://"):
                return word.rstrip(".,")
    raise SystemExit("toolkit trace ui said no address")


def draw(program: str, at: str) -> None:
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        view = browser.new_page(viewport={"width": WIDTH, "height": OVERVIEW})
        view.goto(at)
        view.wait_for_selector("#traces-histogram")
        keep(view, "traces-page.png")
        view.set_viewport_size({"width": WIDTH, "height": TRACE})
        view.click("a.step:has-text('p99') >> nth=0")
        view.wait_for_selector("section.trace")
        view.mouse.move(0, 0)
        keep(view, "traces-trace.png")
        browser.close()


def keep(view: Page, name: str) -> None:
    into = HERE / name
    view.screenshot(path=str(into), animations="disabled")
    if into.stat().st_size > MOST:
        raise SystemExit(f"{into} has {into.stat().st_size:,} bytes, more than {MOST:,}")


if __name__ == "__main__":
    raise SystemExit(main())
