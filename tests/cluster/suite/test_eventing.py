"""Functions that send each other events, on Knative Eventing: broker, triggers and sink bindings."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tests.cluster.suite import broker, calls
from tests.cluster.suite.api import BROKER, KSVC, REVISION, SINK_BINDING, TRIGGER, Manifest
from tests.cluster.suite.calls import Door
from tests.cluster.suite.cluster import Cluster, Object
from tests.cluster.suite.functions import Place, ksvc, pods_of, wiring
from tests.cluster.suite.namespaces import namespace
from tests.cluster.suite.receipts import Receipts
from tests.cluster.suite.waiting import until
from toolkit.contract import K_SINK, Receipt, Wiring

CHAIN = "chained-eventing"
PAYLOAD = 16  # bytes
NAME = "default"  # of the broker
BOUND_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """chained-eventing, and beside it a function that wants events of another type: `bystander`."""

    cluster: Cluster
    place: Place
    receipts: Receipts
    broker: Object
    services: Mapping[str, Object]


@pytest.fixture(scope="module")
def deployed(cluster: Cluster, images: Mapping[str, str]) -> Iterator[Deployed]:
    with namespace(cluster, "eventing") as name:
        cluster.apply(broker.broker(NAME, name))
        receipts = Receipts.start(cluster, name, images[CHAIN])
        place = Place(name, images[CHAIN], receipts.address)
        consumer = _wired("consumer", place)
        producer = ksvc("producer", _wired("producer", place), place)
        _bind_first(cluster, producer)
        bystander = ksvc("bystander", dataclasses.replace(consumer, function="bystander"), place)
        cluster.apply(producer, ksvc("consumer", consumer, place), bystander)
        addressed = cluster.wait(BROKER, NAME, name)
        ready = {each: cluster.wait(KSVC, each, name) for each in ("producer", "consumer", "bystander")}
        _subscribe(cluster, name)
        yield Deployed(cluster, place, receipts, addressed, ready)


def _wired(name: str, place: Place) -> Wiring:
    return wiring(CHAIN, name, place, payload=str(PAYLOAD))


def _bind_first(cluster: Cluster, subject: Manifest) -> None:
    """Returns once a Service that is created gets its sink: the webhook has to hear of the binding first."""
    name, space = subject["metadata"]["name"], subject["metadata"]["namespace"]
    cluster.apply(broker.sink_binding(name, space, name, NAME))

    def bound() -> bool:
        answer = cluster.create(subject)
        assert answer.code == 201, answer.message
        return K_SINK in _environment(answer.body["spec"]["template"]["spec"])

    until(bound, f"the binding of {name}", BOUND_WITHIN_S)


def _subscribe(cluster: Cluster, name: str) -> None:
    """One after the other: two at once overwrite each other's entry in the channel for a moment, and both are Ready."""
    wanted = {"consumer": {"type": "greeting", "source": "producer"}, "bystander": {"type": "farewell"}}
    for each, exact in wanted.items():
        cluster.apply(broker.trigger(each, name, NAME, exact, each))
        cluster.wait(TRIGGER, each, name)


def _emit(deployed: Deployed, door: Door) -> Receipt:
    """Calls the producer; its receipt."""
    call = calls.new_call()
    with door.to(deployed.services["producer"]) as channel:
        assert calls.greet(channel, call).message == "suite: emitted"
    return deployed.receipts.one("the producer", lambda each: (each.function, each.call) == ("producer", call))


def _delivered(deployed: Deployed, function: str, message: str) -> Receipt:
    return deployed.receipts.one(
        f"{function}'s {message}", lambda each: (each.function, each.message) == (function, message)
    )


def test_an_event_goes_from_the_producer_by_broker_and_trigger_to_the_consumer(deployed: Deployed, door: Door) -> None:
    (sent,) = _emit(deployed, door).sent
    got = _delivered(deployed, "consumer", sent.message)
    assert sent.address == deployed.broker["status"]["address"]["url"]
    assert (got.via, got.type, got.sender) == ("event", "greeting", "producer")
    assert (got.digest, got.size, got.error) == (sent.digest, PAYLOAD, None)


def test_a_trigger_delivers_nothing_but_what_its_filter_names(deployed: Deployed, door: Door) -> None:
    (first,) = _emit(deployed, door).sent
    farewell = {"specversion": "1.0", "id": secrets.token_hex(8), "type": "farewell", "source": "suite"}
    answer = broker.send(deployed.cluster, deployed.place.namespace, NAME, farewell, "x" * PAYLOAD)
    assert answer.code == 202, answer.message
    (last,) = _emit(deployed, door).sent
    other = _delivered(deployed, "bystander", farewell["id"])
    _delivered(deployed, "consumer", last.message)  # receipts come in order: all before this one are there

    assert (other.seq, other.type) == (0, "farewell"), "the bystander was sent something before"
    consumed = [each.message for each in deployed.receipts.of("consumer")]
    assert first.message in consumed
    assert farewell["id"] not in consumed


def test_a_binding_made_first_is_in_the_first_and_only_revision(deployed: Deployed) -> None:
    bound = deployed.cluster.wait(SINK_BINDING, "producer", deployed.place.namespace)
    url = deployed.broker["status"]["address"]["url"]
    assert bound["status"]["sinkUri"] == url
    (revision,) = _revisions(deployed, "producer")
    assert revision["metadata"]["name"] == _revision_with_the_traffic(deployed.services["producer"])
    assert _environment(revision["spec"])[K_SINK] == url


def test_a_binding_made_later_makes_a_second_revision_which_gets_the_traffic(deployed: Deployed) -> None:
    cluster, place = deployed.cluster, deployed.place
    cluster.apply(ksvc("late", dataclasses.replace(_wired("producer", place), function="late"), place))
    first = _revision_with_the_traffic(cluster.wait(KSVC, "late", place.namespace))
    cluster.apply(broker.sink_binding("late", place.namespace, "late", NAME))
    moved = cluster.until(
        KSVC,
        "late",
        place.namespace,
        lambda found: found is not None and _revision_with_the_traffic(found) not in (None, first),
        "moved to a second revision",
    )
    assert moved is not None
    environments = {each["metadata"]["name"]: _environment(each["spec"]) for each in _revisions(deployed, "late")}
    second = environments.pop(str(_revision_with_the_traffic(moved)))
    assert second[K_SINK] == deployed.broker["status"]["address"]["url"]
    assert [K_SINK in environment for environment in environments.values()] == [False]


def _revisions(deployed: Deployed, service: str) -> Sequence[Object]:
    return deployed.cluster.list(REVISION, deployed.place.namespace, labels=pods_of(service))


def _revision_with_the_traffic(service: Object) -> str | None:
    """None while the traffic is split, or has nowhere to go yet."""
    whole = [each for each in service.get("status", {}).get("traffic", ()) if each.get("percent") == 100]
    return whole[0]["revisionName"] if whole else None


def _environment(pod: Object) -> Mapping[str, str]:
    return {each["name"]: each.get("value", "") for each in pod["containers"][0].get("env", ())}
