"""Where a plan is to run, and with which images."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from toolkit.manifests.names import CLUSTER_DOMAIN


@dataclass(frozen=True, slots=True)
class VHive:
    """What is different on vHive: every function is a stub that names the image its virtual machine boots.

    `strict` passes nothing but the image and the port, so the wiring is baked into each function's image (`images`, by
    function); `env` is for vHive from 1.5 on, which passes the environment. gVisor runs the image itself.
    """

    stub: str = "ghcr.io/vhive-serverless/crccheck-hello-world:latest"
    profile: Literal["strict", "env"] = "env"
    sandbox: Literal["firecracker", "gvisor"] = "firecracker"
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a plan runs. `image` holds the chain: which function it is, is told by the wiring.

    `receipts` (`tcp://HOST:PORT`) and `endpoint` (Zipkin's `POST` URL) must be addresses that pods reach.
    `ledger_token` is what the ledger's URL holds and nobody can guess: drawn, unless it has to be the same again.
    """

    namespace: str
    image: str
    receipts: str | None = None
    endpoint: str | None = None
    create_namespace: bool = True
    vhive: VHive | None = None
    cluster_domain: str = CLUSTER_DOMAIN
    ledger_token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
