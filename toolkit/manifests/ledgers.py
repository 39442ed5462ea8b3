"""The ledger of a chain with tasks or joins: a Deployment and its Service, which the functions' wiring names.

May live here: what their templates are told. May not: what they look like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolkit.contract import DEFAULT_PORT, LEDGER, LEDGER_TOKEN, READY_PATH
from toolkit.manifests import names, templates
from toolkit.manifests.target import Target
from toolkit.manifests.templates import Manifest
from toolkit.plan import Plan

NAME = "app.kubernetes.io/name"
FOLDER = "/var/lib/ledger"
SIZE, MOST_BYTES = "6Gi", 4 << 30  # of the volume; of the database in it, which has its journal beside it
COMMAND = ("python3", "-P", "-m", "toolkit.sdk.ledger")


def url(plan: Plan, target: Target) -> str | None:
    """Where the ledger answers, None for a chain that needs none. Fully qualified: see `names.bound`."""
    where = f"http://{LEDGER}.{target.namespace}.svc.{target.cluster_domain}/{target.ledger_token}"
    return where if plan.chain.has_ledger else None


def token(deployment: Mapping[str, Any]) -> str | None:
    """What `objects` made known to the ledger, read back from its Deployment as it stands on a cluster."""
    pod = deployment.get("spec", {}).get("template", {}).get("spec", {})
    told = [each for container in pod.get("containers") or () for each in container.get("env") or ()]
    return next((each.get("value") or None for each in told if each.get("name") == LEDGER_TOKEN), None)


def objects(plan: Plan, target: Target, places: Sequence[str]) -> Iterator[Manifest]:
    """Nothing for a chain that needs none."""
    if not plan.chain.has_ledger:
        return
    ours = names.labels(plan)
    selected = {NAME: LEDGER, names.RUN: ours[names.RUN]}
    where = ("--listen", f"0.0.0.0:{DEFAULT_PORT}", "--database", f"{FOLDER}/ledger.sqlite")
    common = {"name": LEDGER, "namespace": target.namespace, "labels": ours, "selected": selected}
    yield templates.render("ledger-service", places, common)
    yield templates.render(
        "ledger-deployment",
        places,
        {
            **common,
            "pod_labels": {**ours, **selected},
            "image": _image(plan, target),
            "command": [*COMMAND, *where, "--max-bytes", str(MOST_BYTES)],
            "environment": {LEDGER_TOKEN: target.ledger_token},
            "port": DEFAULT_PORT,
            "ready_path": READY_PATH,
            "folder": FOLDER,
            "size": SIZE,
        },
    )


def _image(plan: Plan, target: Target) -> str:
    """The chain's; where each function has one of its own, the first one's: all hold the ledger."""
    images = target.vhive.images if target.vhive is not None else {}
    return images.get(plan.chain.functions[0].name, target.image)
