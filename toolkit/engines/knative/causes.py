"""What conditions, pods, events and logs mean, as rules: each tells a cause and the next step, or does not fit. Pure.

May live here: how Knative Eventing fails, and what holds for every kind. How Services fail is in `service_causes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from toolkit.engines.knative import conditions, load_causes, service_causes
from toolkit.engines.knative.evidence import Facts
from toolkit.engines.knative.kinds import BROKER, JOB, KSVC, SINK_BINDING, TRIGGER, labels, notes

Told = tuple[str, str]
Rule = Callable[[Facts], Told | None]
BROKER_CLASS = "eventing.knative.dev/broker.class"
EXCLUDED = "bindings.knative.dev/exclude"


def explain(facts: Facts) -> Told:
    """The cause and the next step by the first rule that fits."""
    rules: Sequence[Rule] = _RULES.get(facts.key.kind.kind, ())
    told = next((told for rule in rules if (told := rule(facts)) is not None), None)
    return told or _unknown(facts)


def _unknown(facts: Facts) -> Told:
    said = facts.trouble or (conditions.progress(facts.found) if facts.found is not None else "it is not there")
    kind = "ksvc" if facts.key.kind == KSVC else facts.key.kind.kind.lower()
    return (
        said,
        f"'kubectl describe {kind} {facts.key.name}' shows more; a slow cluster may need a longer --ready-timeout",
    )


def _no_controller(facts: Facts) -> Told | None:
    if facts.found is None or (facts.found.get("status") or {}).get("conditions"):
        return None
    of_class = notes(facts.found).get(BROKER_CLASS)
    if facts.key.kind == BROKER and of_class:
        return (
            f"no controller of this cluster answers for brokers of the class {of_class}",
            "install that broker, or leave its class away: MTChannelBasedBroker comes with Knative Eventing",
        )
    group = facts.key.kind.group
    return (
        f"no controller answers for {group}",
        f"see that the pods of Knative run: kubectl get pods -A | grep {_part(group)}",
    )


def _part(group: str) -> str:
    return "knative-serving" if group.startswith("serving") else "knative-eventing"


def _not_injected(facts: Facts) -> Told | None:
    if "is put into" not in (facts.trouble or ""):
        return None
    space = facts.namespace or {"metadata": {}}
    if labels(space).get(EXCLUDED) == "true":
        return (
            f"the namespace is excluded from SinkBindings by its label {EXCLUDED}: {facts.trouble}",
            f"kubectl label namespace {space['metadata'].get('name')} {EXCLUDED}-",
        )
    return (
        f"the webhook of Knative Eventing does not know of the binding: {facts.trouble}",
        "see that the pods eventing-webhook of knative-eventing run, and whether its SINK_BINDING_SELECTION_MODE is "
        "inclusion: then label the namespace bindings.knative.dev/include=true",
    )


def _broker(facts: Facts) -> Told | None:
    for each in conditions.unmet(facts.found) if facts.found is not None else ():
        if each["type"] == "DeadLetterSinkResolved":
            return (
                f"its dead-letter function has no address: {conditions.why(each)}",
                "see why that function is not ready",
            )
        if each["type"] in ("IngressReady", "FilterReady", "TriggerChannelReady"):
            return (
                f"the broker's own parts are not ready: {each['type']}: {conditions.why(each)}",
                "see that all pods of knative-eventing run: kubectl get pods -n knative-eventing",
            )
    return None


def _trigger(facts: Facts) -> Told | None:
    for each in conditions.unmet(facts.found) if facts.found is not None else ():
        if each["type"] == "SubscriberResolved" and each["status"] == "False":
            return f"its subscriber has no address: {each.get('message')}", "see that the function exists and is ready"
        if each["type"] == "BrokerReady" and each["status"] == "False":
            return f"its broker is not ready: {conditions.why(each)}", "see why with 'kubectl describe broker'"
    return None


_RULES: Mapping[str, Sequence[Rule]] = {
    KSVC.kind: (_no_controller, *service_causes.RULES),
    BROKER.kind: (_no_controller, _broker),
    SINK_BINDING.kind: (_not_injected, _no_controller),
    TRIGGER.kind: (_no_controller, _trigger),
    JOB.kind: load_causes.RULES,
}
