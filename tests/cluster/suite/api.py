"""Requests to an API server: plain dicts in, plain dicts out, and every answer told as it came.

May live here: HTTP, discovery of paths, and kinds. May not: what any object means (`cluster`).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Manifest = Mapping[str, Any]
Query = Mapping[str, str | int | bool]
JSON = "application/json"
YAML = "application/yaml"
APPLY = "application/apply-patch+yaml"
REQUEST_WITHIN_S = 30.0
_AUTH = ("BearerToken",)
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Kind:
    """What an object is: `api_version` as manifests write it, and its kind."""

    api_version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"

    @staticmethod
    def of(manifest: Manifest) -> Kind:
        return Kind(manifest["apiVersion"], manifest["kind"])


NAMESPACE = Kind("v1", "Namespace")
NODE = Kind("v1", "Node")
POD = Kind("v1", "Pod")
EVENT = Kind("v1", "Event")
K8S_SERVICE = Kind("v1", "Service")
DEPLOYMENT = Kind("apps/v1", "Deployment")
KSVC = Kind("serving.knative.dev/v1", "Service")
REVISION = Kind("serving.knative.dev/v1", "Revision")
BROKER = Kind("eventing.knative.dev/v1", "Broker")
TRIGGER = Kind("eventing.knative.dev/v1", "Trigger")
SINK_BINDING = Kind("sources.knative.dev/v1", "SinkBinding")
CHANNEL = Kind("messaging.knative.dev/v1", "InMemoryChannel")
MUTATING_WEBHOOKS = Kind("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said. `body` is the object, or the Status that tells why not."""

    code: int
    body: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str | None:
        """Why it was refused; None of what was accepted."""
        return None if self.code < 400 else str(self.body.get("message", ""))


class Refused(Exception):
    """The API server said no to something a test needs."""

    def __init__(self, what: str, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{what}: {answer.code}: {answer.message}")


class Unreachable(Exception):
    """There is no API server where the kubeconfig leads."""


class Api:
    """One API server. Made by `connect`; may be used by several threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._known: dict[str, Mapping[str, str]] = {}  # group and version -> kind -> plural, of those asked for

    @property
    def client(self) -> Any:
        """The `kubernetes.client.ApiClient` beneath, for what is no plain request."""
        return self._client

    def path(self, kind: Kind, namespace: str | None = None, name: str | None = None) -> str:
        """Where objects of this kind, or one of them, are found. Raises LookupError for unknown kinds."""
        version = kind.api_version
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if kind.kind not in self._known.get(version, {}):
            listed = self.ask("GET", base).body.get("resources", ())
            self._known[version] = {each["kind"]: each["name"] for each in listed if "/" not in each["name"]}
        if (plural := self._known[version].get(kind.kind)) is None:
            raise LookupError(f"this cluster knows no {kind}: are Knative Serving and Eventing installed?")
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{base}{within}/{plural}" + (f"/{name}" if name else "")

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, whatever it is. `body` goes as JSON unless it is text or bytes. Raises Unreachable."""
        response = self._send(
            method, path, query, body, {"Accept": JSON, "Content-Type": content_type, **(headers or {})}
        )
        warnings = _WARNING.findall(", ".join(response.headers.getlist("Warning")))
        return Answer(response.status, _object(response.data), tuple(map(_unquoted, warnings)))

    def text(self, path: str, query: Query | None = None) -> str | None:
        """A body that is no JSON, such as a log; None when there is none."""
        response = self._send("GET", path, query, None, {"Accept": "*/*"})
        text = response.data.decode("utf-8", "replace")
        return str(text) if response.status == 200 else None

    @contextlib.contextmanager
    def objects(self, path: str, query: Query, *, within_s: float) -> Iterator[Iterator[Mapping[str, Any]]]:
        """The objects of a stream, one a line, until the server ends it or is silent for `within_s` seconds.

        A stream that can no longer begin where it was asked to (410) has none. Raises Refused.
        """
        response = self._send("GET", path, query, None, {"Accept": JSON}, within_s)
        try:
            if response.status not in (200, 410):
                raise Refused(f"GET {path}", Answer(response.status, _object(response.data)))
            yield _lines(response)
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: Any,
        headers: Mapping[str, str],
        within_s: float = REQUEST_WITHIN_S,
    ) -> Any:
        from urllib3.exceptions import HTTPError

        _, url, sent, *_ = self._client.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=dict(headers), auth_settings=_AUTH
        )
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        try:
            # Past the client's own `call_api`, which drops an empty body and sends no text as JSON.
            return self._client.rest_client.pool_manager.request(
                method, url, body=data, headers=sent, timeout=within_s, preload_content=False, retries=False
            )
        except (HTTPError, OSError) as error:
            raise Unreachable(f"{method} {url}: {error}") from error


def connect(kubeconfig: Path) -> Api:
    """Raises Unreachable, with the reason, when nobody answers there."""
    import yaml
    from kubernetes import config

    try:
        client = config.new_client_from_config(  # type: ignore[no-untyped-call]  # half of the client has no types
            str(kubeconfig), persist_config=False
        )
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(f"{kubeconfig} is no kubeconfig: {error}") from error
    api = Api(client)
    answer = api.ask("GET", "/version")
    if answer.code != 200:
        raise Unreachable(f"{client.configuration.host} answers {answer.code}: {answer.message}")
    return api


def _lines(response: Any) -> Iterator[Mapping[str, Any]]:
    from urllib3.exceptions import HTTPError

    with contextlib.suppress(HTTPError):  # the end of a stream, silent or not: who reads on lists again
        for line in response:
            yield _object(line)


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {"message": data.decode("utf-8", "replace")}
    return found if isinstance(found, dict) else {"message": data.decode("utf-8", "replace")}


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
