"""From the records of a chain.yaml to the functions and edges of a draft, `${…}` filled in.

May not live here: rules between functions and edges (`rules`, `patterns`), and whole chains (`parser`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from toolkit.contract import ENTRY_METHOD, GENERIC_METHOD, Transfer
from toolkit.contract.units import shown
from toolkit.spec import demands
from toolkit.spec.counts import Bounds
from toolkit.spec.draft import Link, Node
from toolkit.spec.findings import At, Findings
from toolkit.spec.model import ChainSpec
from toolkit.spec.parameters import Knobs
from toolkit.spec.shapes import Row

Keys = Mapping[str, At]
Inner = Callable[[At, Mapping[str, Row], Knobs, Findings], ChainSpec | None]  # a sub-chain, once its name is known
# What says nothing of a function whose work is not done by a handler of this chain, and why.
_NOT_FOR: Mapping[str, tuple[tuple[str, ...], str]] = {
    "gateway": (("repeat", "parallel", "join", "replicas", "set"), "there is one gateway, where the answer comes back"),
    "handler": (("set",), "it sets the parameters of a sub-chain (`chain`); a handler reads those of its own chain"),
    "image": (("set", "join"), "a stranger takes one message at a time, and knows no parameters"),
    "command": (("set", "join"), "a stranger takes one message at a time, and knows no parameters"),
}
_OF_A_CHAIN = ("chain", "set", "parallel", "about")


def value(keys: Keys, key: str, default: Any = None) -> Any:
    """What `key` says; `default` when it is not there or could not be read."""
    found = keys[key].value if key in keys else None
    return default if found is None else found


def node(name: str, row: Row, knobs: Knobs, inner: Inner, found: Findings) -> Node:
    keys: Keys = row.value.value or {}
    _fitting(keys, found)
    env: Mapping[str, Row] = value(keys, "env", {})
    return Node(
        name=name,
        place=row.name,
        handler=value(keys, "handler", ""),
        replicas=value(keys, "replicas", 1),
        env={key: knobs.fill(each.value.value or "", each.value.place, found) for key, each in env.items()},
        about=value(keys, "about", ""),
        repeat=_number(keys.get("repeat"), knobs, found, 1),
        parallel=_number(keys.get("parallel"), knobs, found, 1),
        protocol=value(keys, "protocol"),
        said={key: at.place for key, at in keys.items()},
        demands=demands.read(keys, found),
        join=_join(keys.get("join"), knobs, found),
        gateway=value(keys, "gateway"),
        image=value(keys, "image"),
        command=tuple(each.value or "" for each in value(keys, "command", [])),
        prepare=tuple(each.value or "" for each in value(keys, "prepare", [])),
        inner=inner(keys["chain"], value(keys, "set", {}), knobs, found) if "chain" in keys else None,
        is_chain="chain" in keys,
    )


def _fitting(keys: Keys, found: Findings) -> None:
    """Keys that contradict what the function is."""
    if "chain" in keys:
        for key in [key for key in keys if key not in _OF_A_CHAIN]:
            found.add(keys[key].place, f"a sub-chain has no `{key}` of its own; its functions say it in its chain.yaml")
    for kind, (others, why) in _NOT_FOR.items():
        for key in others:
            if kind in keys and key in keys:
                found.add(keys[key].place, f"this is not for a function with `{kind}`: {why}")
    if "prepare" in keys and "command" not in keys:
        found.add(keys["prepare"].place, "there is no program to prepare; write `command`, or leave it out")
    if "repeat" in keys and "parallel" in keys:
        found.add(keys["parallel"].place, "copies stand in a row (`repeat`) or side by side, not both; leave one out")


def link(edge: At, nodes: Mapping[str, Node], knobs: Knobs, found: Findings) -> Link | None:
    """The edge, or None when it cannot be followed."""
    keys: Keys = edge.value or {}
    via = value(keys, "via")
    source, to = (known(keys.get(key), nodes, found) for key in ("from", "to"))
    backed = known(keys.get("fallback"), nodes, found)
    if via is None or source is None or to is None:
        return None
    if _of_chains(keys, nodes[source.value], nodes[to.value], found):
        return None
    least, most = _amount(keys, knobs, found)
    usual = ENTRY_METHOD if nodes[to.value].is_chain else GENERIC_METHOD
    return Link(
        source=source.value,
        to=to.value,
        via=via,
        place=edge.place,
        said={key: at.place for key, at in keys.items()},
        method=value(keys, "method", usual) if via == "call" else None,
        type=value(keys, "type") if via == "event" else None,
        least=least,
        most=most,
        choice=value(keys, "choice"),
        loop=_number(keys.get("loop"), knobs, found),
        retry=_number(keys.get("retry"), knobs, found, 0),
        fallback=backed.value if backed else None,
        transfer=_transfer(keys.get("transfer"), knobs, found),
        tasks=_number(keys.get("tasks"), knobs, found),
        done=value(keys, "when") == "done",
    )


def _of_chains(keys: Keys, source: Node, to: Node, found: Findings) -> bool:
    """Whether it could not be: a sub-chain is called as callers call a chain, and answers whoever called."""
    before = len(found)
    if source.is_chain:
        why = "none of its handlers knows of an edge out of it"
        found.add(keys["from"].place, f"'{source.name}' is a sub-chain, and {why}; let who calls it send on its answer")
    if to.is_chain and value(keys, "via") == "event":
        found.add(keys["via"].place, f"'{to.name}' is a sub-chain, which is called as its callers call it; write call")
    method = value(keys, "method", ENTRY_METHOD)
    if to.is_chain and method != ENTRY_METHOD:
        found.add(keys["method"].place, f"'{to.name}' is a sub-chain, and takes {ENTRY_METHOD} alone; leave it out")
    return len(found) > before


def known(at: At | None, nodes: Mapping[str, Node], found: Findings) -> At | None:
    """`at`, if it names a function; a problem if it names none."""
    if at is None or at.value is None:
        return None
    if at.value in nodes:
        return at
    found.add(at.place, f"no function named {shown(at.value)}{found.near(at.value, nodes)}")
    return None


def _amount(keys: Keys, knobs: Knobs, found: Findings) -> tuple[int, int | None]:
    """From so many messages to so many. Left out, it is one; but tasks are spawned as needed, and a loop ends."""
    at = keys.get("count")
    if at is None or at.value is None:
        if "tasks" in keys:
            return 0, None
        return (0, 1) if "loop" in keys and "choice" not in keys else (1, 1)
    bounds: Bounds = at.value
    before = len(found)
    least = knobs.count(bounds.least, at.place, found) or 0
    most = None if bounds.most is None else knobs.count(bounds.most, at.place, found)
    if most is not None and most < least and len(found) == before:
        found.add(at.place, f"from {least} to {most} there is nothing; write the smaller number first")
    elif bounds.most is not None and (bounds.most.parameter, bounds.most.offset) == (None, 0):
        found.add(
            at.place, "nothing would go over it; leave the edge out, or write `0..1` for one that is not always taken"
        )
    return least, most


def _number(at: At | None, knobs: Knobs, found: Findings, usual: Any = None) -> Any:
    count = None if at is None or at.value is None else knobs.count(at.value, at.place, found)
    return usual if count is None else count


def _join(at: At | None, knobs: Knobs, found: Findings) -> str | int | None:
    if at is None or at.value is None or at.value == "all":
        return None if at is None else at.value
    return 0 if at.value == "parts" else knobs.count(at.value, at.place, found)


def _transfer(at: At | None, knobs: Knobs, found: Findings) -> Transfer:
    words: tuple[Transfer, ...] = get_args(Transfer)
    if at is None or at.value is None:
        return words[0]
    before = len(found)
    text = knobs.fill(at.value, at.place, found)
    transfer = next((each for each in words if each == text), None)
    if transfer is None and len(found) == before:
        found.add(at.place, f"{shown(text)} is no transfer{found.near(text, words)}")
    return transfer or words[0]
