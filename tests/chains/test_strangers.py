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
from toolkit.spec.model import ChainSpec
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

async def onward(ctx, request):
    await ctx.call(b"onward")
    return "sent"

async def end(ctx, message):
    return None if ctx.method is None else True
"""

ONWARD = """
name: onward
functions:
  front: {handler: "handlers.py:onward"}
  other: {command: [PYTHON, program.py, $PORT], env: {WHOM: end, METHOD: METHOD_OF_IT}}
  end: {handler: "handlers.py:end"}
edges:
  - {from: front, to: other, via: call, method: prodcon.ProducerConsumer/ConsumeByte}
  - {from: other, to: end, EDGE}
"""


def written(folder: Path, chain: str) -> ChainSpec:
    (folder / "chain.yaml").write_text(chain.replace("PYTHON", sys.executable))
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "program.py").write_text(PROGRAM.replace("raw[::-1]", 'b"\\x0a\\x02hi"'))
    return catalog.load(str(folder), {})


@pytest.mark.parametrize(
    ("edge", "method"),
    [
        ("via: call, method: prodcon.ProducerConsumer/ConsumeByte", "prodcon.ProducerConsumer/ConsumeByte"),
        ("via: event", "link.Link/Send"),
        ("via: call", "link.Link/Send"),
        ("via: call, transfer: file", "link.Link/Send"),
        ("via: call, transfer: stream", "link.Link/Send"),
        ("via: event, transfer: file", "link.Link/Send"),
    ],
)
async def test_what_a_program_in_the_middle_sends_is_followed_and_traced(
    tmp_path: Path, edge: str, method: str
) -> None:
    chain = written(tmp_path, ONWARD.replace("EDGE", edge).replace("METHOD_OF_IT", method))
    report = (await outcome(chain)).report
    assert red(report) == set(), [check for check in report.checks if not check.passed]
    (followed,) = (each for each in report.checks if each.name == "followed")
    assert followed.got.startswith(f"{3 * (FEW.requests or 0)} handlings")


async def test_a_program_that_is_killed_is_started_again_and_steady_tells(tmp_path: Path) -> None:
    chain = written(tmp_path, CHAIN)
    whole = await outcome(chain)
    assert red(whole.report) == set()

    async def killed(deployment: LocalDeployment) -> None:
        (other,) = (each for each in deployment.functions if each.name == "other")
        pids = [int(line.split()[1]) for line in other.log.read_text().splitlines() if line.startswith("pid ")]
        os.kill(pids[-1], signal.SIGKILL)

    broken = await outcome(chain, Broken(LocalEngine(), then=killed))
    assert "steady" in red(broken.report)
    (steady,) = (each for each in broken.report.checks if each.name == "steady")
    assert "exit status 3" in " ".join(steady.details)
