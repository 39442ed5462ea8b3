"""What an edge and a function say beside their names, in a few words each: for drawings, `describe` and `list`."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.spec.model import ChainSpec, Edge, Function, OwnLoad


def of_edge(edge: Edge) -> tuple[str, ...]:
    """Nothing for an edge over which every handling sends one message."""
    return tuple(_of_edge(edge))


def _of_edge(edge: Edge) -> Iterator[str]:
    if edge.fallback:
        yield f"in place of {edge.fallback}"
    elif edge.tasks is not None:
        yield f"up to {edge.tasks:,} tasks"
    elif edge.done:
        yield "when all tasks are done"
    elif (edge.least, edge.most) != (1, 1):
        yield count(edge)
    if edge.choice:
        yield f"choice {edge.choice}"
    if edge.loop is not None:
        yield f"loop {edge.loop:,}"
    if edge.retry:
        yield f"retry {edge.retry}"
    if edge.transfer != "inline":
        yield f"by {edge.transfer}"


def of_load(load: OwnLoad) -> str:
    """`8 calls, 2 at a time`; empty where the chain has no load of its own."""
    found = [] if load.requests is None else [f"{load.requests:,} call{'' if load.requests == 1 else 's'}"]
    found += [] if load.rate is None else [f"{load.rate:,} a second"]
    found += [] if load.concurrency is None else [f"{load.concurrency:,} at a time"]
    return ", ".join(found)


def count(edge: Edge) -> str:
    """How many messages: `×16`, `×1..16`, `×1..`."""
    if edge.least == edge.most:
        return f"×{edge.least}"
    return f"×{edge.least}..{'' if edge.most is None else edge.most}"


def work(function: Function) -> str:
    """Who does a function's work: its handler, or the stranger or gateway that it is."""
    if function.gateway:
        return f"gateway {function.gateway}"
    if function.command:
        return f"command {' '.join(function.command)}"
    return f"image {function.image}" if function.image else function.handler


def joins(function: Function) -> str:
    if function.join is None:
        return ""
    return f"joins {function.join:,}" if function.join else "joins the parts"


def patterns(chain: ChainSpec) -> tuple[str, ...]:
    """The keys of the chain language that make a chain more than a row of functions, each once."""
    edges, functions = chain.edges, chain.functions
    there = {
        "count": any(_counted(edge) for edge in edges),
        "choice": any(edge.choice for edge in edges),
        "loop": any(edge.loop is not None for edge in edges),
        "retry": any(edge.retry for edge in edges),
        "fallback": any(edge.fallback for edge in edges),
        "tasks": any(edge.tasks is not None for edge in edges),
        "transfer": any(edge.transfer != "inline" for edge in edges),
        "parallel": any(each.parallel > 1 for each in functions),
        "join": any(each.join is not None for each in functions),
        "gateway": any(each.gateway for each in functions),
        "stranger": any(each.image or each.command for each in functions),
        "sub-chain": any(each.chain for each in functions),
    }
    return tuple(name for name, found in there.items() if found)


def _counted(edge: Edge) -> bool:
    """Whether the file says how many, where that does not follow from what else it says."""
    implied = edge.fallback is not None or edge.tasks is not None or edge.loop is not None
    return not implied and (edge.least, edge.most) != (1, 1)
