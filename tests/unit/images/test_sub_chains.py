"""The folders of sub-chains are packed beside the chain's own, and a process finds each handler's own neighbours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from toolkit import catalog, plan
from toolkit.engines.local.layout import function_command, lay_out
from toolkit.images import application
from toolkit.spec.model import ChainSpec

INNER = """name: inner
functions:
  answer: {handler: "handlers.py:answer"}
"""
OUTER = """name: outer
functions:
  ask: {handler: "handlers.py:ask"}
  near: {chain: inner}
  far: {chain: aes}
edges:
  - {from: ask, to: near, via: call}
  - {from: ask, to: far, via: call}
"""
ASK = "import work\n\n\nasync def ask(ctx, request):\n    return work.WHOSE\n"


def nested(folder: Path) -> ChainSpec:
    for place, description, whose in ((folder, OUTER, "outer"), (folder / "inner", INNER, "inner")):
        place.mkdir()
        (place / "chain.yaml").write_text(description)
        (place / "handlers.py").write_text(ASK.replace("ask", "answer") if whose == "inner" else ASK)
        (place / "work.py").write_text(f"WHOSE = {whose!r}\n")
    return catalog.load(str(folder))


def test_an_image_holds_the_folders_of_sub_chains(tmp_path: Path) -> None:
    paths = {entry.path for entry in application.sources(nested(tmp_path / "chain"), [])}
    assert {"app/chain/handlers.py", "app/chain/inner/handlers.py", "app/chain/inner/work.py"} <= paths
    assert {"app/chain/.chains/aes/handlers.py", "app/chain/.chains/aes/work.py"} <= paths
    assert sum(path.endswith("inner/work.py") for path in paths) == 1


def test_every_handler_of_the_wirings_is_in_the_image(tmp_path: Path) -> None:
    spec = nested(tmp_path / "chain")
    paths = {entry.path for entry in application.sources(spec, [])}
    handlers = [each.handler.partition(":")[0] for each in plan.make(spec, "run").wirings.values()]
    assert {f"app/chain/{each}" for each in handlers} <= paths
    assert len(set(handlers)) == 3


def test_a_process_of_the_local_engine_loads_its_own_handler_and_its_own_neighbours(tmp_path: Path) -> None:
    spec = nested(tmp_path / "chain")
    made = plan.make(spec, "run")
    layout = lay_out(made, [], range(1, 10), store=False)
    script = (
        "import asyncio, os, sys, json\nfrom toolkit.contract import Wiring\nfrom toolkit.sdk.loading import load\n"
        "handler = load(Wiring.decode(os.environ['TOOLKIT_WIRING']).handler)\n"
        "print(json.dumps([sys.modules['work'].WHOSE, asyncio.run(handler(None, None))]))\n"
    )
    found = {}
    for name in ("ask", "near-answer"):
        command = function_command(made, name, 0, layout, receipts=None, endpoint=None, override={})
        done = subprocess.run(
            [sys.executable, "-P", "-c", script],
            env={**os.environ, **command.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        found[name] = json.loads(done.stdout)
    assert found == {"ask": ["outer", "outer"], "near-answer": ["inner", "inner"]}
