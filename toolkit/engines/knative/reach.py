"""The two ways between this machine and the cluster: where pods find us, and where the ingress finds the entry.

May live here: choosing addresses. May not: what is sent over them. No address is ever "all interfaces": whoever listens
binds exactly the one that pods use.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from toolkit.engines import health
from toolkit.engines.knative.api import Api, Refused
from toolkit.engines.knative.kinds import K8S_SERVICE, NODE, Object
from toolkit.engines.waiting import until
from toolkit.errors import EngineError

GATEWAYS = (("kourier-system", "kourier"), ("istio-system", "istio-ingressgateway"), ("contour-external", "envoy"))
PORT = 80
CONNECT_WITHIN_S = 2.0
_ADVERTISE = "name an address of this machine that pods reach with --advertise HOST"


async def own_address(api: Api) -> str:
    """The address of this machine on the way to the cluster: that of the route to the API server, else to a node.

    The second is for clusters whose API server is published on loopback, as kind's is. Raises EngineError.
    """
    server = urlsplit(api.server)
    candidates = [server.hostname or ""]
    if not is_loopback(found := await _local(candidates[0], server.port or 443)):
        return found
    for node in await _nodes(api):
        for address in _addresses(node):
            if not is_loopback(found := await _local(address, 1)):
                return found
    raise EngineError(
        f"pods cannot reach this machine at {found or 'the address of its API server'}, where {api.server} is",
        next_step=f"{_ADVERTISE} (with kind: the gateway of 'docker network inspect kind')",
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")


async def _local(host: str, port: int) -> str:
    """Our own address on the route to `host`; empty when there is no route. Sends nothing."""
    try:
        family, kind, proto, _, address = (
            await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


async def ingresses(api: Api, given: str | None) -> list[str]:
    """Where requests from outside may come in (`HOST:PORT`), the likeliest first. Raises EngineError.

    What was given, else the addresses of the known gateways that take a connection. Something else may listen at one of
    them, on a machine that the cluster's addresses lead elsewhere from: only an answer of the chain's is a proof.
    """
    if given:
        return [given]
    services = [found for space, name in GATEWAYS if (found := await api.see(K8S_SERVICE, name, space))]
    if not services:
        known = ", ".join(f"{space}/{name}" for space, name in GATEWAYS)
        raise EngineError(f"no ingress gateway can be seen: none of {known}", next_step=_NAME_IT)
    nodes = await _nodes(api)
    tried = [each for service in services for each in gateway_addresses(service, nodes)]
    taken = await asyncio.gather(*map(connects, tried))
    open_ones = [address for address, takes in zip(tried, taken, strict=True) if takes]
    if not open_ones:
        raise EngineError(f"the ingress takes no connection from here at {', '.join(tried)}", next_step=_NAME_IT)
    return open_ones


async def _nodes(api: Api) -> Sequence[Object]:
    """None where we have no right to see them: they are one of several ways."""
    try:
        return await api.every(NODE)
    except Refused:
        return ()


async def answering(targets: Sequence[str], authority: str, within_s: float) -> tuple[str | None, str]:
    """The first of `targets` behind which `authority` says that it serves; and what the last one said otherwise."""
    found: str | None = None
    said: str | None = ""

    async def answers() -> bool:
        nonlocal found, said
        for target in targets:
            if (said := await health.complaint(target, authority)) is None:
                found = target
                return True
        return False

    await until(answers, within_s=within_s, every_s=0.1)
    return found, said or ""


_NAME_IT = "name it with --ingress HOST:PORT, 'kubectl port-forward -n kourier-system svc/kourier 8080:80' makes one"


def gateway_addresses(service: Object, nodes: Iterable[Object]) -> Iterator[str]:
    """Of a gateway's port 80: the load balancer's addresses, the cluster's own, one of each node."""
    ports: Sequence[Any] = service["spec"].get("ports") or ()
    port = next((each for each in ports if each["port"] == PORT), None)
    if port is None:
        return
    for each in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
        if host := each.get("ip") or each.get("hostname"):
            yield f"{_bracketed(host)}:{PORT}"
    if (own := service["spec"].get("clusterIP")) not in (None, "", "None"):
        yield f"{_bracketed(own)}:{PORT}"
    if node_port := port.get("nodePort"):
        yield from (f"{_bracketed(address)}:{node_port}" for node in nodes for address in _addresses(node))


def authority(service: Object) -> str:
    """The host that a request to a Service has to ask for, of its `status.url`. Raises EngineError."""
    url = str((service.get("status") or {}).get("url") or "")
    host = urlsplit(url).hostname
    name = service["metadata"]["name"]
    if not host:
        raise EngineError(f"the Service {name} has no URL, though it is ready", next_step="look at 'kn service list'")
    if host.endswith(".svc") or ".svc.cluster." in host:
        raise EngineError(
            f"{url} is reachable within the cluster only, so no call can be sent to {name} from here",
            next_step="give Knative a domain in the ConfigMap config-domain of knative-serving (example.com will do), "
            "and leave 'visibility: cluster' away from the entry",
        )
    return host


async def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_WITHIN_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    return True


def _addresses(node: Object) -> Iterator[str]:
    for each in (node.get("status") or {}).get("addresses") or ():
        if each["type"] == "InternalIP":
            yield each["address"]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
