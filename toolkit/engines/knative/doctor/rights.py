"""What the user may not do, as the API server itself judges it, and the commands that would change it.

May live here: the rights that chains need, as docs/clusters.md lists them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from toolkit.engines.findings import Finding, missing, ok, remark, unseen
from toolkit.engines.knative.api import Api, Refused, accepted

AT_ONCE = 8
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_FORBIDDEN = re.compile(
    r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?'
)  # kubernetes/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters
_ACCOUNT = "system:serviceaccount:"
ALL = ("get", "list", "watch", "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on a resource, `resource/subresource` too."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    events: bool = False  # whether only chains with event edges need it

    @property
    def full(self) -> str:
        """As kubectl names it: `services.serving.knative.dev`, `pods/log`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


RULES = (
    Rule("serving.knative.dev", "services", ALL),
    Rule("serving.knative.dev", "revisions", ("get", "list")),
    Rule("", "pods", ("get", "list", "watch", "delete")),
    Rule("", "pods/log", ("get",)),
    Rule("", "events", ("list", "watch")),
    Rule("eventing.knative.dev", "brokers", ALL, events=True),
    Rule("eventing.knative.dev", "triggers", ALL, events=True),
    Rule("sources.knative.dev", "sinkbindings", ALL, events=True),
    Rule("messaging.knative.dev", "subscriptions", ("get", "list"), events=True),
    Rule("messaging.knative.dev", "inmemorychannels", ("get", "list"), events=True),
)
NAMESPACES = Rule("", "namespaces", ("get", "create", "patch", "delete"))


async def rights(api: Api, namespace: str | None) -> Sequence[Finding]:
    """Of the namespace; without one, those that a chain needs that makes its own."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def lacking(rule: Rule, within: str | None) -> Rule | None:
        async with gate:
            verbs = [verb for verb in rule.verbs if not await _may(api, rule, verb, within)]
        return Rule(rule.group, rule.resource, tuple(verbs), rule.events) if verbs else None

    rules = [(rule, namespace) for rule in RULES] + ([(NAMESPACES, None)] if namespace is None else [])
    found = [each for each in await asyncio.gather(*(lacking(*each) for each in rules)) if each is not None]
    where = f"in the namespace {namespace}" if namespace else "in any namespace"
    if not found:
        return [ok("rights", f"all that chains need {where}")]
    if namespace is None:
        told = f"you may not everywhere {_said(found)}"
        return [missing("rights", told, "name a namespace in which you may with -n NAME")]
    mend = "\n".join(_commands(found, namespace, await _who(api)))
    text = f"you may not {_said(found)} {where}"
    if all(each.events for each in found):
        return [remark("rights", f"{text}; chains without event edges run all the same", mend)]
    return [missing("rights", text, mend)]


def what_is_forbidden(error: Refused) -> str:
    """In the API server's terms, without who we are."""
    found = _FORBIDDEN.search(error.answer.message)
    if found is None:
        return str(error)
    where = f" in the namespace {found[4]}" if found[4] else ""
    return f"you may not {found[1]} {found[2]}{where}"


async def to_see(api: Api, hidden: Iterable[Refused]) -> Sequence[Finding]:
    """What an administrator types so that we may look where we could not; none when there was nothing of that kind."""
    by_place: dict[tuple[str, str], set[str]] = {}
    for error in hidden:
        if (found := _FORBIDDEN.search(error.answer.message)) is not None and found[4]:
            resource = f"{found[2]}.{found[3]}" if found[3] else found[2]
            by_place.setdefault((found[4], resource), set()).update((found[1], "get", "list"))
    if not by_place:
        return []
    user = await _who(api)
    commands = []
    for (place, resource), verbs in sorted(by_place.items()):
        role = f"kn-bench-see-{resource.partition('.')[0]}"
        words = f"--verb={','.join(sorted(verbs))} --resource={resource}"
        commands.append(f"kubectl create role {role} -n {place} {words}")
        commands.append(f"kubectl create rolebinding {role} -n {place} --role={role} {user}")
    text = "chains may run all the same; an administrator can let you see what could not be seen"
    return [unseen("sight", text, "\n".join(commands))]


async def _may(api: Api, rule: Rule, verb: str, namespace: str | None) -> bool:
    resource, _, subresource = rule.resource.partition("/")
    attributes = {"group": rule.group, "resource": resource, "subresource": subresource, "verb": verb}
    if namespace is not None:
        attributes["namespace"] = namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = accepted("ask what you may do", await api.ask("POST", _REVIEWS, body=review))
    return bool((answer.get("status") or {}).get("allowed"))


def _said(rules: Sequence[Rule]) -> str:
    return ", ".join(f"{'/'.join(each.verbs)} {each.full}" for each in rules)


def _commands(rules: Sequence[Rule], namespace: str, user: str) -> Iterator[str]:
    """What an administrator types: a Role for each set of verbs, for `kubectl create role` gives all to all."""
    by_verbs: dict[tuple[str, ...], list[Rule]] = {}
    for each in rules:
        by_verbs.setdefault(each.verbs, []).append(each)
    for number, (verbs, same) in enumerate(by_verbs.items(), 1):
        role = f"kn-bench-{number}"
        resources = ",".join(each.full for each in same)
        yield f"kubectl create role {role} -n {namespace} --verb={','.join(verbs)} --resource={resources}"
        yield f"kubectl create rolebinding {role} -n {namespace} --role={role} {user}"


async def _who(api: Api) -> str:
    """Ourselves, as `kubectl create rolebinding` takes it; from Kubernetes 1.28."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await api.ask("POST", _WHO, body=review)
    info: Mapping[str, Mapping[str, str]] = answer.body.get("status") or {}
    name = (info.get("userInfo") or {}).get("username") or "YOU"
    if name.startswith(_ACCOUNT):
        return f"--serviceaccount={name.removeprefix(_ACCOUNT)}"
    return f"--user={name}"
