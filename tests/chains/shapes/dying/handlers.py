"""The work of counter and quicksort by processes that are killed once, after they spawned and before they ended."""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

from toolkit.sdk import Context, Message

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"


def load(benchmark: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS / benchmark))
    spec = importlib.util.spec_from_file_location(f"{benchmark}_handlers", BENCHMARKS / benchmark / "handlers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.pop(0)
    del sys.modules["work"]
    return module


counter, quicksort = load("counter"), load("quicksort")


async def step(ctx: Context, message: Message) -> object:
    value = await counter.step(ctx, message)
    if message.json()["left"] == ctx.parameters["limit"] // 2:
        die_once(ctx)
    return value


async def sort(ctx: Context, message: Message) -> object:
    value = await quicksort.sort(ctx, message)
    if ctx.task is not None and ctx.task.depth == 3 and quicksort._read(message)[0] == 0:
        die_once(ctx)
    return value


def die_once(ctx: Context) -> None:
    if ctx.task is not None and ctx.task.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
