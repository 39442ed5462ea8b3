"""vSwarm's list of functions to be called (`endpoints.json`, which its deployer writes and its invoker reads).

May live here: reading such a list. May not: files, and how it is called (`robin`).

A list of objects: `hostname`, `eventing`, `matchers`; what else is in them is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.contract import ENTRY_METHOD
from toolkit.errors import Problem, SpecError, UsageError
from toolkit.load import target
from toolkit.load.target import Target

GREETING = b"\x0a\x07toolkit"  # HelloRequest{name: "toolkit"}
MOST_BYTES = 16 << 20
MOST = 10_000
_EVENTING = (
    "eventing: true: when such a workflow ends is told by vSwarm's TimeseriesDB, not by its answer; write false to "
    "measure that answer alone, or describe it as a chain: 'toolkit run' measures to the last function"
)


def read(data: bytes, origin: str, port: int) -> tuple[Target, ...]:
    """The targets of a list, in its order. Raises SpecError, which tells everything that is wrong with it."""
    found: list[Target] = []
    problems: list[Problem] = []
    for path, message, to in _entries(data, port):
        if to is not None:
            found.append(to)
        else:
            problems.append(Problem(0, 0, path, message))
    if problems:
        raise SpecError(origin, problems)
    return tuple(found)


def _entries(data: bytes, port: int) -> Iterator[tuple[str, str, Target | None]]:
    """(where, what is wrong, the target if nothing is)."""
    listed = _listed(data)
    if isinstance(listed, str):
        yield "", listed, None
        return
    for at, entry in enumerate(listed):
        wrong = list(_wrong(entry, f"[{at}]"))
        yield from ((path, message, None) for path, message in wrong)
        if not wrong:
            yield _target(entry["hostname"], f"[{at}].hostname", port)


def _listed(data: bytes) -> Sequence[Any] | str:
    if len(data) > MOST_BYTES:
        return f"more than {MOST_BYTES >> 20} MiB: no list of endpoints"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"no UTF-8 text: {error.reason} at byte {error.start:,}"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(found, list):
        return f'expected a list of endpoints, [{{"hostname": …}}, …], found {_kind(found)}'
    if not 0 < len(found) <= MOST:
        return f"{len(found):,} endpoints: from 1 to {MOST:,} can be called"
    return found


def _wrong(entry: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(entry, dict):
        yield path, f'expected an endpoint, {{"hostname": …}}, found {_kind(entry)}'
        return
    name, eventing = entry.get("hostname"), entry.get("eventing", False)
    if not isinstance(name, str) or not name:
        yield f"{path}.hostname", f"expected HOST or HOST:PORT, found {_kind(name)}"
    if not isinstance(eventing, bool):
        yield f"{path}.eventing", f"expected true or false, found {_kind(eventing)}"
    elif eventing:
        yield f"{path}.eventing", _EVENTING


def _target(name: str, path: str, port: int) -> tuple[str, str, Target | None]:
    """A hostname is one, or one with a port of its own."""
    has_port = name.rpartition(":")[2].isdecimal() and (name.count(":") == 1 or "]:" in name)
    try:
        to = target.parse(f"h2c://{name if has_port else f'{name}:{port}'}/{ENTRY_METHOD}")
    except UsageError as error:
        return path, f"no HOST or HOST:PORT: {str(error).rpartition(': ')[2]}", None
    if not isinstance(to, Target) or to.method != f"/{ENTRY_METHOD}":
        return path, f"{name[:200]!a} is no HOST or HOST:PORT", None
    return path, "", to


def _kind(value: object) -> str:
    kinds = (
        (bool, "true or false"),
        (str, "a text"),
        ((int, float), "a number"),
        (list, "a list"),
        (dict, "an object"),
    )
    if value is None:
        return "nothing"
    if value == "":
        return "an empty text"
    return next(name for kind, name in kinds if isinstance(value, kind))
