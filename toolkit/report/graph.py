"""A chain as a drawing: Mermaid, DOT, JSON, and plain text for a terminal. Event edges go through the broker's node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from toolkit.contract import CALLER, ENTRY_METHOD, GENERIC_METHOD, units
from toolkit.report import wording
from toolkit.spec.model import Broker, ChainSpec, Edge, Function, Parameter


def mermaid(chain: ChainSpec) -> str:
    """A Mermaid flowchart. Nodes are called `f0`, `f1`, … there: names such as `end` are words of Mermaid's own."""
    ids = {function.name: f"f{index}" for index, function in enumerate(chain.functions)}
    lines = ["flowchart LR", f'  caller(["{CALLER}"])']
    for whole, functions in _wholes(chain):
        nodes = [f"  {ids[each.name]}{_mermaid_node(each)}" for each in functions]
        head = [f'  subgraph s{len(lines)} ["{_mermaid_text(whole)}"]'] if whole else []
        lines += [*head, *(f"  {node}" if whole else node for node in nodes), *(["  end"] if whole else [])]
    if chain.broker:
        lines.append(f'  broker{{{{"broker {_mermaid_text(chain.broker.name)}"}}}}')
    for source, to, label, dashed in _arrows(chain):
        arrow = "-.->" if dashed else "-->"
        lines.append(f'  {ids.get(source, source)} {arrow}|"{_mermaid_text(label)}"| {ids.get(to, to)}')
    return "\n".join(lines) + "\n"


def dot(chain: ChainSpec) -> str:
    """A Graphviz digraph; functions keep their names, prefixed so that none can be taken for the broker."""
    lines = [f"digraph {_dot_text(chain.name)} {{", "  rankdir=LR;", "  node [shape=box];", "  caller [shape=oval];"]
    for whole, functions in _wholes(chain):
        nodes = [f"  {_dot_id(each.name)} [label={_dot_text(_title(each))}{_dot_shape(each)}];" for each in functions]
        head = [f"  subgraph {_dot_text('cluster ' + whole)} {{", f"    label={_dot_text(whole)};"] if whole else []
        lines += [*head, *(f"  {node}" if whole else node for node in nodes), *(["  }"] if whole else [])]
    if chain.broker:
        lines.append(f"  broker [shape=hexagon, label={_dot_text('broker ' + chain.broker.name)}];")
    for source, to, label, dashed in _arrows(chain):
        style = ", style=dashed" if dashed else ""
        lines.append(f"  {_dot_id(source)} -> {_dot_id(to)} [label={_dot_text(label)}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def as_json(chain: ChainSpec) -> dict[str, Any]:
    """The chain as plain data: names, functions, edges, broker (or None) and parameters with their values."""
    return {
        "name": chain.name,
        "about": chain.about,
        "entry": chain.entry,
        "functions": [_plain(asdict(each)) for each in chain.functions],
        "edges": [_edge_json(each) for each in chain.edges],
        "broker": asdict(chain.broker) if chain.broker else None,
        "parameters": [asdict(each) for each in chain.parameters],
        "requires": list(chain.requires),
        "expect": chain.expect,
        "store": dict(chain.store),
        "load": asdict(chain.load),
        "patterns": list(wording.patterns(chain)),
        "folder": chain.folder,
        "sha256": chain.sha256,
    }


def text(chain: ChainSpec) -> str:
    """The chain in lines that a person reads: what it is, its hops in order, its broker and its knobs."""
    hops = [_entry_hop(chain), *(_hop(edge) for edge in chain.edges)]
    lines = [chain.name + (f" — {_line(chain.about)}" if chain.about else "")]
    lines += _section("functions", [(each.name, wording.work(each), _notes(each)) for each in chain.functions])
    lines += _section("edges", hops)
    if chain.broker:
        lines += ["", f"broker {chain.broker.name}", *(f"  {line}" for line in _delivery(chain.broker))]
    lines += _section("parameters", [(each.name, value_text(each), _bounds(each)) for each in chain.parameters])
    lines += _section("judged by", [(chain.expect,)] if chain.expect else [])
    lines += _section("load", [(load,)] if (load := wording.of_load(chain.load)) else [])
    lines += _section("store", sorted(chain.store.items()))
    lines += _section("requires", [(each,) for each in chain.requires])
    return "\n".join(lines) + "\n"


def value_text(parameter: Parameter) -> str:
    """A parameter's value as its chain.yaml would write it: 4KiB, 250ms, 3, true."""
    return _as_written(parameter, parameter.value)


def _arrows(chain: ChainSpec) -> Iterator[tuple[str, str, str, bool]]:
    """(from, to, label, dashed) of every line to draw; an event is drawn into the broker once, however many get it."""
    yield from _ways_in(chain)
    sent = set()
    for edge in chain.edges:
        if edge.via == "call":
            yield edge.source, edge.to, _label(edge.method, edge), False
            continue
        if (edge.source, edge.type) not in sent:
            sent.add((edge.source, edge.type))
            yield edge.source, "broker", _label(edge.type, edge), True
        yield "broker", edge.to, f"{edge.type} of {edge.source}", True
    if chain.broker and chain.broker.delivery.dead_letter:
        yield "broker", chain.broker.delivery.dead_letter, "dead letters", True


def _ways_in(chain: ChainSpec) -> Iterator[tuple[str, str, str, bool]]:
    yield "caller", chain.entry, ENTRY_METHOD, False
    for each in chain.functions:
        if each.gateway:
            yield "caller", each.name, f"HTTP {each.gateway}", False
            yield each.name, chain.entry, GENERIC_METHOD, False


def _label(name: str | None, edge: Edge) -> str:
    return " · ".join([name or "", *wording.of_edge(edge)])


def _wholes(chain: ChainSpec) -> list[tuple[str | None, list[Function]]]:
    """The functions, and the sub-chain that they belong to together; None for the chain's own, which come first."""
    found: dict[str | None, list[Function]] = {None: []}
    for each in chain.functions:
        found.setdefault(each.chain, []).append(each)
    return list(found.items())


def _title(function: Function) -> str:
    name = function.name if function.replicas == 1 else f"{function.name} ×{function.replicas}"
    what = f"gateway {function.gateway}" if function.gateway else wording.joins(function)
    return f"{name} · {what}" if what else name


def _mermaid_node(function: Function) -> str:
    """A box; a round one for a gateway, a double one for a join."""
    left, right = ("([", "])") if function.gateway else ("[", "]") if function.join is None else ("[[", "]]")
    return f'{left}"{_mermaid_text(_title(function))}"{right}'


def _dot_shape(function: Function) -> str:
    if function.gateway:
        return ", shape=oval"
    return "" if function.join is None else ", peripheries=2"


def _mermaid_text(label: str) -> str:
    """`label` inside Mermaid's quotes: everything but plain characters as its entity codes (`#35;`)."""
    return "".join(each if each.isalnum() or each in " -_./:×·," else f"#{ord(each)};" for each in label)


def _dot_text(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _dot_id(name: str) -> str:
    return name if name in ("broker", "caller") else _dot_text(f"function {name}")


def _edge_json(edge: Edge) -> dict[str, Any]:
    said = asdict(edge)
    return {"from": said.pop("source"), **said}


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}


def _entry_hop(chain: ChainSpec) -> tuple[str, str, str, str]:
    gateways = [f" and HTTP {each.gateway} through {each.name}" for each in chain.functions if each.gateway]
    return CALLER, "→", chain.entry, f"call {ENTRY_METHOD}{''.join(gateways)}"


def _hop(edge: Edge) -> tuple[str, str, str, str]:
    what = ", ".join([f"{edge.via} {edge.method if edge.via == 'call' else edge.type}", *wording.of_edge(edge)])
    return edge.source, "→" if edge.via == "call" else "⇢", edge.to, what


def _notes(function: Function) -> str:
    replicas = f", {function.replicas} replicas" if function.replicas > 1 else ""
    joins = f", {wording.joins(function)}" if function.join is not None else ""
    whole = f", of the sub-chain {function.chain}" if function.chain else ""
    about = f"; {_line(function.about)}" if function.about else ""
    return f"{function.protocol}{replicas}{joins}{whole}{about}"


def _delivery(broker: Broker) -> Iterator[str]:
    delivery = broker.delivery
    answered = "after every delivery" if broker.acknowledge == "sync" else "before the deliveries"
    yield f"answers the producer {answered} ({broker.acknowledge})"
    timeout = f", each given {units.show_seconds(delivery.timeout_s)}" if delivery.timeout_s is not None else ""
    yield f"retries {delivery.retry} times, {delivery.backoff} from {units.show_seconds(delivery.delay_s)}{timeout}"
    if delivery.dead_letter:
        yield f"sends what nobody takes to {delivery.dead_letter}"


def _line(about: str) -> str:
    return " ".join(about.split())


def _bounds(parameter: Parameter) -> str:
    about = _line(parameter.about)
    least, most = (
        None if bound is None else _as_written(parameter, bound) for bound in (parameter.minimum, parameter.maximum)
    )
    if least is None and most is None:
        return about
    between = f"{least} to {most}" if least and most else f"at least {least}" if least else f"at most {most}"
    return f"{about} ({between})" if about else f"({between})"


def _as_written(parameter: Parameter, value: Any) -> str:
    if parameter.kind == "size":
        return units.show_size(int(value))
    if parameter.kind == "duration":
        return units.show_seconds(float(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _section(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A titled block of rows in columns, after an empty line; nothing when there are no rows."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return ["", title, *(f"  {line}".rstrip() for line in lines)]
