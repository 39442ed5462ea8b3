"""What a vHive node does with a pod, as far as a manifest can tell (cri/firecracker/service.go of vHive).

A stand-in for the node and its network. May not live here: expectations of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.unit.manifests.samples import expanded, pod
from toolkit.manifests import Manifest

_FULL_NAME = re.compile(r"[a-z0-9.-]+\.svc\.cluster\.local")


class NoMachine(Exception):
    """The pod would run without a machine, so its queue-proxy would never start: why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What boots, where it must listen, and the environment it gets of the pod's."""

    image: str
    port: int
    environment: Mapping[str, str]


def machine(service: Manifest, *, passes_environment: bool) -> Machine:
    """Command, arguments, resources and mounts of the container are not looked at: the image decides."""
    containers = pod(service)["containers"]
    if len(containers) != 1:
        raise NoMachine("Knative numbers the containers of a pod with several, and none is user-container")
    (container,) = containers
    if container.get("name", "user-container") != "user-container":
        raise NoMachine(f"the container {container['name']} is left to the stock runtime")
    environment = {each["name"]: expanded(each["value"]) for each in container.get("env") or ()}
    missing = [name for name in ("GUEST_IMAGE", "GUEST_PORT") if name not in environment]
    if missing:
        raise NoMachine(f"{missing[0]} is not set")
    (port,) = container["ports"]
    if str(port["containerPort"]) != environment["GUEST_PORT"]:
        raise NoMachine("the pod's port is not the guest's")
    passed = environment if passes_environment else {}
    return Machine(environment["GUEST_IMAGE"], port["containerPort"], passed)


def resolve(address: str, reachable: Mapping[str, str]) -> str:
    """The address that a guest reaches. It has no search domains, so only a full name is one."""
    host, _, port = address.rpartition(":")
    if not _FULL_NAME.fullmatch(host):
        raise LookupError(f"a guest cannot resolve {host!r}")
    return reachable[f"{host}:{port}"]
