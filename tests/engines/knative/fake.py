"""A cluster in miniature: an API server that keeps objects, and answers as the real one does. For tests without one.

Nothing runs in it: an object is as ready as a test makes it. What it was asked is kept in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from toolkit.engines.knative.api import Api, Unreachable

RESOURCES: dict[str, dict[str, str]] = {
    "v1": {"Pod": "pods", "Event": "events", "ConfigMap": "configmaps", "Service": "services", "Node": "nodes"},
    "apps/v1": {"ReplicaSet": "replicasets"},
    "serving.knative.dev/v1": {"Service": "services", "Revision": "revisions"},
    "eventing.knative.dev/v1": {"Broker": "brokers", "Trigger": "triggers"},
    "sources.knative.dev/v1": {"SinkBinding": "sinkbindings"},
    "messaging.knative.dev/v1": {"InMemoryChannel": "inmemorychannels", "Subscription": "subscriptions"},
}
CLUSTER_WIDE = {"v1": {"Namespace": "namespaces"}}
Answer = tuple[int, Any]
MERGE = "application/merge-patch+json"
VERBS = ["list", "delete", "get", "watch", "patch"]


@dataclass
class FakeCluster:
    """`replies` are given in place of an answer, the next one to each request whose method and path begin so.

    `admit` sees what is applied before it is written, as webhooks do; `changed` is told after each write and may write
    more, as controllers do.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)  # by path
    replies: dict[str, list[Answer | Exception]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    resources: dict[str, dict[str, str]] = field(default_factory=lambda: dict(RESOURCES))
    changed: Callable[[str, str], None] = lambda method, path: None
    admit: Callable[[dict[str, Any]], dict[str, Any]] = lambda manifest: manifest
    allows: Callable[[Mapping[str, str]], bool] = lambda attributes: True
    user: str = "somebody"
    version: int = 0
    server: str = "https://fake.example:6443"

    @property
    def api(self) -> Api:
        return Api(self)

    def put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Writes an object, as a controller would. An object that was there keeps its uid."""
        path = self.path_of(manifest)
        self.version += 1
        before = self.objects.get(path, {"metadata": {"uid": f"uid-{self.version}", "generation": 0}})
        same = before.get("spec") == manifest.get("spec")
        metadata = {
            **manifest["metadata"],
            "uid": manifest["metadata"].get("uid", before["metadata"]["uid"]),
            "generation": max(1, before["metadata"].get("generation", 0) + (not same)),
            "resourceVersion": str(self.version),
        }
        found = {**before, **manifest, "metadata": metadata}
        self.objects[path] = found
        return found

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return self.objects.get(self.path_of({"apiVersion": api_version, "kind": kind, "metadata": metadata}))

    def names(self, kind: str) -> list[str]:
        return [each["metadata"]["name"] for each in self.objects.values() if each["kind"] == kind]

    def path_of(self, manifest: Mapping[str, Any]) -> str:
        version, metadata = manifest["apiVersion"], manifest["metadata"]
        plural = {**self.resources.get(version, {}), **CLUSTER_WIDE.get(version, {})}[manifest["kind"]]
        within = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        return f"{_base(version)}{within}/{plural}/{metadata['name']}"

    async def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], within_s: float
    ) -> tuple[int, bytes, Mapping[str, str]]:
        self.asked.append(f"{method} {path}")
        reply = self._reply(method, path)
        if isinstance(reply, Exception):
            raise reply
        merge = headers.get("Content-Type") == MERGE
        code, found = reply if reply is not None else self._answer(method, urlsplit(path), body, merge=merge)
        told = {"Retry-After": "0"} if code == 429 else {}
        return code, found if isinstance(found, bytes) else json.dumps(found).encode(), told

    @contextlib.asynccontextmanager
    async def lines(self, path: str, silent_s: float | None) -> AsyncIterator[FakeLines]:
        """A watch that tells nothing new and ends at once, so that whoever watches lists again; or the next reply."""
        reply = self._reply("WATCH", path)
        if isinstance(reply, Exception):
            raise reply
        code, events = reply if reply is not None else (200, [])
        yield FakeLines(code, events)

    def _reply(self, method: str, path: str) -> Answer | Exception | None:
        for begins, replies in self.replies.items():
            if f"{method} {path}".startswith(begins) and replies:
                return replies.pop(0)
        return None

    def _answer(self, method: str, url: Any, body: bytes | None, *, merge: bool = False) -> Answer:
        query = dict(parse_qsl(url.query))
        if method == "GET" and (listed := self._discovered(url.path)) is not None:
            return listed
        if method == "GET":
            return self._listed(url.path, query) if self._is_list(url.path) else self._one(url.path)
        if method == "POST":
            return self._reviewed(json.loads(body or b"{}"))
        if method == "PUT":
            return self._replaced(url.path, json.loads(body or b"{}"), dry_run="dryRun" in query)
        if method == "PATCH" and merge:
            return self._merged(url.path, json.loads(body or b"{}"))
        if method == "PATCH":
            return self._applied(url.path, json.loads(body or b"{}"), dry_run="dryRun" in query)
        return self._deleted(url.path, json.loads(body or b"{}"))

    def _discovered(self, path: str) -> Answer | None:
        if path == "/apis":
            groups = [version for version in self.resources if "/" in version]
            return 200, {"groups": [{"preferredVersion": {"groupVersion": each}} for each in groups]}
        for version in (*self.resources, *CLUSTER_WIDE):
            if path == _base(version):
                own, wide = self.resources.get(version, {}), CLUSTER_WIDE.get(version, {})
                kinds = [(kind, name, kind in own) for kind, name in {**own, **wide}.items()]
                listed = [{"kind": k, "name": n, "namespaced": own, "verbs": VERBS} for k, n, own in kinds]
                return 200, {"resources": listed}
        return None

    def _is_list(self, path: str) -> bool:
        plurals = {name for kinds in (*self.resources.values(), *CLUSTER_WIDE.values()) for name in kinds.values()}
        return path.rpartition("/")[2] in plurals and path not in self.objects

    def _listed(self, path: str, query: Mapping[str, str]) -> Answer:
        wanted = [each.partition("=") for each in query.get("labelSelector", "").split(",") if each]
        found = [
            {key: value for key, value in each.items() if key not in ("apiVersion", "kind")}
            for place, each in self.objects.items()
            if _within(place, path) and _fits(each["metadata"].get("labels") or {}, wanted)
        ]
        return 200, {"metadata": {"resourceVersion": str(self.version)}, "items": found}

    def _one(self, path: str) -> Answer:
        return (200, self.objects[path]) if path in self.objects else _status(404, "NotFound", f"{path} not found")

    def _applied(self, path: str, manifest: dict[str, Any], *, dry_run: bool) -> Answer:
        manifest = self.admit(manifest)
        if dry_run:
            return 200, manifest
        found = self.put(manifest)
        self.changed("PATCH", path)
        return 200, self.objects.get(path, found)

    def _replaced(self, path: str, found: dict[str, Any], *, dry_run: bool) -> Answer:
        """An update: of the object as it is now, or not at all."""
        if path not in self.objects:
            return _status(404, "NotFound", f"{path} not found")
        if found["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified; please apply your changes to the latest one")
        if not dry_run:
            self.version += 1
            found = {**found, "metadata": {**found["metadata"], "resourceVersion": str(self.version)}}
            self.objects[path] = found
            self.changed("PUT", path)
        return 200, found

    def _merged(self, path: str, patch: dict[str, Any]) -> Answer:
        """https://www.rfc-editor.org/rfc/rfc7396"""
        if path not in self.objects:
            return _status(404, "NotFound", f"{path} not found")
        found = self.put(_merge(self.objects[path], patch))
        self.changed("PATCH", path)
        return 200, self.objects.get(path, found)

    def _reviewed(self, review: dict[str, Any]) -> Answer:
        """What we may do, and who we are."""
        if review["kind"] == "SelfSubjectReview":
            return 201, {**review, "status": {"userInfo": {"username": self.user}}}
        return 201, {**review, "status": {"allowed": self.allows(review["spec"]["resourceAttributes"])}}

    def _deleted(self, path: str, options: Mapping[str, Any]) -> Answer:
        found = self.objects.get(path)
        if found is None:
            return _status(404, "NotFound", f"{path} not found")
        wanted = (options.get("preconditions") or {}).get("uid")
        if wanted not in (None, found["metadata"]["uid"]):
            return _status(409, "Conflict", f"the UID in the precondition ({wanted}) does not match the UID in record")
        del self.objects[path]
        if found["kind"] == "Namespace":
            inside = f"/namespaces/{found['metadata']['name']}/"
            self.objects = {place: each for place, each in self.objects.items() if inside not in place}
        self.changed("DELETE", path)
        return 200, found


class FakeLines:
    """The events of a watch, or the lines of a log."""

    def __init__(self, code: int, events: Any) -> None:
        self.code, self._events = code, events

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self._events:
            if isinstance(each, Exception):
                raise each
            yield each if isinstance(each, bytes) else json.dumps(each).encode()
            await asyncio.sleep(0)


def gone() -> Unreachable:
    return Unreachable("https://fake.example:6443 does not answer: connection refused")


def status(code: int, reason: str, message: str) -> Answer:
    """What the API server says when it refuses."""
    return _status(code, reason, message)


def _status(code: int, reason: str, message: str) -> Answer:
    return code, {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def _within(place: str, path: str) -> bool:
    """Whether the object at `place` is in the list at `path`: of a namespace, or of all."""
    of, _, _ = place.rpartition("/")
    return path in (of, re.sub(r"/namespaces/[^/]+", "", of))


def _fits(labels: Mapping[str, str], wanted: list[tuple[str, str, str]]) -> bool:
    """A key alone asks that there is such a label."""
    return all(labels.get(key) == value if equals else key in labels for key, equals, value in wanted)


def _merge(found: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(found) if isinstance(found, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _base(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"
