"""The process that judges a chain's answers: `python -P -m toolkit.judging HANDLER`, one line of JSON in, one out.

May live here: what needs no more than the standard library, since the chain's own code is loaded beside it. May not:
which answers are judged, for how long, and what becomes of the verdicts (`answers`).

What that code prints goes nowhere, and what it reads is empty: questions and verdicts have channels of their own, which
no process that it starts or forks gets. In this very process nothing can be hidden from it; `answers` knows.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

MOST = 500  # characters of what is wrong
SITE = "TOOLKIT_SITE"  # a folder of libraries that the chain's code requires; as for its functions (`sdk.loading`)

Judge = Callable[..., Any]


def main(handler: str) -> None:
    """Lines `[answer, seed, size, parameters]` become `["wrong", TEXT or null]`, or `["unjudged", TEXT]`.

    The first line out tells whether there is somebody who judges: `["ready", null]`, or `["missing", MODULE]`, or
    `["broken", TEXT]`, after which nothing comes.
    """
    questions, verdicts = _own_channels()
    sys.path += filter(None, [os.environ.get(SITE)])  # behind all that is here
    try:
        judge = _load(handler)
    except ModuleNotFoundError as error:
        _say(verdicts, "missing", (error.name or str(error))[:MOST])
        return
    except (Exception, SystemExit) as error:  # the boundary to code of the user's
        _say(verdicts, "broken", _said(error))
        return
    _say(verdicts, "ready", None)
    for line in questions:
        _say(verdicts, *_judged(judge, *json.loads(line)))


def _own_channels() -> tuple[TextIO, TextIO]:
    """Where questions come from and verdicts go: the standard streams, before they became nothing for everyone else."""
    own = os.dup(0), os.dup(1)  # which an exec closes
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)

    def forget() -> None:
        for each in own:
            os.dup2(nothing, each, inheritable=False)

    os.register_at_fork(after_in_child=forget)
    return os.fdopen(own[0], encoding="utf-8"), os.fdopen(own[1], "w", encoding="utf-8")


def _load(handler: str) -> Judge:
    place, _, name = handler.rpartition(":")
    module: Any
    if place.endswith(".py"):
        path = Path(place)
        sys.path.insert(0, str(path.resolve().parent))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    found = getattr(module, name, None)
    if not callable(found):
        raise ImportError(f"{place} has no function named {name!r}")
    judge: Judge = found
    return judge


def _judged(judge: Judge, answer: str, seed: int, size: int | None, parameters: Mapping[str, Any]) -> tuple[str, Any]:
    try:
        asked = {"parameters": parameters} if _takes_parameters(judge) else {}
        wrong = judge(answer, seed, size, **asked)
    except (Exception, SystemExit) as error:  # the boundary to code of the user's
        return "unjudged", f"it raised {_said(error)}"
    if wrong is not None and not isinstance(wrong, str):
        return "unjudged", f"it returned {wrong!r:.60}, which is neither None nor a text that says what is wrong"
    return "wrong", wrong if wrong is None else wrong[:MOST] or "it does not say what"


def _takes_parameters(judge: Judge) -> bool:
    try:
        return "parameters" in inspect.signature(judge).parameters
    except ValueError:  # of a built-in function nobody knows
        return False


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:MOST]


def _say(channel: TextIO, kind: str, text: str | None) -> None:
    channel.write(json.dumps([kind, text]) + "\n")
    channel.flush()


if __name__ == "__main__":
    main(sys.argv[1])
