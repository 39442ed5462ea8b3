"""Make a recording small: what is compared stays, said once. `python -m tests.broker.curate FULL > CURATED`.

Nothing is renamed or made up. Left out are times, connection numbers, cases that are not replayed at all (admission,
life cycle), and the few whose size or slowness would tell nothing new.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.broker.recording import REPLAYED

LEFT_OUT = frozenset({"1.body-10m", "1.body-40m", "5.notimeout-slow"})
_KEPT = ("id", "group", "tests", "setup", "request", "response", "gaps_ms", "summary", "outcomes")


def curate(lines: list[str]) -> Iterator[str]:
    setups: dict[str, str] = {}  # as text -> the case that has it first
    for line in lines:
        case = json.loads(line)
        if case["group"] not in REPLAYED or case["id"] in LEFT_OUT:
            continue
        case = _smaller(case)
        first = setups.setdefault(json.dumps(case["setup"]), case["id"])
        if first != case["id"]:
            case["setup"] = {"as": first}
        yield json.dumps(case, separators=(",", ":"), ensure_ascii=False)


def _smaller(case: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: case[key] for key in _KEPT if key in case}
    answers = case["setup"].get("answers")
    if isinstance(answers, dict):
        found["setup"] = {**case["setup"], "answers": {name: _steps(steps) for name, steps in answers.items()}}
    ends = [each["end_ms"] for each in case["deliveries"] or () if each.get("end_ms") is not None]
    if ends:
        found["last_end_ms"] = max(ends)
    if "summary" not in case:
        found["deliveries"] = _grouped(case["deliveries"] or ())
    result = _bodies(found)
    assert isinstance(result, dict)
    return result


def _steps(steps: Any) -> Any:
    """The last answer repeats, so its repetitions need not be written."""
    if not isinstance(steps, list):
        return steps
    while len(steps) > 1 and steps[-1] == steps[-2]:
        steps = steps[:-1]
    runs: list[dict[str, Any]] = []
    for step in steps:
        if runs and runs[-1]["step"] == step:
            runs[-1]["times"] += 1
        else:
            runs.append({"times": 1, "step": step})
    return [run["step"] if run["times"] == 1 else run for run in runs]


def _grouped(deliveries: Any) -> list[dict[str, Any]]:
    """Equal deliveries once, with the names of all who got them; `expand` in `recording` is the way back."""
    groups: list[dict[str, Any]] = []
    last: dict[str, int] = {}  # subscriber -> its latest group: only then may it join again, or order would be lost
    for each in deliveries:
        sub = each["sub"]
        kept = {key: each[key] for key in ("method", "path", "headers", "body", "answered") if key in each}
        if kept.get("path") == f"/{sub}":
            del kept["path"]
        number = next((n for n, group in enumerate(groups) if group["same"] == kept), None)
        if number is None or last.get(sub, number) != number:
            groups.append({"same": kept, "subs": []})
            number = len(groups) - 1
        groups[number]["subs"].append(sub)
        last[sub] = number
    return groups


def _bodies(found: Any) -> Any:
    """base64 only where the text does not say it all."""
    if isinstance(found, list):
        return [_bodies(each) for each in found]
    if not isinstance(found, dict):
        return found
    if "b64" in found and str(found.get("text", "\0")).encode() == base64.b64decode(found["b64"]):
        return {"len": found["len"], "text": found["text"]}
    if "b64" in found or "sha256" in found:
        return {key: found[key] for key in ("len", "b64", "sha256") if key in found}
    return {key: _bodies(value) for key, value in found.items() if key not in ("elapsed_ms", "curl", "rc")} | {
        key: found[key] for key in ("elapsed_ms",) if key in found
    }


if __name__ == "__main__":
    for text in curate(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()):
        print(text)
