"""The words of the image format: digests, descriptors, layers, platforms, and what can go wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any, Literal

from toolkit.errors import EngineError

# https://github.com/opencontainers/image-spec/blob/v1.1.0/media-types.md
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = f"{LAYER}+gzip"

# What an image in a layout is called: containerd goes by the first, skopeo and umoci by the second.
CONTAINERD_NAME = "io.containerd.image.name"
OCI_NAME = "org.opencontainers.image.ref.name"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
AT_ONCE = 1 << 20  # bytes handled at a time

What = Literal["base", "dependencies", "requires", "scaffold", "chain", "wiring"]
Opener = Callable[[], AbstractContextManager[IO[bytes]]]
Note = Callable[[str], None]  # told what is under way, a line each


class ImageError(EngineError):
    """The image could not be made, written or pushed: the input was right, the world was not (exit status 3)."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on, as Go names it; `variant` is empty but for some ARMs."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def as_json(self) -> dict[str, str]:
        found = {"architecture": self.architecture, "os": self.os}
        return found | ({"variant": self.variant} if self.variant else {})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob as a manifest names it. `digest` is `sha256:` and 64 hex digits, `size` its bytes."""

    media_type: str
    digest: str
    size: int

    @property
    def hex(self) -> str:
        return self.digest.partition(":")[2]

    def as_json(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what it is for, its blob, and the digest of the tar inside (`diff_id`)."""

    what: What
    descriptor: Descriptor
    diff_id: str
    open: Opener


@dataclass(frozen=True, slots=True)
class Image:
    """A whole image, ready to be written. `config` and `manifest` are the bytes that the digests are of."""

    reference: str
    platform: Platform
    python: str  # its version, as in 3.11
    config: bytes
    manifest: bytes
    layers: tuple[Layer, ...]

    @property
    def config_descriptor(self) -> Descriptor:
        return Descriptor(CONFIG, digest_of(self.config), len(self.config))

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(MANIFEST, digest_of(self.manifest), len(self.manifest))

    @property
    def size(self) -> int:
        """Bytes of everything a registry would hold of it."""
        return len(self.config) + len(self.manifest) + sum(each.descriptor.size for each in self.layers)


def is_digest(text: object) -> bool:
    """Whether `text` is a digest that we can check (and that is safe as a file's name)."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_of_stream(stream: IO[bytes]) -> tuple[str, int]:
    """The digest and the length of what is left in `stream`."""
    hashed, size = hashlib.sha256(), 0
    while part := stream.read(AT_ONCE):
        hashed.update(part)
        size += len(part)
    return f"sha256:{hashed.hexdigest()}", size


def canonical(value: object) -> bytes:
    """JSON with one spelling only: the same value, the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
