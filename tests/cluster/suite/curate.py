"""Make a recording of webhook verdicts small: `python -m tests.cluster.suite.curate FULL > CURATED`.

Kept is what is compared: what was sent, how, and what was answered. Of the full recording only the cases marked `core`
stay: one of each rule. Nothing is renamed or made up; what a description says in reference to other papers is left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

_KEPT = (
    *("id", "kind", "apiVersion", "tests", "operation", "field_validation"),
    *("manifest", "manifest_yaml", "update", "update_method", "accepted", "http_code", "message", "warnings"),
)
_REFERENCE = re.compile(r" \(contract [^)]*\)|contract (J\d: )?")


def curate(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        case = json.loads(line)
        if case["core"]:
            yield json.dumps(_smaller(case), separators=(",", ":"), ensure_ascii=False)


def _smaller(case: Mapping[str, Any]) -> dict[str, Any]:
    """The stable message in place of the raw one; the text that was sent in place of what it says."""
    kept = {key: case[key] for key in _KEPT if case.get(key) not in (None, [])}
    kept["tests"] = _REFERENCE.sub("", kept["tests"])
    if "message_stable" in case:
        kept["message"] = case["message_stable"]
    if "manifest_yaml" in kept:
        del kept["manifest"]
    return kept


if __name__ == "__main__":
    for text in curate(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()):
        print(text)
