"""Chains with strangers' programs on the local engine: Go and Node.js, traces joined; one that dies is told of."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.chains.running import FEW, Broken, outcome, red
from tests.unit.sdk.test_stranger import PROGRAM
from toolkit import catalog
from toolkit.engines.local.engine import LocalDeployment, LocalEngine
from toolkit.traces.model import Span

MISSING = [each for each in ("go", "node", "npm") if shutil.which(each) is None]
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)  # the first time both programs are built, and their libraries fetched
@pytest.mark.skipif(bool(MISSING), reason=f"polyglot is built and run with {', '.join(MISSING)}, which are not here")
async def test_polyglot_is_answered_rightly_by_three_languages_whose_traces_are_joined() -> None:
    done = await outcome("polyglot")
    assert red(done.report) == set()
    assert {each.name for each in done.report.checks} >= {"expected", "traced", "steady"}
    spans = {span.id: span for span in done.evidence.spans}
    for function, name in (("checksum", "checksum"), ("render", "render")):
        own = [each for each in done.evidence.spans if each.service == f"{function}.program"]
        assert len(own) == FEW.requests
        assert {each.name for each in own} == {name}
        assert all(is_of(function, spans[each.parent or ""]) for each in own), "below the scaffold's span"


def is_of(function: str, span: Span) -> bool:
    return (span.service, span.kind) == (function, "SERVER")


def test_the_programs_of_polyglot_speak_what_the_chain_speaks() -> None:
    shipped = ROOT / "benchmarks" / "polyglot" / "render" / "link.proto"
    assert shipped.read_text() == (ROOT / "protos" / "link.proto").read_text()


CHAIN = """
name: strange
functions:
  front: {handler: "handlers.py:front"}
  other: {command: [PYTHON, program.py, $PORT]}
edges:
  - {from: front, to: other, via: call, method: helloworld.Greeter/SayHello}
"""
HANDLERS = """
async def front(ctx, request):
    return (await ctx.call(request)).message
"""


async def test_a_program_that_is_killed_is_started_again_and_steady_tells(tmp_path: Path) -> None:
    (tmp_path / "chain.yaml").write_text(CHAIN.replace("PYTHON", sys.executable))
    (tmp_path / "handlers.py").write_text(HANDLERS)
    (tmp_path / "program.py").write_text(PROGRAM.replace("raw[::-1]", 'b"\\x0a\\x02hi"'))
    whole = await outcome(catalog.load(str(tmp_path), {}))
    assert red(whole.report) == set()

    async def killed(deployment: LocalDeployment) -> None:
        (other,) = (each for each in deployment.functions if each.name == "other")
        pids = [int(line.split()[1]) for line in other.log.read_text().splitlines() if line.startswith("pid ")]
        os.kill(pids[-1], signal.SIGKILL)

    broken = await outcome(catalog.load(str(tmp_path), {}), Broken(LocalEngine(), then=killed))
    assert "steady" in red(broken.report)
    (steady,) = (each for each in broken.report.checks if each.name == "steady")
    assert "exit status 3" in " ".join(steady.details)
