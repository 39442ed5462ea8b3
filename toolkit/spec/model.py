"""What a chain.yaml says, once it is known to be right. Seconds are floats, bytes are ints, no data is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from toolkit.contract import Scalar, Transfer, Via

Protocol = Literal["h2c", "http1"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A knob of the chain: `--set NAME=VALUE` changes it, `${NAME}` in the chain.yaml and `ctx.parameters` read it.

    `kind` is told by the default: `size` (bytes, written 4KiB), `duration` (seconds), `integer`, `number`, `text` or
    `flag`.
    `value` is the default, or what the user set; a size is its bytes, a duration its seconds.
    """

    name: str
    value: Scalar
    kind: Literal["size", "duration", "integer", "number", "text", "flag"]
    about: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """How a cluster scales a function (Knative's autoscaling annotations on the revision). None: the cluster's default.

    `target` is in requests at once (`concurrency`), requests a second (`rps`), percent (`cpu`) or MiB (`memory`), and
    `utilization` the percentage of it to aim at. `burst` is target-burst-capacity: 0 takes the activator out of the
    path while a pod is ready, -1 keeps it there. `panic_window` is a percentage of the window, `panic_threshold` one of
    the target. Numbers that are whole are ints, so `str` writes each as Knative reads it; times are whole seconds but
    for `retention_s`. `replicas`, where the chain.yaml names it, is already in `min` and `max`.
    """

    min: int | None = None
    max: int | None = None
    initial: int | None = None
    activation: int | None = None
    target: float | None = None
    utilization: float | None = None
    metric: Literal["concurrency", "rps", "cpu", "memory"] | None = None
    autoscaler: Literal["kpa", "hpa"] | None = None
    algorithm: Literal["linear", "weighted-exponential"] | None = None
    window_s: float | None = None
    panic_window: float | None = None
    panic_threshold: float | None = None
    down_delay_s: float | None = None
    retention_s: float | None = None
    burst: float | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes quantities by resource (`cpu`, `memory`), as they are written: `250m`, `512Mi`."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A node of the chain. `handler` is `file.py:function` in the chain's folder, or `package.module:function`.

    What follows `about` is for clusters only; None is the cluster's default. `concurrency` is how many messages one
    pod handles at once, at most (0: any number); `timeout_s` how long one may take, `response_start_s` until its answer
    begins, `idle_s` while nothing is sent: whole seconds. `annotations` belong on the revision's template,
    `service_annotations` on the Service itself, each where Knative reads it.
    """

    name: str
    handler: str
    protocol: Protocol
    replicas: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    scale: Scale = Scale()
    concurrency: int | None = None
    timeout_s: float | None = None
    resources: Resources = Resources()
    visibility: Literal["cluster", "public"] | None = None  # None: the entry is public, every other function is not
    node_selector: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    response_start_s: float | None = None
    idle_s: float | None = None
    service_annotations: Mapping[str, str] = field(default_factory=dict)
    join: int | None = None  # events of a call that it waits for before its handler runs; 0: as many as were scattered
    gateway: str | None = None  # the path of HTTP requests that it takes and answers for the chain
    image: str | None = None  # a stranger's container image, which speaks the function's method
    command: tuple[str, ...] = ()  # a stranger's program, in the chain's folder; it listens on $PORT
    prepare: tuple[str, ...] = ()  # what builds it, in a copy of that folder
    parallel: int = 1  # of so many copies side by side it is one
    folder: str | None = None  # where its handler or program lies; None: the chain's folder
    chain: str | None = None  # the sub-chain it belongs to, by the name of the function that stood for it
    parameters: Mapping[str, Scalar] | None = None  # of its sub-chain; None: the chain's


@dataclass(frozen=True, slots=True)
class Edge:
    """A link of the chain. A call names its `method` (`package.Service/Method`), an event its CloudEvents `type`.

    `least` to `most` messages leave over it in one handling (None: any number). Of the edges out of one function with
    the same `choice`, one is taken. `loop` is how often the way to a message may lead over this edge, which may then
    lead back. A call is tried `retry` times again, and then the edge whose `fallback` is its `to` stands in. With
    `tasks` what leaves are tasks, so many in a call at most; with `done` the one event that says that all are done.
    """

    source: str
    to: str
    via: Via
    method: str | None = None
    type: str | None = None
    least: int = 1
    most: int | None = 1
    choice: str | None = None
    loop: int | None = None
    retry: int = 0
    fallback: str | None = None
    transfer: Transfer = "inline"
    tasks: int | None = None
    done: bool = False
    alias: str | None = None  # what the sender's handler calls the receiver, where that is not its name

    @property
    def steady(self) -> bool:
        """Whether every handling sends exactly one message over it, as it does unless the file says otherwise."""
        return (self.least, self.most, self.choice, self.fallback, self.done) == (1, 1, None, None, False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Knative's DeliverySpec. `retry` counts the attempts after the first; the waits follow `backoff`."""

    retry: int = 10
    backoff: Literal["exponential", "linear"] = "exponential"
    delay_s: float = 0.2
    timeout_s: float | None = None
    dead_letter: str | None = None  # a function of the chain


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker of the chain's event edges. `sync` answers the producer after every delivery (Knative's default)."""

    name: str = "default"
    acknowledge: Literal["sync", "async"] = "sync"
    delivery: Delivery = Delivery()


@dataclass(frozen=True, slots=True)
class OwnLoad:
    """What is sent to the chain where nobody says it: how many calls, and how many a second or at a time.

    None is the toolkit's default. At most one of `rate` (calls a second, open loop) and `concurrency` (closed loop) is
    set; they say nothing where the other is asked for.
    """

    requests: int | None = None
    rate: float | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """The whole chain. `functions` and `edges` keep the order of the file; `broker` is None without event edges.

    `expanded` functions (`repeat:`) are already single functions here. `folder` is where handlers are looked for.
    `sha256` is that of the file's bytes, and `text` the file itself, before any `--set`.
    """

    name: str
    about: str
    entry: str
    functions: tuple[Function, ...]
    edges: tuple[Edge, ...]
    broker: Broker | None
    parameters: tuple[Parameter, ...]
    folder: str
    sha256: str
    requires: tuple[str, ...] = ()  # pip requirements its handlers need beside the toolkit
    text: str = field(default="", repr=False)
    expect: str | None = None  # `file.py:function` that judges an answer: (answer, seed, size) to None or what is wrong
    store: Mapping[str, str] = field(default_factory=dict)  # of transfers: `s3`, `bucket`, `region`, `redis`, `secret`
    load: OwnLoad = OwnLoad()

    def function(self, name: str) -> Function:
        return next(each for each in self.functions if each.name == name)

    def into(self, name: str) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.to == name)

    def out_of(self, name: str) -> tuple[Edge, ...]:
        return tuple(edge for edge in self.edges if edge.source == name)

    @property
    def gateway(self) -> Function | None:
        """The function that takes HTTP requests for the chain."""
        return next((each for each in self.functions if each.gateway is not None), None)

    @property
    def has_ledger(self) -> bool:
        """Whether somebody has to remember between messages: which tasks there are, and what waits for a join."""
        return any(edge.tasks is not None for edge in self.edges) or any(
            each.join is not None for each in self.functions
        )

    def parameter(self, name: str, default: Scalar | None = None) -> Scalar | None:
        return next((each.value for each in self.parameters if each.name == name), default)
