"""`make picture`: runs a chain and keeps the upper part of its page as docs/report.png, for the README."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1100, 1440
COMMAND = ("run", "chained-eventing", "--set", "length=3", "--rate", "100", "--duration", "12s", "-o", "json")
MOST = 200_000  # bytes


def main() -> int:
    program = next(found for each in ("chromium", "google-chrome") if (found := shutil.which(each)))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - our own program
            (Path(sys.executable).parent / "toolkit", *COMMAND), cwd=folder, stdout=subprocess.DEVNULL, check=True
        )
        (page,) = Path(folder).glob("runs/*/report.html")
        draw(program, page, Path(__file__).parent / "report.png")
    return 0


def draw(program: str, page: Path, into: Path) -> None:
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        view.screenshot(path=str(into))
        browser.close()
    if into.stat().st_size > MOST:
        raise SystemExit(f"{into} has {into.stat().st_size:,} bytes, more than {MOST:,}")


if __name__ == "__main__":
    raise SystemExit(main())
