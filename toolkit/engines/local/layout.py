"""Where everything of a local deployment will listen, and the environment each process gets. Pure."""

from __future__ import annotations

import dataclasses
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from toolkit import plan as plans
from toolkit.contract import (
    FOLDER,
    GRACE,
    HOST,
    K_CE_OVERRIDES,
    K_CONFIGURATION,
    K_REVISION,
    K_SERVICE,
    K_SINK,
    PORT,
    WIRING,
)
from toolkit.engines.base import Bound
from toolkit.engines.local.broker.config import BrokerConfig, DeliveryConfig, ServiceConfig, TriggerConfig
from toolkit.engines.local.process import Command
from toolkit.plan import Plan, Trigger
from toolkit.spec import folders
from toolkit.spec.model import ChainSpec, Delivery, Function

LOOPBACK = "127.0.0.1"
PYTHON = (sys.executable, "-P", "-m")  # -P: a random.py in the user's folder is not the standard library's
GRACE_S = 8.0  # a function's own, less than the engine's patience: its last spans have to be out by then


@dataclass(frozen=True, slots=True)
class Layout:
    """Ports by name. `public` is what others dial, `own` what a replica binds; a fault test may stand between."""

    public: Mapping[str, Sequence[int]]
    own: Mapping[str, Sequence[int]]
    broker: int | None
    store: int | None
    ledger: int | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)  # the ledger's; see `ledger_url`

    def target(self, function: str) -> str:
        """The gRPC target of a function: one address, or the list of its replicas'."""
        addresses = [f"{LOOPBACK}:{port}" for port in self.public[function]]
        return addresses[0] if len(addresses) == 1 else "ipv4:" + ",".join(addresses)

    def urls(self, function: str) -> list[str]:
        return [f"http://{LOOPBACK}:{port}/" for port in self.public[function]]

    def gateway(self, plan: Plan) -> str | None:
        """Where the chain takes HTTP requests."""
        gateway = plan.chain.gateway
        return None if gateway is None else f"{self.urls(gateway.name)[0].rstrip('/')}{gateway.gateway}"

    def sink(self, plan: Plan) -> str | None:
        if plan.broker is None or self.broker is None:
            return None
        return f"http://{LOOPBACK}:{self.broker}/{plan.namespace}/{plan.broker.name}"

    @property
    def ledger_url(self) -> str | None:
        """It holds the token: who has it may do with the ledger whatever can be done."""
        return None if self.ledger is None else f"http://{LOOPBACK}:{self.ledger}/{self.token}"

    def bound(self, plan: Plan) -> Bound:
        return Bound({each.name: self.target(each.name) for each in plan.chain.functions}, self.sink(plan))


def ports_needed(plan: Plan, intercepted: Sequence[str], *, store: bool) -> int:
    replicas = sum(each.replicas * (2 if each.name in intercepted else 1) for each in plan.chain.functions)
    return replicas + (plan.broker is not None) + store + plan.chain.has_ledger


def lay_out(
    plan: Plan, intercepted: Sequence[str], ports: Sequence[int], *, store: bool, gateway: int | None = None
) -> Layout:
    """Deals the ports out; `ports` must be as many as `ports_needed` says. `gateway` is the port of the chain's."""
    left = iter(ports)
    own = {each.name: [next(left) for _ in range(each.replicas)] for each in plan.chain.functions}
    if gateway is not None and plan.chain.gateway is not None:
        own[plan.chain.gateway.name] = [gateway]
    public = {name: [next(left) for _ in bound] if name in intercepted else bound for name, bound in own.items()}
    wanted = (plan.broker is not None, store, plan.chain.has_ledger)
    broker, own_store, ledger = (next(left) if each else None for each in wanted)
    return Layout(public, own, broker=broker, store=own_store, ledger=ledger)


def function_command(
    plan: Plan,
    name: str,
    index: int,
    layout: Layout,
    *,
    receipts: str | None,
    endpoint: str | None,
    override: Mapping[str, str],
) -> Command:
    """How one replica of a function is started: the environment that Knative would give it, and its wiring."""
    function = plan.chain.function(name)
    targets, ledger = layout.bound(plan).targets, layout.ledger_url
    wiring = plans.bind(plan.wirings[name], targets, receipts=receipts, endpoint=endpoint, ledger=ledger)
    wiring = dataclasses.replace(wiring, handler=_handler(wiring.handler, function, plan.chain))
    environment = {
        **function.env,
        **_sink_binding(plan, name, layout),
        PORT: str(layout.own[name][index]),
        HOST: LOOPBACK,
        K_SERVICE: name,
        K_CONFIGURATION: name,
        K_REVISION: f"{name}-00001",
        WIRING: wiring.encode(),
        GRACE: str(GRACE_S),
        **({FOLDER: function.folder or plan.chain.folder} if function.command else {}),
        "PYTHONUNBUFFERED": "1",
        **override,
    }
    title = name if function.replicas == 1 else f"{name}#{index + 1}"
    return Command(title, (*PYTHON, "toolkit.sdk"), environment, function=name)


def _sink_binding(plan: Plan, name: str, layout: Layout) -> dict[str, str]:
    """What a SinkBinding injects into a function that sends events."""
    sink = layout.sink(plan)
    if sink is None or not any(edge.via == "event" for edge in plan.chain.out_of(name)):
        return {}
    return {K_SINK: sink, K_CE_OVERRIDES: ""}


def _handler(handler: str, function: Function, chain: ChainSpec) -> str:
    """Where it lies here: the wiring names it from the chain's folder, as if sub-chains were packed in there."""
    if handler == folders.handler(chain, function):
        return _absolute(function.handler, function.folder or chain.folder)
    return _absolute(handler, chain.folder)


def _absolute(handler: str, folder: str) -> str:
    path, _, function = handler.rpartition(":")
    return f"{PurePath(folder, path)}:{function}" if path.endswith(".py") else handler


def broker_service(plan: Plan, layout: Layout) -> ServiceConfig | None:
    """What the broker is told, None for a chain without event edges."""
    broker = plan.broker
    if broker is None or layout.broker is None:
        return None
    triggers = tuple(_trigger(trigger, layout) for trigger in plan.triggers)
    config = BrokerConfig(plan.namespace, broker.name, triggers, broker.acknowledge, _delivery(broker.delivery, layout))
    return ServiceConfig((config,), LOOPBACK, layout.broker)


def _delivery(delivery: Delivery, layout: Layout) -> DeliveryConfig:
    return DeliveryConfig(
        retry=delivery.retry,
        backoffPolicy=delivery.backoff,
        backoffDelay_s=delivery.delay_s,
        timeout_s=delivery.timeout_s,
        dead_letter=layout.urls(delivery.dead_letter)[0] if delivery.dead_letter else None,
    )


def _trigger(trigger: Trigger, layout: Layout) -> TriggerConfig:
    exact = {"type": trigger.type, "source": trigger.source}
    return TriggerConfig(trigger.name, tuple(layout.urls(trigger.subscriber)), ({"exact": exact},))
