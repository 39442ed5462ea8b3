"""`make picture`: runs a chain into `toolkit trace serve --lens` and keeps two of Zipkin's own pages, for the README.

python docs/lens_pictures.py JAR        a jar of zipkin-lens or of a zipkin-server
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TOOLKIT = str(Path(sys.executable).parent / "toolkit")
SIZE = {"width": 1100, "height": 720}
COMMAND = ("run", "chained-eventing", "--set", "length=3", "--requests", "100")
MOST = 250_000  # bytes


def main(jar: str) -> int:
    with tempfile.TemporaryDirectory() as folder, served(jar) as url, opened() as page:
        run = (TOOLKIT, *COMMAND, "--zipkin", url)
        subprocess.run(run, cwd=folder, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - our own program
        trace(page, url)
        keep(page, "lens-trace.png")
        dependencies(page, url)
        keep(page, "lens-dependencies.png")
    return 0


@contextmanager
def served(jar: str) -> Iterator[str]:
    words = (TOOLKIT, "trace", "serve", "--listen", "127.0.0.1:0", "--lens", jar)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:  # noqa: S603 - our own program
        assert program.stdout is not None
        line = program.stdout.readline()
        if not line:
            raise SystemExit("the store did not start")
        try:
            yield line.split()[-1].removesuffix("/api/v2/spans")
        finally:
            program.terminate()


@contextmanager
def opened() -> Iterator[Page]:
    program = next(found for each in ("chromium", "google-chrome") if (found := shutil.which(each)))
    with sync_playwright() as playing:
        browser = playing.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a TypedDict of just these two
        browser.close()


def trace(page: Page, url: str) -> None:
    """A trace of usual length among those that the pages find, one of its spans of an event chosen."""
    page.goto(f"{url}/zipkin/?serviceName=producer&limit=100")
    page.get_by_role("button", name="Run query").click()
    rows = page.get_by_role("button", name="Show", exact=True)
    rows.first.wait_for()
    rows.nth(rows.count() // 2).click()
    page.get_by_text("Total Spans").wait_for()
    page.get_by_text("producer: emit").first.click()
    page.get_by_text("payload.size").wait_for()


def dependencies(page: Page, url: str) -> None:
    page.goto(f"{url}/zipkin/dependency")
    page.get_by_role("button", name="Run query").click()
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(4000)  # nothing in the document says when the drawing is at rest


def keep(page: Page, name: str) -> None:
    into = Path(__file__).parent / name
    page.screenshot(path=str(into))
    if into.stat().st_size > MOST:
        raise SystemExit(f"{into} has {into.stat().st_size:,} bytes, more than {MOST:,}")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
