"""Which image was built last for a chain, and of what: so that the next command need not be told.

May live here: the record, and whether the chain is still what was built. May not: where an image is used. A record lies
in the user's cache and may be gone at any time; one that cannot be read is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, cast

from toolkit.images import application
from toolkit.images.configuration import CHAIN_FOLDER
from toolkit.images.failures import told
from toolkit.images.model import digest_of_stream
from toolkit.images.store import Store
from toolkit.spec.model import ChainSpec

Kind = Literal["image", "strict"]  # one for the whole chain, or one for each function with its wiring in it
TOOLKIT = "the toolkit's own part"  # how a change of the scaffold is told


@dataclass(frozen=True, slots=True)
class Built:
    """An image as it was built. `image` has `{function}` in it where each function has one of its own.

    `place` says in words where it went, `command` is what a build of it is asked for besides the chain, `at` when that
    was (seconds since 1970); `files` and `wirings` are digests, by path in the image and by function.
    """

    image: str
    place: str
    command: tuple[str, ...]
    at: float
    files: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    wirings: Mapping[str, str] = field(default_factory=dict)


def digests(chain: ChainSpec, left_out: Sequence[Path]) -> dict[str, str]:
    """What an image of the chain is made of: a digest of mode and content, by path in the image.

    Raises UsageError and ImageError, as a build does.
    """
    found = {}
    with told("the chain cannot be read"):
        for entry in application.sources(chain, left_out):
            with cast(Path, entry.content).open("rb") as file:
                found[entry.path] = f"{entry.mode:o} {digest_of_stream(file)[0]}"
    return found


def changes(built: Built, chain: ChainSpec) -> tuple[str, ...]:
    """What of the chain is no longer as it was built, as its author calls it; empty when nothing has changed."""
    now = digests(chain, [Path(each) for each in built.left_out])
    paths = sorted(path for path in {*now, *built.files} if now.get(path) != built.files.get(path))
    inside = f"{CHAIN_FOLDER}/"
    own = [path.removeprefix(inside) for path in paths if path.startswith(inside)]
    return (*own, *([TOOLKIT] if len(own) < len(paths) else ()))


def remember(cache: Path, chain: ChainSpec, kind: Kind, built: Built) -> None:
    """Keeps what was built last. Raises OSError where nothing can be kept."""
    Store(cache).keep_note(_name(chain, kind), asdict(built))


def recall(cache: Path, chain: ChainSpec, kind: Kind) -> Built | None:
    found = Store(cache).read_note(_name(chain, kind))
    return None if found is None else _decoded(found)


def _name(chain: ChainSpec, kind: Kind) -> str:
    """A chain is known by its folder and its name: two checkouts of one chain have an image each."""
    told = f"{chain.folder}\0{chain.name}".encode("utf-8", "surrogateescape")
    return f"built/{hashlib.sha256(told).hexdigest()[:32]}-{kind}.json"


def _decoded(found: Mapping[str, object]) -> Built | None:
    image, place, at = found.get("image"), found.get("place"), found.get("at")
    if not isinstance(image, str) or not isinstance(place, str) or not isinstance(at, int | float):
        return None
    command, left_out = _texts(found.get("command")), _texts(found.get("left_out"))
    return Built(image, place, command, at, _table(found.get("files")), left_out, _table(found.get("wirings")))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _table(value: object) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}
