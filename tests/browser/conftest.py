"""A real Chromium, and pages in it. Without one, tests are skipped with the reason; `make test-browser` brings it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages_of_runs import documents

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PICTURES = os.environ.get("KNBENCH_PICTURES")  # a folder: screenshots are kept there, to be looked at


@dataclass
class Opened:
    """A page, and what it said or asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)

    def refuse(self, dialog: Dialog) -> None:
        self.errors.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def ask(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next((found for each in PROGRAMS if (found := shutil.which(each))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed; make test-browser brings one")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; make install-dev brings it")
    with api.sync_playwright() as playing:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playing.chromium.launch(executable_path=program, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, document in documents().items():
        (folder / f"{name}.html").write_text(document, encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Callable[..., Opened]]:
    """Opens a page by its name, in colours and in a width."""
    contexts = []

    def open_one(name: str, scheme: Any = "light", width: int = 1280, script: bool = True) -> Opened:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda said: found.errors.append(said.text))
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on("dialog", found.refuse)
        found.page.on("request", lambda asked: found.requests.append(asked.url))
        found.page.goto(files[name].as_uri())
        return found

    yield open_one
    for each in contexts:
        each.close()
