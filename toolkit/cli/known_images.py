"""`--image` when nobody gives it: the image that `toolkit build` made last of this very chain, if it still is that.

An image that no longer holds the chain as it is would measure something else, so it is refused, never used.
"""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from toolkit.cli.output import note
from toolkit.errors import UsageError
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.images.memory import Built
    from toolkit.spec.model import ChainSpec

MOST_TOLD = 5  # names of files that have changed
MISSING = "--image is missing"


def of_chain(chain: ChainSpec, called: str, why: str) -> str:
    """The image of the whole chain, told on standard error. `called` is CHAIN as the user has it.

    Raises UsageError when there is none (`why` says what it is for), or when the chain has changed since.
    """
    from toolkit.images import memory

    build = f"toolkit build {shlex.quote(called)}"
    built = _recalled(chain, "image")
    if built is None:
        raise UsageError(
            f"{MISSING}: {why}",
            next_step=f"'{build} --base BASE --push REGISTRY/REPOSITORY' (or --load kind|containerd|docker) makes one, "
            "and is remembered; see docs/images.md",
        )
    _see_that_it_is_fresh(built, memory.changes(built, chain), build)
    return _told(built)


def of_functions(chain: ChainSpec, called: str, flags: str, wirings: Mapping[str, bytes]) -> str:
    """The images of the functions, with `{function}` in them; their wiring must be what is asked for now, too."""
    from toolkit.images import memory
    from toolkit.images.model import digest_of

    build = f"toolkit build {shlex.quote(called)} --engine vhive --profile strict{flags}"
    built = _recalled(chain, "strict")
    if built is None:
        raise UsageError(
            f"{MISSING}: every function needs an image of its own, which holds its wiring",
            next_step=f"'{build} --base BASE --push REGISTRY/REPOSITORY' makes them, and is remembered; "
            "or write --image with {function} where the images' names differ",
        )
    now = {name: digest_of(data) for name, data in wirings.items()}
    rewired = sorted(name for name in now if built.wirings.get(name) != now[name])
    changes = memory.changes(built, chain)
    _see_that_it_is_fresh(built, (*changes, *(f"the wiring of '{name}'" for name in rewired)), build)
    return _told(built)


def _recalled(chain: ChainSpec, kind: str) -> Built | None:
    from toolkit.images import memory, store

    cache = store.user_cache()
    return None if cache is None else memory.recall(cache, chain, "strict" if kind == "strict" else "image")


def _see_that_it_is_fresh(built: Built, changes: tuple[str, ...], build: str) -> None:
    if not changes:
        return
    more = f" and {len(changes) - MOST_TOLD} more" if changes[MOST_TOLD:] else ""
    raise UsageError(
        f"{MISSING}, and {built.image} is stale: it was built before {', '.join(changes[:MOST_TOLD])}{more} changed",
        next_step=f"build it again: {' '.join((build, shlex.join(built.command))).rstrip()}",
    )


def _told(built: Built) -> str:
    when = datetime.fromtimestamp(built.at).astimezone().strftime("%Y-%m-%d %H:%M")
    note(printable(f"image: {built.image}, built {when}, {built.place}"))
    return built.image
