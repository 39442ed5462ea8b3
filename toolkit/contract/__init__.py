"""What both sides of the container wall agree on: names, ids, digests, wiring and receipts.

May live here: constants and small pure functions that a function process *and* the toolkit need. May not: anything
that opens a socket or a file, and any import beyond the standard library (a function process loads this first).
What a receipt says is in `receipt`; all names are imported from here.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from toolkit.contract.receipt import Boot as Boot
from toolkit.contract.receipt import Receipt as Receipt
from toolkit.contract.receipt import Sent as Sent
from toolkit.contract.typed import Protocol as Protocol
from toolkit.contract.typed import Scalar as Scalar
from toolkit.contract.typed import Transfer as Transfer
from toolkit.contract.typed import Via as Via
from toolkit.contract.typed import typed

# --- Environment of a function (Knative runtime contract; vHive adds GUEST_PORT) --------------------------------------
PORT = "PORT"
GUEST_PORT = "GUEST_PORT"
DEFAULT_PORT = 8080
K_SERVICE = "K_SERVICE"
K_REVISION = "K_REVISION"
K_CONFIGURATION = "K_CONFIGURATION"
K_SINK = "K_SINK"
K_CE_OVERRIDES = "K_CE_OVERRIDES"
K_CA_CERTS = "K_CA_CERTS"
REPLICA = "TOOLKIT_REPLICA"  # the nonce of this replica, drawn by the engine; a function draws its own without it
HOST = "TOOLKIT_HOST"  # the interface to bind; unset means every interface, as a container must
FOLDER = "TOOLKIT_FOLDER"  # where a stranger's program is started; unset means the working directory
LEDGER_TOKEN = "TOOLKIT_LEDGER_TOKEN"  # noqa: S105 - a name; it holds what the ledger's URL has to begin with
EGRESS = "TOOLKIT_EGRESS"  # HOST:PORT of the scaffold, where a stranger sends what goes over the function's edges
GRACE = "TOOLKIT_GRACE"  # seconds from SIGTERM to the end: messages under way, then spans and receipts
WIRING = "TOOLKIT_WIRING"  # the wiring itself, as JSON
WIRING_FILE = "TOOLKIT_WIRING_FILE"  # where it lies otherwise (vHive strict: baked into the image, no environment)
DEFAULT_WIRING_FILE = "/etc/toolkit/wiring.json"
EXIT_PORT_TAKEN = (
    98  # a function whose port is taken leaves with this status (EADDRINUSE), so an engine can choose again
)

# --- Names on the wire ------------------------------------------------------------------------------------------------
ENTRY_METHOD = "helloworld.Greeter/SayHello"  # every chain's entry; vSwarm's invoker, invitro and grpcurl speak it
GENERIC_METHOD = "link.Link/Send"  # a call edge that needs no type of its own
GENERIC_STREAM = "link.Link/Stream"  # the same, its data in pieces
METADATA_EXTENSION = "vhivemetadata"  # CloudEvents extension: base64 of the JSON below
METADATA_KEY = "vhivemetadata-bin"  # the same bytes as gRPC metadata on call edges
MESSAGE_KEY = "toolkit-message"  # gRPC metadata: the message id; on event edges it is the event's `id`
SENDER_KEY = "toolkit-sender"  # gRPC metadata: the calling function; on event edges it is the event's `source`
TO_KEY = "toolkit-to"  # gRPC metadata: the function that a stranger means, of what it sends through the scaffold
LOOPS_KEY = "toolkit-loops"  # gRPC metadata; how often the way here led over each edge that loops: `a>b=3,b>a=2`
STATUS_KEY = "toolkit-status"  # gRPC trailing metadata of a reply that has no field for it: the answer's status
LOOPS_EXTENSION = "toolkitloops"  # the same of an event
TASK_EXTENSION = "toolkittask"  # of an event that is a task: the task that spawned it, or the message that did
DEPTH_EXTENSION = "toolkitdepth"  # how many tasks are above it
PART_EXTENSION = "partindex"  # of one of several events that were scattered: which, from 0 on ...
PARTS_EXTENSION = "parttotal"  # ... of how many ...
SCATTER_EXTENSION = "partof"  # ... that one scatter sent: its id, derived as a message's is (`scatter_id`)
OUTER_EXTENSION = "partouter"  # of parts of parts: the same of the scatters around it, `ID:2:16,ID:0:3`
CALLER = "caller"  # the service name of whoever sends calls into the entry
TRACE_STORE = "trace-store"  # as a process of the local engine
LEDGER = "toolkit-ledger"  # remembers tasks and joins; as a process of the local engine, and as a Service of a cluster
BROKER = "broker"  # the remote service name of spans that meet the broker
PENDING = "application/vnd.toolkit.pending"  # content type of a reply that is no answer yet: it comes by an event
STATUS_EXTENSION = "toolkitstatus"  # of an event that is the chain's answer: its status, as HTTP counts them
REPLY = "reply"  # `Sent.address` of a reply event: it goes back to whoever delivered
READY_PATH = "/healthz"  # event consumers answer 200 here once they are ready


@dataclass(frozen=True, slots=True)
class Metadata:
    """vHive's invocation metadata: JSON `{WorkflowId, InvocationId, InvokedOn}`, wire compatible with vSwarm.

    `invoked_on` is RFC 3339 with nanoseconds, UTC, as Go's `time.RFC3339Nano` with fixed width writes it.
    """

    workflow: str
    invocation: str
    invoked_on: str

    def encode(self) -> bytes:
        fields = {"WorkflowId": self.workflow, "InvocationId": self.invocation, "InvokedOn": self.invoked_on}
        return json.dumps(fields, separators=(",", ":")).encode()

    @staticmethod
    def decode(data: bytes) -> Metadata | None:
        """The metadata in `data`, or None when there is none that can be read: a stranger's call is still a call."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("InvocationId"), str) or not found["InvocationId"]:
            return None
        return Metadata(str(found.get("WorkflowId", "")), found["InvocationId"], str(found.get("InvokedOn", "")))


def child_id(parent: str, function: str, index: int) -> str:
    """The id of the `index`-th message that `function` sends while it handles message `parent` (32 hex digits).

    Derived, not drawn: a redelivered message makes the same children, so a duplicate is recognised as one for ever.
    """
    return hashlib.blake2b(f"{parent}/{function}/{index}".encode(), digest_size=16).hexdigest()


def scatter_id(message: str, function: str, type: str, index: int) -> str:  # noqa: A002 - the event's word
    """The id of the `index`-th scatter of a handling, over events of this type."""
    return child_id(message, f"{function}/scatter/{type}", index)


def digest(*parts: bytes) -> str:
    """The receipt's hash of a payload (BLAKE2b, 16 hex digits); a stream of messages hashes as their concatenation."""
    hashed = hashlib.blake2b(digest_size=8)
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()


def payload(seed: int, call: str, size: int) -> bytes:
    """`size` incompressible bytes that only `seed` and the call's id decide, so that anyone can make them again."""
    return random.Random(f"{seed}/{call}").randbytes(size)  # noqa: S311 - reproducible bytes, no secret


INPUTS = 8  # different inputs of a run: enough that none is answered from a cache alone, few enough to judge them all


def input_seed(seed: int, call: str) -> int:
    """The seed of one call's input: that of the run, and a number below `INPUTS` that the call's id decides."""
    return seed + hashlib.blake2b(call.encode(), digest_size=1).digest()[0] % INPUTS


# --- Wiring: all a function must know, made by an engine, read by the scaffold ----------------------------------------


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One edge out of a function. `address` is a gRPC target for calls; events go to `$K_SINK`.

    Only where no environment reaches the function (vHive strict), the edges of events hold the sink's URL.
    """

    to: str
    via: Via
    method: str | None = None  # calls: `package.Service/Method`
    type: str | None = None  # events: the CloudEvents type
    address: str | None = None
    least: int = 1  # messages that one handling sends over it, up to `most`; None: any number
    most: int | None = 1
    choice: str | None = None  # one edge of each choice is taken
    loop: int | None = None  # how often the way to a message may lead over it
    retry: int = 0  # attempts after the first
    fallback: str | None = None  # the function in whose place this edge leads once its attempts have failed
    transfer: Transfer = "inline"  # how the data of its messages travels
    tasks: int | None = None  # what leaves over it are tasks: so many of a call, at most
    done: bool = False  # what leaves over it says that all tasks of a call are done
    answers: bool = False  # it leads to the gateway: its events are answers
    alias: str | None = None  # what the handler calls `to`, where that is not its name


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where spans go (the URL to `POST` to; None: nowhere), how many, and what every span says besides.

    `protocol` is the endpoint's: Zipkin v2, or OTLP/HTTP (JSON).
    """

    endpoint: str | None = None
    sample: float = 1.0  # 0..1, decided at the root of a trace; a caller's decision is honoured
    attributes: Mapping[str, str] = field(default_factory=dict)
    protocol: Protocol = "zipkin"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The whole wiring of one function. `serves` are gRPC methods (h2c); a function that `consumes` speaks HTTP/1.1.

    `handler` is `module:function`, or `path/to/file.py:function`. A function serves or consumes, never both: Knative
    gives a revision one port with one protocol, and the dispatcher of events speaks no h2c.
    """

    chain: str
    function: str
    run: str
    handler: str
    serves: tuple[str, ...] = ()
    consumes: bool = False
    outgoing: tuple[Outgoing, ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    seed: int = 1
    tracing: Tracing = field(default_factory=Tracing)
    receipts: str | None = None  # `tcp://HOST:PORT` of a collector, None: no receipts
    join: int | None = None  # events of a call that are handled together; 0: as many as were scattered
    slots: Mapping[str, int] = field(default_factory=dict)  # of a join of all: how many by `SOURCE TYPE`
    gateway: str | None = None  # the path of the HTTP requests that it answers
    patience_s: float | None = None  # how long such a request may take; None: as the gateway does
    command: tuple[str, ...] = ()  # a stranger's program that does the work; $PORT tells it where to listen
    relay: str | None = None  # the gRPC target of a stranger that runs already and does the work
    ledger: str | None = None  # the URL of the ledger of tasks and joins
    attempts: int | None = None  # how often the broker tries an event, where events are tasks
    takes: tuple[str, ...] = ()  # how the data of messages that come may travel, besides inline
    store: Mapping[str, str] = field(default_factory=dict)  # of transfers; see `ChainSpec.store`, and `folder`
    answers: bool = False  # whether receipts hold the chain's answer, because somebody will judge it

    @property
    def sink(self) -> str | None:
        """Where events go that no environment says it of."""
        return next((each.address for each in self.outgoing if each.via == "event"), None)

    def encode(self) -> str:
        fields = asdict(self)
        if self.tracing.protocol == "zipkin":  # images made before there was a choice know nothing else
            del fields["tracing"]["protocol"]
        for key, usual in _LATER:  # nor what came later still
            if fields[key] == usual:
                del fields[key]
        fields["outgoing"] = [_said(each) for each in fields["outgoing"]]
        return json.dumps(fields, separators=(",", ":"), sort_keys=True)

    @staticmethod
    def decode(text: str) -> Wiring:
        """The wiring in `text`; raises ValueError or TypeError, with the key's name, when it is not one."""
        found = json.loads(text)
        if not isinstance(found, dict):
            raise TypeError("the wiring is not a JSON object")
        found["outgoing"] = tuple(
            typed(Outgoing(**each), f"outgoing[{index}].") for index, each in enumerate(found.get("outgoing", ()))
        )
        found["serves"] = tuple(found.get("serves", ()))
        found["command"] = tuple(found.get("command", ()))
        found["takes"] = tuple(found.get("takes", ()))
        found["tracing"] = typed(Tracing(**found.get("tracing", {})), "tracing.")
        wiring = typed(Wiring(**found), "")
        if not 0 <= wiring.tracing.sample <= 1:
            raise ValueError(f"tracing.sample: {wiring.tracing.sample} is not between 0 and 1")
        return wiring


_EDGE = ("to", "via", "method", "type", "address")  # what every edge says; the rest only where it differs
_USUAL_EDGE = asdict(Outgoing("", "call"))
_LATER: tuple[tuple[str, Any], ...] = (
    *((key, None) for key in ("join", "gateway", "patience_s", "relay", "ledger", "attempts")),
    *(("slots", {}), ("command", ()), ("takes", ()), ("store", {}), ("answers", False)),
)


def _said(edge: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in edge.items() if key in _EDGE or value != _USUAL_EDGE[key]}


def overrides(text: str | None) -> dict[str, str]:
    """The extensions that `K_CE_OVERRIDES` asks for (`{"extensions": {name: value}}`, "" and None mean none)."""
    if not text:
        return {}
    found = json.loads(text)
    extensions = found.get("extensions") if isinstance(found, dict) else None
    return {str(name): str(value) for name, value in (extensions or {}).items()}


def listen_port(environment: Mapping[str, str]) -> int:
    """`$PORT`, else `$GUEST_PORT`, else 8080. Raises ValueError, naming the variable, when it is no port."""
    for name in (PORT, GUEST_PORT):
        if text := environment.get(name):
            if not text.isdecimal() or not 0 <= int(text) <= 65535:
                raise ValueError(f"{name}={text!r} is not a port (0..65535)")
            return int(text)
    return DEFAULT_PORT
