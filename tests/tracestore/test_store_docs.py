"""What `docs/traces.md` shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

from tests.tracestore.asking import asking
from tests.unit.checks.simulation import EVENT_PAIR, healthy
from tests.unit.traces.composite import on_a_cluster
from toolkit.engines.tracestore.__main__ import _parser
from toolkit.report.folding import fold
from toolkit.report.waterfall import render

PAGE = (Path(__file__).parents[2] / "docs" / "traces.md").read_text()
_ELSEWHERE = ("/api/", "/health", "/info", "/zipkin", "/metrics", "/prometheus")  # not below /api/v2


def blocks(language: str, section: str) -> list[str]:
    """The blocks of a language from a heading on."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.partition(f"\n## {section}\n")[2], re.DOTALL)


def block(language: str, section: str) -> str:
    return blocks(language, section)[0]


def printed(program: str, **names: object) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(program, dict(names))
    return text.getvalue()


def test_the_example_prints_what_the_page_says() -> None:
    assert printed(block("python", "In Python")) == block("text", "In Python")


def test_the_platform_is_told_as_the_page_says() -> None:
    spans = on_a_cluster(healthy(EVENT_PAIR, 1), gateway=True).spans
    ways, waterfall = blocks("text", "The platform's spans")[:2]
    assert printed(block("python", "The platform's spans"), spans=spans) == ways
    assert waterfall in render(fold(spans), width=100)


def test_the_ways_of_a_trace_are_as_the_page_says() -> None:
    spans = on_a_cluster(healthy(EVENT_PAIR, 1), gateway=True).spans
    assert printed(block("python", "Numbers from spans"), spans=spans) == block("text", "Numbers from spans")


def test_the_command_takes_the_flags_that_are_shown() -> None:
    words = shlex.split(block("sh", "The store"))
    assert words[:3] == ["python", "-m", "toolkit.engines.tracestore"]
    assert _parser().parse_args(words[3:]).store == Path("spans.db")


async def test_every_path_the_page_names_is_answered() -> None:
    paths = set(
        re.findall(r"(?:/api/v2)?/[a-zA-Z2/]+(?=[?`{])", PAGE.partition("## The store")[2].partition("## Numbers")[0])
    )
    named = {path if path.startswith(_ELSEWHERE) else f"/api/v2{path}" for path in paths}
    assert len(named - {"/zipkin"}) >= 11
    async with asking() as it:
        for path in named - {"/zipkin"}:
            assert (await it.get(path)).status in (200, 400), path
