"""What an image says of itself: how it is started, as whom, with which environment. The Dockerfile says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from toolkit import contract
from toolkit.images.documents import Object, items, obj, strings
from toolkit.images.interpreter import DEFAULT_PATH
from toolkit.images.model import CONFIG, MANIFEST, Descriptor, Layer, Platform, canonical, digest_of

CHAIN_FOLDER = "app/chain"  # where the chain lies, below the root
LIBRARY_FOLDER = "app/lib"  # where what it imports lies
WIRING_FILE = contract.DEFAULT_WIRING_FILE.lstrip("/")
ENTRYPOINT = ("python3", "-P", "-m", "toolkit.sdk")
USER = "65532:65532"  # numeric, so that Kubernetes can see that it is not root; `nonroot` in distroless images
PORT = f"{contract.DEFAULT_PORT}/tcp"
ENVIRONMENT = {
    "PYTHONPATH": f"/{LIBRARY_FOLDER}",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
TITLE, ABOUT, VERSION = (f"org.opencontainers.image.{name}" for name in ("title", "description", "version"))
_KEPT = ("StopSignal", "Volumes")  # of the base, beside variables, labels and ports; the rest is for its own program


def labels(chain: str, about: str, toolkit: str) -> dict[str, str]:
    """What is said of the content, and of nothing else: no time, no machine, no commit."""
    return {TITLE: chain, VERSION: toolkit} | ({ABOUT: about} if about else {})


def config(base: Object, platform: Platform, layers: Sequence[Layer], said: Mapping[str, str], epoch: int) -> bytes:
    """The image configuration (https://github.com/opencontainers/image-spec/blob/v1.1.0/config.md)."""
    theirs = obj(base.get("config"))
    inner = {name: theirs[name] for name in _KEPT if theirs.get(name)}
    inner["Env"] = environment(strings(theirs.get("Env")))
    inner["Labels"] = {**obj(theirs.get("Labels")), **said}
    inner["ExposedPorts"] = {**obj(theirs.get("ExposedPorts")), PORT: {}}
    inner |= {"User": USER, "WorkingDir": f"/{CHAIN_FOLDER}", "Entrypoint": list(ENTRYPOINT)}
    created = moment(epoch)
    return canonical(
        {
            **platform.as_json(),
            "created": created,
            "config": inner,
            "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
            "history": _history(base, layers, created),
        }
    )


def environment(base: Sequence[str]) -> list[str]:
    """The base's variables, ours over them, in the order they were first named."""
    found = {"PATH": DEFAULT_PATH} | {name: value for name, _, value in (each.partition("=") for each in base)}
    return [f"{name}={value}" for name, value in (found | ENVIRONMENT).items()]


def manifest(config_bytes: bytes, layers: Sequence[Layer]) -> bytes:
    """The image manifest (https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md)."""
    described = Descriptor(CONFIG, digest_of(config_bytes), len(config_bytes))
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described.as_json(),
            "layers": [each.descriptor.as_json() for each in layers],
        }
    )


def moment(epoch: int) -> str:
    """Seconds since 1970 as RFC 3339."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _history(base: Object, layers: Sequence[Layer], created: str) -> list[dict[str, Any]]:
    """The base's history where it is whole, and a line for each layer of ours."""
    told = [each for each in items(base.get("history")) if isinstance(each, dict)]
    below = [each for each in layers if each.what == "base"]
    if sum(1 for each in told if not each.get("empty_layer")) != len(below):
        told = [_line("base", created) for _ in below]
    return told + [_line(each.what, created) for each in layers if each.what != "base"]


def _line(what: str, created: str) -> dict[str, str]:
    return {"created": created, "created_by": f"toolkit build: {what}"}
