"""Notes in a folder that is everybody's: only our own are read, and only those that lead to this machine."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path

import pytest

from toolkit.engines.local.announcing import Announced, announce, announced

URL = "http://127.0.0.1:4711/token"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = tmp_path / "toolkit-here"
    made.mkdir()
    return made


def found() -> list[tuple[str, str]]:
    return [(each.run, each.ledger) for each in announced()]


def test_what_is_announced_is_found_and_nobody_else_may_read_it(folder: Path) -> None:
    announce(folder, "counter", "run", URL)
    (one,) = announced()
    assert one == Announced("counter", "run", URL, (folder / "ledger.json").stat().st_mtime_ns)
    assert stat.S_IMODE((folder / "ledger.json").stat().st_mode) == 0o600


def test_a_link_is_no_note_wherever_it_leads(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    announce(elsewhere, "counter", "run", URL)
    (folder / "ledger.json").symlink_to(elsewhere / "ledger.json")
    (tmp_path / "toolkit-link").symlink_to(elsewhere)
    assert found() == []


def test_a_pipe_or_a_folder_is_no_note_and_keeps_nobody_waiting(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "ledger.json")
    (tmp_path / "toolkit-other" / "ledger.json").mkdir(parents=True)
    (tmp_path / "toolkit-file").write_text("{}")
    assert found() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given", ["toolkit-here", "toolkit-here/ledger.json"])
def test_what_is_another_user_s_is_no_note(folder: Path, tmp_path: Path, given: str) -> None:
    announce(folder, "counter", "run", URL)
    os.chown(tmp_path / given, 12345, 12345)
    assert found() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "https://127.0.0.1:1/",
        "http://127.0.0.1@evil.example:1/",
        "http://a:b@127.0.0.1:1/",
        "http://127.0.0.1/",
        "http://127.0.0.1:x/",
        "http://[::1",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_note_that_leads_elsewhere_is_none(folder: Path, url: str) -> None:
    (folder / "ledger.json").write_text(json.dumps({"chain": "counter", "run": "run", "ledger": url}))
    assert found() == []
