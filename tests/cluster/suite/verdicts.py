"""Recorded verdicts of an API server with Knative's webhooks, and the same questions put again.

May live here: reading the recording, asking as it was asked, and what may differ. May not: the recording's curation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.suite.api import Answer, Kind, Manifest
from tests.cluster.suite.cluster import FIELD_MANAGER, Cluster

FILE = Path(__file__).parents[2] / "data" / "webhooks" / "verdicts.ndjson"
NAMESPACE = "verdicts"  # the recorded one; nothing else in the recording has this name
TRIES = 10  # of an update that a controller was quicker than
_LIVE = re.compile(r"/(creator|lastModifier)$")  # annotations that name the user, who is another one here
_RANDOM = (
    (re.compile(r"0x[0-9a-f]{6,}"), "<pointer>"),
    (re.compile(r"(dry-run-validation)[a-z0-9]{5}"), r"\1<random>"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One object as it was sent, and what the API server answered. Creations were dry runs, so were updates."""

    id: str
    tests: str
    namespace: str
    kind: Kind
    manifest: Manifest | str  # text where the text is the point
    field_validation: str
    verdict: Verdict
    update: Manifest | None = None
    update_method: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`message` has its random parts replaced; it is None of what was accepted."""

    code: int
    message: str | None = None
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Difference:
    """A verdict that is another one than was recorded, and why that is right."""

    reason: str
    verdict: Verdict


DIFFERENCES: Mapping[str, Difference] = {}


def recorded(namespace: str = NAMESPACE) -> Mapping[str, Case]:
    """The cases by their id, as they would have been recorded in this namespace."""
    text = FILE.read_text("utf-8").replace(NAMESPACE, namespace)
    cases = (_case(json.loads(line), namespace) for line in text.splitlines())
    return {each.id: each for each in cases}


def ask(cluster: Cluster, case: Case) -> Verdict:
    """What the cluster says to the same object today. What had to be there for an update stays in the namespace."""
    if case.update is None:
        return verdict(
            cluster.create(
                case.manifest, kind=case.kind, namespace=case.namespace, field_validation=case.field_validation
            )
        )
    assert not isinstance(case.manifest, str)
    created = cluster.create(case.manifest, dry_run=False)
    assert created.code == 201, f"{case.id} needs an object to change: {created.message}"
    return verdict(_updated(cluster, case, case.manifest["metadata"]["name"], case.update))


def verdict(answer: Answer) -> Verdict:
    message = answer.message
    return Verdict(answer.code, None if message is None else stable(message), answer.warnings)


def stable(message: str) -> str:
    """The message without what is drawn anew each time."""
    for pattern, replacement in _RANDOM:
        message = pattern.sub(replacement, message)
    return message


def with_live_annotations(update: Manifest, live: Mapping[str, Any]) -> dict[str, Any]:
    """A replacement says who made the object, as `kubectl replace` does, unless it leaves its annotations out."""
    kept = live["metadata"].get("annotations", {})
    said = update["metadata"].get("annotations")
    metadata = {**update["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    if said is not None:
        metadata["annotations"] = {
            key: kept.get(key, value) if _LIVE.search(key) else value for key, value in said.items()
        }
    return {**update, "metadata": metadata}


def _updated(cluster: Cluster, case: Case, name: str, update: Manifest) -> Answer:
    query = {"dryRun": "All", "fieldValidation": case.field_validation, "fieldManager": FIELD_MANAGER}
    method, _, media = case.update_method.partition(" ")
    if method == "PATCH":
        return cluster.change(method, update, content_type=media, force=True, **query)
    for _ in range(TRIES):
        live = cluster.get(case.kind, name, case.namespace)
        assert live is not None, f"{case.id}: {name} went away by itself"
        answer = cluster.change(method, with_live_annotations(update, live), **query)
        if answer.code != 409:
            break
    return answer


def _case(found: Mapping[str, Any], namespace: str) -> Case:
    said = Verdict(found["http_code"], found.get("message"), tuple(found.get("warnings", ())))
    return Case(
        id=found["id"],
        tests=found["tests"],
        namespace=namespace,
        kind=Kind(found["apiVersion"], found["kind"]),
        manifest=found.get("manifest_yaml") or found["manifest"],
        field_validation=found["field_validation"],
        verdict=said,
        update=found.get("update"),
        update_method=found.get("update_method", ""),
    )
