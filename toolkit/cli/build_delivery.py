"""Takes what was built to where it is wanted: a file, a registry, the nodes, a command of the user's; and remembers it.

May live here: the order of these, and what the options make of them. May not: how each is done (`images`).
"""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli.build_text import Made
from toolkit.cli.output import note
from toolkit.cli.targets import FUNCTION
from toolkit.cli.tree import ENVIRONMENT
from toolkit.report.characters import printable

if TYPE_CHECKING:
    from toolkit.images.build import Content
    from toolkit.images.delivery import Hook
    from toolkit.images.model import Image
    from toolkit.images.names import Name
    from toolkit.spec.model import ChainSpec

_STANDS = "0function0"  # for {function} while a name is read, in which braces cannot be


@dataclass(frozen=True, slots=True)
class Template:
    """The name of one image, or of several with `{function}` in it."""

    name: Name

    def of(self, function: str) -> Name:
        tag = self.name.tag and self.name.tag.replace(FUNCTION, function)
        return replace(self.name, repository=self.name.repository.replace(FUNCTION, function), tag=tag)


def templates(chain: ChainSpec, options: argparse.Namespace, *, several: bool) -> tuple[Template, Template | None]:
    """What the images are called, and what in the registry. Raises UsageError."""
    from toolkit.images import names

    pushed = None if options.push is None else template(options.push, several=several)
    if options.tag is not None:
        return template(options.tag, several=several), pushed
    return pushed or template(f"{names.LOCAL}/{chain.name}", several=several), pushed


def template(text: str, *, several: bool) -> Template:
    """The name in `text`; of several images with `{function}` at the repository's end if it is nowhere else."""
    from toolkit.images import names

    if not several:
        return Template(names.parse(text))
    found = names.parse(text.replace(FUNCTION, _STANDS))
    repository, tag = found.repository.replace(_STANDS, FUNCTION), found.tag and found.tag.replace(_STANDS, FUNCTION)
    ending = "" if FUNCTION in f"{repository}{tag}" else f"-{FUNCTION}"
    return Template(names.Name(found.registry, f"{repository}{ending}", tag))


def deliver(
    images: Mapping[str, Image], called: Template, pushed: Template | None, options: argparse.Namespace
) -> Made:
    """All that the options ask for, in this order: file, registry, nodes, command. Raises ToolkitErrors."""
    from toolkit.images import layout

    every = list(images.values())
    if options.to is not None:
        layout.write(every, options.to)
    made = _pushed(images, called, pushed, options)
    if options.load is not None:
        with _tar(every, options.to) as tar:
            _run(options.load.words(tar), options.load.next_step)
    if options.publish is not None:
        for function, image in images.items():
            _publish(options.publish, image, made.pushed.get(function), options.to if len(every) == 1 else None)
    return made


def remember(
    made: Made, content: Content, files: Mapping[str, str], wirings: Mapping[str, bytes], how: argparse.Namespace
) -> None:
    """So that the next command need not be told. `files` are the chain's digests from before the build."""
    from toolkit.images import memory, store
    from toolkit.images.model import digest_of

    left_out = tuple(str(each.resolve()) for each in content.left_out)
    baked = {name: digest_of(data) for name, data in wirings.items()}
    image = made.reference if made.several else made.pushed.get("", made.reference)
    built = memory.Built(image, _place(how), _command(how), time.time(), files, left_out, baked)
    cache = store.user_cache()
    try:
        if cache is not None:
            memory.remember(cache, content.chain, "strict" if made.several else "image", built)
    except OSError as error:
        note(f"the image is not remembered, give --image next time: {cache}: {error.strerror}")


def _pushed(
    images: Mapping[str, Image], called: Template, pushed: Template | None, options: argparse.Namespace
) -> Made:
    """Pushes what is to be pushed. What is pushed is known by its name in the registry."""
    from toolkit.images import registry

    # Without a tag of their own all have the same one.
    tag = called.name.tag or next(iter(images.values())).reference.rpartition(":")[2]
    reference = (pushed or called).name.tagged(tag)
    if pushed is None:
        return Made(images, reference)
    digests = {}
    for function, image in images.items():
        name = pushed.of(function)
        digests[function] = registry.push(
            image, name, name.tag or image.reference.rpartition(":")[2], plain=options.plain_http, note=_progress
        )
    return Made(images, reference, digests)


def _publish(hook: Hook, image: Image, pushed: str | None, to: Path | None) -> None:
    reference = pushed or image.reference
    if not hook.wants_tar:
        told = _run(hook.words(None, reference, image.descriptor.digest), hook.next_step)
    else:
        with _tar([image], to) as tar:
            told = _run(hook.words(tar, reference, image.descriptor.digest), hook.next_step)
    for line in told:
        note(f"    {line}")


def _run(words: Sequence[str], next_step: str) -> Sequence[str]:
    from toolkit.images import delivery

    _progress(f"run: {shlex.join(words)}")
    return delivery.run(words, next_step)


@contextmanager
def _tar(images: Sequence[Image], to: Path | None) -> Iterator[Path]:
    """One tar of these images: the one that was asked for, else one that is gone afterwards."""
    from toolkit.images import layout
    from toolkit.images.failures import told

    if to is not None and to.suffix == ".tar":
        yield to.resolve()
        return
    with told("there is no room for temporary files"):
        folder = tempfile.TemporaryDirectory(prefix="toolkit-build-", ignore_cleanup_errors=True)
    with folder as scratch:
        tar = Path(scratch, "image.tar")
        layout.write(images, tar)
        yield tar


def _place(options: argparse.Namespace) -> str:
    places = [
        "pushed" if options.push else "",
        f"loaded by {options.load}" if options.load else "",
        f"given to {options.publish.template[0]}" if options.publish else "",
        f"written to {options.to}" if options.to else "",
    ]
    machine = f" for {options.platform}" if options.platform else ""
    return f"{' and '.join(each for each in places if each)}{machine}"


def _command(options: argparse.Namespace) -> tuple[str, ...]:
    """What a build like this one is asked for, wherever it is typed. A hook out of the environment stays there."""
    words: list[str] = []
    for flag in ("base", "to"):
        if (path := getattr(options, flag)) is not None:
            words += [f"--{flag}", str(path.resolve())]
    hook = options.publish if f"{ENVIRONMENT}PUBLISH" not in os.environ else None
    for flag, value in (
        *((each, getattr(options, each)) for each in ("platform", "tag", "push", "load")),
        ("publish", hook),
    ):
        if value is not None:
            words += [f"--{flag}", str(value)]
    return (*words, *(["--plain-http"] if options.plain_http else []))


def _progress(text: str) -> None:
    note(printable(text))
