"""Has the chain's own code judge the chain's answers, in a process of its own.

May live here: that process, how long it may take, and what is told when it does not judge. May not: which answer a call
had, and whether the promise was kept (`checks.expected`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.checks.expected import answers, size
from toolkit.contract import input_seed
from toolkit.engines import groups, requirements
from toolkit.errors import EngineError
from toolkit.judging import MOST
from toolkit.results import CallRecord, Evidence
from toolkit.spec.model import ChainSpec

PATIENCE_S = 60.0  # for each answer, and for what the judge has to import
LARGEST_LINE = 1 << 20  # bytes that come back at once
UNJUDGED = "could not be judged: "

_FIRST = ("ready", "missing", "broken")  # what the process may say, first and then
_VERDICTS = ("wrong", "unjudged")
_LAST = ("ended", "late", "garbled")  # after which nothing comes any more, or nothing that could be relied on

Question = tuple[str, int]  # answer, seed of the input


async def judged(
    chain: ChainSpec, calls: Sequence[CallRecord], evidence: Evidence, *, seed: int, patience_s: float = PATIENCE_S
) -> Mapping[str, str | None] | None:
    """What is wrong with the answer of each call that has exactly one; None for a chain that expects nothing.

    Calls that had the same input and the same answer are judged once.
    """
    if chain.expect is None:
        return None
    found = answers(each.receipt for each in evidence.receipts)
    asked = {
        call.call: (found[call.call][0], input_seed(seed, call.call))
        for call in calls
        if call.ok and len(found.get(call.call, ())) == 1
    }
    questions = list(dict.fromkeys(asked.values()))
    verdicts = await _verdicts(chain, questions, patience_s) if questions else []
    told = dict(zip(questions, verdicts, strict=True))
    return {call: told[question] for call, question in asked.items()}


async def _verdicts(chain: ChainSpec, questions: Sequence[Question], patience_s: float) -> list[str | None]:
    try:
        required = requirements.environment(chain)
    except EngineError as error:  # whoever runs its functions may never have needed them here
        return [f"{UNJUDGED}{error}"] * len(questions)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "toolkit.judging",
        _place(chain),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LARGEST_LINE,
        env={**os.environ, **required},
        start_new_session=True,  # Ctrl-C is ours to handle, and what it starts can be ended with it
    )
    try:
        return await _asked(chain, process, questions, patience_s)
    finally:
        await groups.end(process)


async def _asked(
    chain: ChainSpec, process: asyncio.subprocess.Process, questions: Sequence[Question], patience_s: float
) -> list[str | None]:
    kind, text = await _line(process, _FIRST, patience_s)
    if kind != "ready":
        return [UNJUDGED + _why(chain, kind, text)] * len(questions)
    parameters = {each.name: each.value for each in chain.parameters}
    verdicts: list[str | None] = []
    for answer, seed in questions:
        await _ask(process, [answer, seed, size(chain), parameters], patience_s)
        kind, text = await _line(process, _VERDICTS, patience_s)
        verdicts.append(text if kind == "wrong" else UNJUDGED + _why(chain, kind, text))
        if kind in _LAST:
            break
    return verdicts + [f"{UNJUDGED}another answer ended {chain.expect}"] * (len(questions) - len(verdicts))


async def _ask(process: asyncio.subprocess.Process, question: Any, patience_s: float) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError, TimeoutError):  # as reading tells
        process.stdin.write(json.dumps(question).encode() + b"\n")
        await asyncio.wait_for(process.stdin.drain(), patience_s)


async def _line(process: asyncio.subprocess.Process, kinds: Sequence[str], patience_s: float) -> tuple[str, str | None]:
    """What the process says next, one of `kinds`: `ended` and how, when it says nothing more; `late` after so many
    seconds; `garbled` for what is none of these, which the chain's code has put there.
    """
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), patience_s)
        if not line:
            return "ended", _ending(await asyncio.wait_for(process.wait(), patience_s))
    except TimeoutError:
        return "late", f"{patience_s:g} s"
    except ValueError:  # longer than LARGEST_LINE
        return "garbled", None
    return _said(line, kinds) or ("garbled", None)


def _said(line: bytes, kinds: Sequence[str]) -> tuple[str, str | None] | None:
    """The kind and the text of a line; None for one that the judge does not write."""
    try:
        match json.loads(line):
            case [str(kind), None] if kind in kinds:
                return kind, None
            case [str(kind), str(text)] if kind in kinds:
                return kind, text[:MOST].encode(errors="replace").decode()
    except (ValueError, RecursionError):
        pass
    return None


def _ending(status: int) -> str:
    return f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"


def _why(chain: ChainSpec, kind: str, text: str | None) -> str:
    if kind == "missing":
        cure = " (--install fetches it)" if chain.requires else ""
        return f"{chain.expect} needs {text}, which is not installed here{cure}"
    if kind == "broken":
        return f"{chain.expect} cannot be loaded: {text}"
    if kind == "ended":
        return f"{chain.expect} ended its process {text}"
    if kind == "garbled":
        return f"{chain.expect} spoke out of turn: its code wrote where its verdicts go"
    if kind == "late":
        return f"{chain.expect} took longer than {text}"
    return f"{chain.expect}: {text}"


def _place(chain: ChainSpec) -> str:
    """The judge's name, its file below the chain's folder."""
    assert chain.expect is not None
    place, _, name = chain.expect.rpartition(":")
    return f"{Path(chain.folder).resolve() / place}:{name}" if place.endswith(".py") else chain.expect
