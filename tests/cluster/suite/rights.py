"""A user with the rights that docs/clusters.md names, in one namespace, and with no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cluster.suite.api import Kind, Refused
from tests.cluster.suite.cluster import Cluster

RBAC = "rbac.authorization.k8s.io"
ACCOUNT = Kind("v1", "ServiceAccount")
NAME = "restricted"
ALL = ["get", "list", "watch", "create", "patch", "delete"]
RULES: list[tuple[str, list[str], list[str]]] = [
    ("serving.knative.dev", ["services"], ALL),
    ("eventing.knative.dev", ["brokers", "triggers"], ALL),
    ("sources.knative.dev", ["sinkbindings"], ALL),
    ("serving.knative.dev", ["revisions"], ["get", "list"]),
    ("messaging.knative.dev", ["subscriptions", "inmemorychannels"], ["get", "list"]),
    ("", ["pods"], ["get", "list", "watch", "delete"]),
    ("", ["pods/log"], ["get"]),
    ("", ["events"], ["list", "watch"]),
]


JOBS = ("batch", ["jobs"], ["get", "list", "create", "patch", "delete"])  # for a load from inside


def user(cluster: Cluster, namespace: str, folder: Path, *more: tuple[str, list[str], list[str]]) -> Path:
    """The kubeconfig of a service account with these rights, and `more`, in the namespace, for an hour."""
    metadata = {"name": NAME, "namespace": namespace}
    rules = [{"apiGroups": [group], "resources": of, "verbs": verbs} for group, of, verbs in (*RULES, *more)]
    subject = {"kind": "ServiceAccount", **metadata}
    role = {"apiGroup": RBAC, "kind": "Role", "name": NAME}
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [subject],
            "roleRef": role,
        },
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    answer = cluster.api.ask("POST", cluster.api.path(ACCOUNT, namespace, NAME) + "/token", body=request)
    if answer.code >= 400:
        raise Refused("ask for a token", answer)
    file = folder / "kubeconfig"
    file.write_text(json.dumps(_kubeconfig(cluster, answer.body["status"]["token"])))
    return file


def _kubeconfig(cluster: Cluster, token: str) -> dict[str, Any]:
    known = cluster.api.client.configuration
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": known.host, "certificate-authority": known.ssl_ca_cert}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
