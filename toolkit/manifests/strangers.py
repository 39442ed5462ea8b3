"""A stranger's image: a container beside the scaffold's, which has the pod's port and hands each message on to it.

May live here: what that container is told, and where there can be none. May not: what the pod looks like, which the
template says. Knative lets one container of a pod have a port; what it reserves for that one (`PORT`) may be said to
the others (Serving, k8s_validation.go reservedSidecarEnvVars), and probes may not, so the scaffold waits for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from toolkit.contract import EGRESS, Wiring
from toolkit.errors import UsageError
from toolkit.manifests.target import Target
from toolkit.plan import Plan
from toolkit.spec.model import Function

LOOPBACK = "127.0.0.1"  # of the pod, which its containers share
PORT, EGRESS_PORT = 8081, 8082  # in the pod; the scaffold's is 8080


def wired(function: Function, wiring: Wiring) -> Wiring:
    """The scaffold beside an image starts no program: it finds one."""
    if function.image is None:
        return wiring
    return dataclasses.replace(wiring, command=(), relay=f"{LOOPBACK}:{PORT}")


def container(function: Function, wiring: Wiring) -> Mapping[str, Any] | None:
    """What the template is told of the container; None for a function that is no image."""
    if function.image is None:
        return None
    from toolkit.sdk import program  # the scaffold, which brings asyncio along: most chains have no stranger

    told = {**program.environment(wiring, function.env, PORT), **way_out(function, wiring)}
    return {
        "image": function.image,
        "command": [word.replace("$PORT", str(PORT)).replace("$", "$$") for word in function.command],
        "environment": {name: value.replace("$", "$$") for name, value in sorted(told.items())},
        "resources": {key: value for key, value in dataclasses.asdict(function.resources).items() if value},
    }


def way_out(function: Function, wiring: Wiring) -> Mapping[str, str]:
    """Where the scaffold takes what the stranger sends over its edges; both containers are told."""
    return {EGRESS: f"{LOOPBACK}:{EGRESS_PORT}"} if function.image and wiring.outgoing else {}


def see_that_they_can_run(plan: Plan, target: Target) -> None:
    """Raises UsageError for strangers that the target cannot hold."""
    for function in plan.chain.functions:
        if function.image and target.vhive is not None and target.vhive.sandbox == "firecracker":
            raise UsageError(
                f"'{function.name}' is an image beside the scaffold's, and a machine of vHive holds one container",
                next_step="run the chain on --engine knative, or on vHive with the sandbox gvisor; or make the program "
                "part of the chain's folder and start it with `command`",
            )
