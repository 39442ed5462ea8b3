"""A cluster as the tests use it: apply, look, wait for a condition.

May live here: what holds for objects of any kind. May not: what Knative's objects look like (`functions`, `broker`),
whose a namespace is (`namespaces`), the words for what is not ready (`diagnosis`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.suite.api import APPLY, JSON, POD, Answer, Api, Kind, Manifest, Refused, connect
from tests.cluster.suite.diagnosis import explain

Object = Mapping[str, Any]
FIELD_MANAGER = "kn-bench-tests"
READY_WITHIN_S = 60.0
RUN_WITHIN_S = 30.0
SLACK_S = 5.0  # how much later than it was asked to a server may end a stream


class NotInTime(AssertionError):
    """What a test waited for did not come. The text shows what there was instead."""


class Cluster:
    """One cluster with Knative."""

    def __init__(self, api: Api) -> None:
        self.api = api

    @staticmethod
    def of(kubeconfig: Path) -> Cluster:
        """Raises Unreachable."""
        return Cluster(connect(kubeconfig))

    def apply(self, *manifests: Manifest) -> list[Object]:
        """Server-side apply, in this order. Raises Refused."""
        return [self._applied(each) for each in manifests]

    def create(
        self,
        manifest: Manifest | str,
        *,
        kind: Kind | None = None,
        namespace: str | None = None,
        dry_run: bool = True,
        field_validation: str = "Strict",
    ) -> Answer:
        """The API server's whole answer. `kind` and `namespace` are needed of a manifest that is text."""
        kind = kind or Kind.of(_mapping(manifest))
        namespace = namespace or _mapping(manifest)["metadata"].get("namespace")
        query = {"fieldValidation": field_validation, "fieldManager": FIELD_MANAGER, **_dry(dry_run)}
        media = "application/yaml" if isinstance(manifest, str) else JSON
        return self.api.ask("POST", self.api.path(kind, namespace), query=query, body=manifest, content_type=media)

    def change(self, method: str, manifest: Manifest, *, content_type: str = JSON, **query: str | bool) -> Answer:
        """The answer to PUT or PATCH of an object that is there."""
        metadata = manifest["metadata"]
        path = self.api.path(Kind.of(manifest), metadata.get("namespace"), metadata["name"])
        return self.api.ask(method, path, query=query, body=manifest, content_type=content_type)

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """The object, None when it is not there. Raises Refused."""
        answer = self.api.ask("GET", self.api.path(kind, namespace, name))
        return None if answer.code == 404 else _accepted(f"get {kind} {name}", answer)

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Sequence[Object]:
        """The objects of a kind, of one namespace or of all, whose labels fit the selector. Raises Refused."""
        answer = self.api.ask(
            "GET", self.api.path(kind, namespace), query={"labelSelector": labels} if labels else None
        )
        found: Sequence[Object] = _accepted(f"list {kind}", answer)["items"]
        return found

    def delete(self, kind: Kind, name: str | None, namespace: str | None = None, **query: int | str) -> None:
        """Ask for the end of one object, or of all in the namespace; what is not there is no error. Raises Refused."""
        answer = self.api.ask("DELETE", self.api.path(kind, namespace, name), query=query)
        if answer.code != 404:
            _accepted(f"delete {kind} {name or 'all'}", answer)

    def wait(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        condition: str = "Ready",
        within_s: float = READY_WITHIN_S,
    ) -> Object:
        """The object, once the condition is true of its newest generation. Raises NotInTime, with what one can see."""
        found = self.until(kind, name, namespace, lambda each: holds(each, condition), condition, within_s)
        assert found is not None
        return found

    def gone(self, kind: Kind, name: str, namespace: str | None = None, *, within_s: float = READY_WITHIN_S) -> None:
        """Returns once there is no such object. Raises NotInTime."""
        self.until(kind, name, namespace, lambda each: each is None, "gone", within_s)

    def until(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        true_of: Callable[[Object | None], bool],
        wanted: str,
        within_s: float = READY_WITHIN_S,
    ) -> Object | None:
        """The object (None: there is none) as soon as `true_of` it. Raises NotInTime; `wanted` says what for."""
        last: Object | None = None
        for last in self._versions(kind, name, namespace, within_s):
            if true_of(last):
                return last
        shown = explain(self.api, kind, name, namespace, last)
        raise NotInTime(f"{kind} {namespace or ''}/{name} was not {wanted} within {within_s:.0f} s\n{shown}")

    def pods(self, namespace: str, labels: str = "") -> Sequence[Object]:
        """The pods that are meant to stay: those on their way out are left out."""
        return [
            each for each in self.list(POD, namespace, labels=labels) if "deletionTimestamp" not in each["metadata"]
        ]

    def log(self, pod: str, namespace: str, container: str | None = None) -> Sequence[str]:
        """The lines so far."""
        query = {"container": container} if container else None
        text = self.api.text(self.api.path(POD, namespace, pod) + "/log", query)
        return (text or "").splitlines()

    def run(self, pod: str, namespace: str, *command: str, container: str) -> str:
        """What a command wrote that ran inside a container, standard error included."""
        from kubernetes import client, stream

        connected = stream.stream(
            client.CoreV1Api(self.api.client).connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=[*command],
            container=container,
            stderr=True,
            stdin=False,
            stdout=True,
            tty=False,
            _preload_content=False,  # or the client would read JSON, and write it anew as Python
        )
        connected.run_forever(timeout=RUN_WITHIN_S)
        try:
            return str(connected.read_all())
        finally:
            connected.close()
            connected.sock.shutdown()  # `close` leaves the socket open when the other side was the first to go

    def _applied(self, manifest: Manifest) -> Object:
        answer = self.change("PATCH", manifest, content_type=APPLY, fieldManager=FIELD_MANAGER, force=True)
        return _accepted(f"apply {manifest['kind']} {manifest['metadata']['name']}", answer)

    def _versions(self, kind: Kind, name: str, namespace: str | None, within_s: float) -> Iterator[Object | None]:
        """The object as it is, and each time it changes, until the time is over."""
        path, only = self.api.path(kind, namespace), {"fieldSelector": f"metadata.name={name}"}
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            listed = _accepted(f"list {kind}", self.api.ask("GET", path, query=only))
            yield listed["items"][0] if listed["items"] else None
            version = listed["metadata"]["resourceVersion"]
            query = {**only, "watch": True, "resourceVersion": version, "timeoutSeconds": max(1, round(left_s))}
            with self.api.objects(path, query, within_s=left_s + SLACK_S) as events:
                for event in events:
                    if event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
                        break  # expired: list again
                    yield None if event["type"] == "DELETED" else event["object"]


def holds(found: Object | None, condition: str) -> bool:
    """Whether a condition is true of the object's newest generation (pods keep no account of theirs)."""
    if found is None:
        return False
    status, generation = found.get("status", {}), found["metadata"].get("generation")
    seen = status.get("observedGeneration", generation) == generation
    return seen and condition_of(found, condition).get("status") == "True"


def condition_of(found: Object, kind: str) -> Mapping[str, str]:
    """The condition of this type, empty when there is none yet."""
    conditions = found.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == kind), {})


def _accepted(what: str, answer: Answer) -> Object:
    if answer.code >= 400:
        raise Refused(what, answer)
    return answer.body


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _mapping(manifest: Manifest | str) -> Manifest:
    assert not isinstance(manifest, str), "a manifest that is text is sent as it is, so its kind has to be said"
    return manifest
