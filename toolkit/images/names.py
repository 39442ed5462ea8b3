"""What an image is called: `registry/repository:tag`, and what the toolkit calls one that nobody named.

The grammar is https://github.com/distribution/reference (v0.6.0)'s, without digests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from toolkit.errors import UsageError

LOCAL = "dev.local"  # Knative resolves no tag of this registry (config-deployment, registries-skipping-tag-resolving)
LONGEST = 255  # characters of registry and repository
_DOCKER_HUB = "docker.io"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True, slots=True)
class Name:
    """An image's name; `tag` is None when the image's own content shall name it."""

    registry: str
    repository: str
    tag: str | None = None

    def tagged(self, tag: str) -> str:
        return f"{self.registry}/{self.repository}:{self.tag or tag}"


def of_chain(chain: str) -> Name:
    return Name(LOCAL, chain)


def parse(text: str) -> Name:
    """The name in `text`, short names meaning Docker Hub as everywhere. Raises UsageError."""
    first, slash, rest = text.partition("/")
    if slash and (set(first) & set(".:[") or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = _DOCKER_HUB, text if slash else f"library/{text}"
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _refused(text, f"{tag!r} is no tag" if "@" not in tag else "a digest cannot be chosen")
    if not _REGISTRY.fullmatch(registry) or not _REPOSITORY.fullmatch(repository) or len(text) > LONGEST + 128:
        raise _refused(text, "a name is registry/repository, the repository in lower case")
    if tag == "latest":
        raise UsageError(
            f"{text}: the tag 'latest' says nothing of what is in the image, and Kubernetes pulls it at every start",
            next_step="leave the tag out: the image's content names it",
        )
    return Name(registry, repository, tag or None)


def _refused(text: str, why: str) -> UsageError:
    return UsageError(f"{text[:200]!r} is no name of an image: {why}", next_step="for example dev.local/my-chain:v1")
