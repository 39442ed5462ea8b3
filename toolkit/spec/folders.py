"""Where the folders of sub-chains lie within the chain's own, once they are packed together. Pure.

A function finds its handler there on a cluster, so the wiring (`toolkit.plan`) and the image agree on it here.
"""

from __future__ import annotations

from toolkit.spec.model import ChainSpec, Function

ELSEWHERE = ".chains"  # for folders that do not lie in the chain's own; no folder of a sub-chain is called so


def packed(chain: ChainSpec) -> dict[str, str]:
    """For each folder of a sub-chain that lies elsewhere, its path below the chain's folder: `.chains/aes`."""
    places: dict[str, str] = {}
    for folder in dict.fromkeys(each.folder for each in chain.functions if each.folder):
        if _below(folder, chain.folder) is None:
            name = f"{ELSEWHERE}/{folder.rstrip('/').rpartition('/')[2]}"
            taken = sum(place == name or place.startswith(f"{name}~") for place in places.values())
            places[folder] = f"{name}~{taken + 1}" if taken else name
    return places


def handler(chain: ChainSpec, function: Function) -> str:
    """The function's handler, seen from the chain's folder as it is packed."""
    file = function.handler.rpartition(":")[0].endswith(".py")
    if function.folder is None or not file:
        return function.handler
    place = _below(function.folder, chain.folder)
    place = packed(chain)[function.folder] if place is None else place
    return f"{place}/{function.handler}" if place else function.handler


def _below(folder: str, above: str) -> str | None:
    """The way from one folder down to another, "" for the same; None when that does not lie in it. Both absolute."""
    above = above.rstrip("/")
    if folder.rstrip("/") == above:
        return ""
    return folder.removeprefix(f"{above}/") if folder.startswith(f"{above}/") else None
