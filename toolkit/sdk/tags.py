"""What the scaffold's spans say: the names of their tags, and which of them a message gets.

May live here: names and pure functions from what is known of a message to tags. May not: spans themselves. A name is
OpenTelemetry's (semantic conventions) where one says just that, else ours; docs/functions.md lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import contract
from toolkit.contract import Wiring
from toolkit.sdk.arrival import Arrival
from toolkit.sdk.failures import CODES

PEER = "peer.service"  # becomes the span's remote endpoint
CALL = "toolkit.call"
MESSAGE = "toolkit.message"
SIZE = "payload.size"  # bytes
REPLY_SIZE = "payload.reply_size"  # bytes
TRANSFER = "payload.transfer"  # how data travelled that did not travel with its message
TRANSFERRED = "payload.transferred"  # bytes of that data; `payload.size` is what was on the wire in its place
COLD = ("cold", "faas.coldstart")  # the short one is what people search for
ORIGIN = "cloudevents.traceparent"
JOINED = "toolkit.joined"  # how many messages were handled together, on the span of the last to come
TASK = "toolkit.task"  # of a span that is a task's: how many tasks are above it
EVENT_TYPE = "cloudevents.event_type"
EVENT_SOURCE = "cloudevents.event_source"
RPC_SYSTEM = "rpc.system"
GRPC_STATUS = "rpc.grpc.status_code"
HTTP_STATUS = "http.response.status_code"
ERROR_TYPE = "error.type"

Tags = dict[str, Any]


def of_process(wiring: Wiring, environment: Mapping[str, str], replica: str) -> dict[str, str]:
    """What every span of this process says; the wiring's own attributes are among it, and win."""
    found = {"service.instance.id": replica, "toolkit.chain": wiring.chain}
    for name, variable in (("faas.name", contract.K_SERVICE), ("faas.version", contract.K_REVISION)):
        if value := environment.get(variable):
            found[name] = value
    return {**found, **wiring.tracing.attributes}


def of_arrival(arrival: Arrival, *, cold: bool) -> Tags:
    """Of a SERVER or CONSUMER span, as far as they are known when the message is there."""
    tags: Tags
    if arrival.via == "event":
        tags = {PEER: contract.BROKER, EVENT_SOURCE: arrival.sender, EVENT_TYPE: arrival.type}
    else:
        tags = {PEER: arrival.sender, RPC_SYSTEM: "grpc"}
    tags[CALL], tags[MESSAGE] = arrival.call, arrival.message
    if cold:
        tags.update(dict.fromkeys(COLD, True))
    if arrival.origin is not None:
        tags[ORIGIN] = arrival.origin
    return tags


def handled(tags: Tags, arrival: Arrival, answer: bytes | None, code: str) -> None:
    """Add what is known once the message is handled, `code` being the gRPC status it ended with."""
    tags[SIZE] = arrival.received.size
    if answer is not None:
        tags[REPLY_SIZE] = len(answer)
    if arrival.via == "event":
        tags[HTTP_STATUS] = 200 if code == "OK" else 500
    else:
        tags[GRPC_STATUS] = CODES[code]


def of_call(arrival: Arrival, to: str, message: str) -> Tags:
    """Of a CLIENT span."""
    return {PEER: to, RPC_SYSTEM: "grpc", CALL: arrival.call, MESSAGE: message}


def called(tags: Tags, size: int, reply_size: int | None, code: str) -> None:
    """Add what is known once a call is over; a stream's size is known only then."""
    tags[SIZE], tags[GRPC_STATUS] = size, CODES.get(code, CODES["UNKNOWN"])
    if reply_size is not None:
        tags[REPLY_SIZE] = reply_size


def of_event(arrival: Arrival, kind: str, message: str, size: int) -> Tags:
    """Of a PRODUCER span."""
    return {PEER: contract.BROKER, EVENT_TYPE: kind, CALL: arrival.call, MESSAGE: message, SIZE: size}
