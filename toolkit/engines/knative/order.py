"""Which object of a deployment waits for which others. Pure.

The order is that of Knative's own controllers: a SinkBinding resolves its Broker's address, the webhook puts it into a
Service that comes afterwards, a Trigger resolves its subscriber's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from toolkit.contract import LEDGER
from toolkit.engines.knative.kinds import BROKER, DEPLOYMENT, KSVC, SINK_BINDING, TRIGGER, Key, Object


@dataclass(frozen=True, slots=True)
class Step:
    """One object: it is applied once those of `after` are ready, and once `binding` is known to the webhook.

    A SinkBinding is never waited for as such: it is not ready before its Service is there.
    """

    key: Key
    manifest: Object
    after: frozenset[Key] = frozenset()
    binding: Key | None = None


def steps(manifests: Iterable[Object]) -> tuple[Step, ...]:
    """The steps of these manifests, in their order; without cycles."""
    found = {Key.of(each): each for each in manifests}
    bindings = {_subject(each): key for key, each in found.items() if key.kind == SINK_BINDING}
    dead_letters = {_dead_letter(each) for key, each in found.items() if key.kind == BROKER}
    return tuple(_step(key, each, found, bindings, dead_letters) for key, each in found.items())


def _step(
    key: Key,
    manifest: Object,
    found: Mapping[Key, Object],
    bindings: Mapping[Key, Key],
    dead_letters: set[Key | None],
) -> Step:
    after = frozenset(each for each in _needs(key, manifest) if each in found)
    if key in dead_letters:  # the broker waits for that one: its second revision will hold the address
        return Step(key, manifest, after)
    return Step(key, manifest, after, bindings.get(key))


def _needs(key: Key, manifest: Object) -> Iterator[Key]:
    spec = manifest.get("spec") or {}
    if key.kind == BROKER:
        destinations = [(spec.get("delivery") or {}).get("deadLetterSink") or {}]
    elif key.kind == SINK_BINDING:
        destinations = [spec["sink"]]
    elif key.kind == TRIGGER:
        yield Key(BROKER, spec["broker"])
        destinations = [spec["subscriber"]]
    else:
        if key.kind == KSVC:  # a function that is ready may be asked, and asks the ledger
            yield Key(DEPLOYMENT, LEDGER)
        destinations = []
    yield from (found for each in destinations if (found := _reference(each)) is not None)


def _subject(binding: Object) -> Key:
    return Key(KSVC, binding["spec"]["subject"].get("name", ""))


def _dead_letter(broker: Object) -> Key | None:
    return _reference((broker["spec"].get("delivery") or {}).get("deadLetterSink") or {})


def _reference(destination: Object) -> Key | None:
    ref = destination.get("ref")
    kinds = {KSVC.kind: KSVC, BROKER.kind: BROKER}
    return Key(kinds[ref["kind"]], ref["name"]) if ref and ref["kind"] in kinds else None
