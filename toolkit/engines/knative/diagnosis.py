"""Why something does not come up: what the cluster shows, put in order, with the likely cause and the next step. Pure.

May live here: the chain from condition over pod and event to the last log lines, as text. May not: the rules by which a
cause is told (`causes`, `refusals`), gathering (`evidence`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from toolkit.engines.knative import causes, conditions, refusals
from toolkit.engines.knative.evidence import Facts
from toolkit.engines.knative.kinds import Key, Object, leaving, name
from toolkit.errors import EngineError

EVENTS = 4
LONGEST = 400  # characters of one line of evidence
_POD_NAME = re.compile(r"-[a-z0-9]{5}(?=\")|\(combined from similar events\): ")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`cause` in a sentence's words, what to do next, and the evidence: one line each, the conditions first."""

    key: Key
    after_s: float
    cause: str
    next_step: str
    evidence: tuple[str, ...]
    refused: bool = False  # the API server did not even take it

    def __str__(self) -> str:
        how = "cannot be applied" if self.refused else f"is not ready after {self.after_s:.1f} s"
        return "\n    ".join((f"{self.key} {how}: {self.cause}", *self.evidence))


class DeploymentFailed(EngineError):
    """The chain could not be brought up; the text is the diagnosis."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        super().__init__(str(diagnosis), next_step=diagnosis.next_step)


def diagnose(facts: Facts) -> Diagnosis:
    """The first rule that fits tells the cause; where none does, the evidence has to speak for itself."""
    told = refusals.explain(facts.refusal) if facts.refusal is not None else causes.explain(facts)
    return Diagnosis(facts.key, facts.after_s, *told, tuple(_evidence(facts)), facts.refusal is not None)


def _evidence(facts: Facts) -> Iterator[str]:
    if facts.refusal is not None:
        return
    yield from _conditions((*facts.revisions, facts.found))
    for pod in facts.pods:
        yield f"pod         {name(pod)}: {pod_state(pod)}"
    for event in _telling(facts.events):
        about = event.get("involvedObject") or {}
        yield _line(
            f"event       {about.get('kind')} {about.get('name')}: {event.get('reason')}: {event.get('message')}"
        )
    for pod_name, lines in facts.logs.items():
        yield f"log         {pod_name} said last:"
        yield from (_line(f"            {line}") for line in lines)


def _conditions(objects: Sequence[Object | None]) -> Iterator[str]:
    """The unmet ones, each reason once: a revision's comes again in those of its Service."""
    told: set[str] = set()
    for found in objects:
        if found is None:
            continue
        if not conditions.looked_at(found):
            yield f"condition   {Key.of(found)}: none, no controller has looked at it"
        for each in conditions.unmet(found):
            why = ": ".join(str(each[part]) for part in ("reason", "message") if each.get(part))
            if why not in told:
                told.add(why)
                yield _line(
                    f"condition   {Key.of(found)}: {each['type']}={each['status']}" + (f": {why}" if why else "")
                )


def pod_state(pod: Object) -> str:
    """Phase, and of each container whether it is ready, how often it began again, what it waits for or died of."""
    status = pod.get("status") or {}
    phase = str(status.get("phase")) + (", on its way out" if leaving(pod) else "")
    scheduled = conditions.condition(pod, "PodScheduled")
    waits = [conditions.why(scheduled)] if scheduled.get("status") == "False" else []
    return _line("; ".join((phase, *waits, *map(_container_state, conditions.containers(pod)))))


def _container_state(container: Object) -> str:
    said = [f"{container['name']} {'is ready' if container.get('ready') else 'is not ready'}"]
    if count := container.get("restartCount"):
        said.append(f"restarted {count} times" if count > 1 else "restarted once")
    for when in ("state", "lastState"):
        for state, detail in (container.get(when) or {}).items():
            if state != "running":
                told = (f"exit status {detail['exitCode']}" if "exitCode" in detail else "", detail.get("reason") or "")
                said.append(f"{'was ' if when == 'lastState' else ''}{state} ({', '.join(filter(None, told))})")
    return ", ".join(said)


def _telling(events: Sequence[Object]) -> list[Object]:
    """The last warnings, each once; pods that were tried one after the other differ in the end of their names only."""
    warnings = {
        (each.get("reason"), _POD_NAME.sub("", str(each.get("message")))): each
        for each in events
        if each.get("type") == "Warning"
    }
    return list(warnings.values())[-EVENTS:]


def _line(text: str) -> str:
    flat = " ".join(text.split("\n"))
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"
