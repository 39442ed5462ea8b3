"""Functions that become several: the copies that `repeat:` and `parallel:` make. May not live here: their edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from toolkit.spec.draft import Node
from toolkit.spec.findings import Findings
from toolkit.spec.language import LONGEST_LABEL
from toolkit.spec.names import copies


def copied(nodes: Mapping[str, Node], counts: Mapping[str, int], found: Findings) -> dict[str, Node]:
    """The functions, each so many times; a problem for every name that would be taken, or too long."""
    made: dict[str, Node] = {}
    for node in nodes.values():
        names = copies(node.name, counts[node.name])
        if names and len(names[-1]) > LONGEST_LABEL:
            most = f"{LONGEST_LABEL} are allowed"
            found.add(node.place, f"its copy '{names[-1]}' has a name of {len(names[-1])} characters; {most}")
        for name in names:
            if name != node.name and counts.get(name) == 1:
                found.add(node.place, f"its copy '{name}' has the name of another function; rename one of them")
            made[name] = replace(node, name=name)
    return made
