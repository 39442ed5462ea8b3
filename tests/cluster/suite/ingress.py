"""Where Kourier can be reached from here: the address that requests from outside go to.

May live here: finding it, and the authority of a Service. May not: what is asked of it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.cluster.suite.api import K8S_SERVICE, NODE
from tests.cluster.suite.cluster import Cluster

VARIABLE = "KNBENCH_INGRESS"
NAMESPACE, SERVICE, PORT = "kourier-system", "kourier", 80
CONNECT_WITHIN_S = 2.0


class NoIngress(Exception):
    """Kourier cannot be reached from here."""


def find(cluster: Cluster) -> str:
    """`HOST:PORT`: what $KNBENCH_INGRESS says, else the first address of Kourier that takes a connection."""
    if given := os.environ.get(VARIABLE):
        return given
    service = cluster.get(K8S_SERVICE, SERVICE, NAMESPACE)
    if service is None:
        raise NoIngress(f"there is no Service {NAMESPACE}/{SERVICE}; set ${VARIABLE} to HOST:PORT of the ingress")
    tried = list(candidates(service, cluster.list(NODE)))
    reached = next((each for each in tried if _connects(each)), None)
    if reached is None:
        raise NoIngress(f"no connection to Kourier at {', '.join(tried)} from here; set ${VARIABLE} to HOST:PORT")
    return reached


def candidates(service: Mapping[str, Any], nodes: Any) -> Iterator[str]:
    """Of the gateway's port 80: the load balancer's addresses, the cluster's own, and one of each node."""
    port = next(each for each in service["spec"]["ports"] if each["port"] == PORT)
    for each in service.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
        if host := each.get("ip") or each.get("hostname"):
            yield f"{host}:{PORT}"
    if (own := service["spec"].get("clusterIP")) not in (None, "", "None"):
        yield f"{own}:{PORT}"
    if node_port := port.get("nodePort"):
        yield from (f"{address}:{node_port}" for node in nodes for address in _addresses(node))


def authority(url: str) -> str:
    """The host that a request to a Service has to ask for, of its `status.url`."""
    host = urlsplit(url).hostname
    assert host, f"{url!r} names no host"
    assert not host.endswith(".svc.cluster.local"), (
        f"{url} is reachable within the cluster only: config-domain of knative-serving names no domain of your own"
    )
    return host


def _addresses(node: Mapping[str, Any]) -> Iterator[str]:
    for each in node["status"].get("addresses", ()):
        if each["type"] == "InternalIP":
            yield f"[{each['address']}]" if ":" in each["address"] else each["address"]


def _connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_WITHIN_S):
            return True
    except OSError:
        return False
