"""Where the folders of sub-chains lie within the chain's own, once they are packed together. Pure.

A function finds its handler there on a cluster, so the wiring (`toolkit.plan`) and the image agree on it here.
"""

from __future__ import annotations

from pathlib import PurePath

from toolkit.spec.model import ChainSpec, Function

ELSEWHERE = ".chains"  # for folders that do not lie in the chain's own; no folder of a sub-chain is called so


def packed(chain: ChainSpec) -> dict[str, str]:
    """For each folder of a sub-chain that lies elsewhere, its path below the chain's folder: `.chains/aes`."""
    places: dict[str, str] = {}
    for folder in dict.fromkeys(each.folder for each in chain.functions if each.folder):
        if not PurePath(folder).is_relative_to(chain.folder):
            name = f"{ELSEWHERE}/{PurePath(folder).name}"
            taken = sum(place == name or place.startswith(f"{name}~") for place in places.values())
            places[folder] = f"{name}~{taken + 1}" if taken else name
    return places


def handler(chain: ChainSpec, function: Function) -> str:
    """The function's handler, seen from the chain's folder as it is packed."""
    file = function.handler.rpartition(":")[0].endswith(".py")
    if function.folder is None or not file:
        return function.handler
    place = packed(chain).get(function.folder) or PurePath(function.folder).relative_to(chain.folder).as_posix()
    return function.handler if place == "." else f"{place}/{function.handler}"
