"""What it means when the API server refuses an object, as rules: cause and next step. Pure.

May live here: knowledge of admission, quotas, rights and schemas. The API server's own message is always passed on.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from toolkit.engines.knative.evidence import Refusal

Told = tuple[str, str]
_DENIED = re.compile(r'admission webhook "([^"]+)" denied the request: (.*)', re.DOTALL)
_GATED = re.compile(r"must not set the field\(s\): ([^\n]*)")
_FEATURES = {
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "affinity": "kubernetes.podspec-affinity",
    "tolerations": "kubernetes.podspec-tolerations",
    "runtimeClassName": "kubernetes.podspec-runtimeclassname",
    "securityContext": "kubernetes.podspec-securitycontext",
    "initContainers": "kubernetes.podspec-init-containers",
    "schedulerName": "kubernetes.podspec-schedulername",
    "priorityClassName": "kubernetes.podspec-priorityclassname",
}


def explain(refusal: Refusal) -> Told:
    """The cause and the next step by the first rule that fits."""
    told = next((told for rule in _RULES if (told := rule(refusal)) is not None), None)
    return told or (f"the API server refuses it: {refusal.message} ({refusal.code})", "correct what the message names")


def _feature(refusal: Refusal) -> Told | None:
    if (found := _GATED.search(refusal.message)) is None:
        return None
    fields = found[1].strip()
    feature = next((flag for field, flag in _FEATURES.items() if field in fields), None)
    step = "leave it out of chain.yaml"
    if feature is not None:
        step += (
            f", or switch the feature on: kubectl patch configmap config-features -n knative-serving "
            f'--type merge -p \'{{"data":{{"{feature}":"enabled"}}}}\''
        )
    return f"Knative does not take {fields} here: this feature is switched off in its ConfigMap config-features", step


def _webhook(refusal: Refusal) -> Told | None:
    if (found := _DENIED.search(refusal.message)) is None:
        return None
    return f"the webhook {found[1]} refuses it: {_flat(found[2])}", "correct what the message names, in chain.yaml"


def _webhook_down(refusal: Refusal) -> Told | None:
    if "failed calling webhook" not in refusal.message:
        return None
    return (
        f"a webhook that has to see it cannot be asked: {_flat(refusal.message)}",
        "see that the pods of Knative run: kubectl get pods -n knative-serving -n knative-eventing",
    )


def _schema(refusal: Refusal) -> Told | None:
    if "field not declared in schema" not in refusal.message and "failed to create typed patch" not in refusal.message:
        return None
    field = refusal.message.rpartition("): ")[2] or refusal.message
    return (
        f"this cluster's Knative does not know what it says: {_flat(refusal.message)}",
        f"Knative may be older than the toolkit expects, or the field is misspelt ({field.split(':')[0]})",
    )


def _quota(refusal: Refusal) -> Told | None:
    if "exceeded quota" not in refusal.message:
        return None
    return (
        f"a ResourceQuota of the namespace is used up: {_flat(refusal.message)}",
        "raise it, delete what uses it, or choose another namespace with -n",
    )


def _ending(refusal: Refusal) -> Told | None:
    if "being terminated" not in refusal.message:
        return None
    return f"the namespace is ending: {_flat(refusal.message)}", "wait for its end, or choose another namespace with -n"


def _rights(refusal: Refusal) -> Told | None:
    if refusal.code != 403 or "cannot" not in refusal.message:
        return None
    return (
        f"you have no right to do that: {_flat(refusal.message)}",
        "ask an administrator for a Role with that verb on that resource, and try 'kubectl auth can-i'",
    )


def _no_namespace(refusal: Refusal) -> Told | None:
    if refusal.code != 404 or "namespaces" not in refusal.message:
        return None
    return f"there is no such namespace: {_flat(refusal.message)}", "make it with 'kubectl create namespace'"


_RULES: tuple[Callable[[Refusal], Told | None], ...] = (
    *(_feature, _quota, _ending, _webhook, _webhook_down, _schema, _rights, _no_namespace),
)


def _flat(text: str) -> str:
    return " ".join(text.split())
