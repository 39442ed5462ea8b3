"""What `docs/traces.md` shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

from toolkit.engines.tracestore.__main__ import _parser
from toolkit.engines.tracestore.api import Api
from toolkit.engines.tracestore.memory import Memory
from toolkit.sdk.http1 import Request

PAGE = (Path(__file__).parents[2] / "docs" / "traces.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_example_prints_what_the_page_says() -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(block("python"), {})
    assert printed.getvalue() == block("text")


def test_the_command_takes_the_flags_that_are_shown() -> None:
    words = shlex.split(block("sh"))
    assert words[:3] == ["python", "-m", "toolkit.engines.tracestore"]
    assert _parser().parse_args(words[3:]).store == Path("spans.ndjson")


async def test_every_path_the_page_names_is_answered() -> None:
    api = Api(Memory(), lambda _: None, lambda: 1, loopback=True)
    paths = set(
        re.findall(r"(?:/api/v2)?/[a-zA-Z2/]+(?=[?`{])", PAGE.partition("## The store")[2].partition("## Numbers")[0])
    )
    named = {path if path.startswith(("/api/", "/health", "/info", "/zipkin")) else f"/api/v2{path}" for path in paths}
    assert len(named - {"/zipkin"}) >= 11
    for path in named - {"/zipkin"}:
        assert (await api(Request("GET", path, (), b""))).status in (200, 400), path
