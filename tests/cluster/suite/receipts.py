"""The collector of receipts inside the cluster: a pod that writes every line it gets to its log.

So a test can say which replica handled which message, though it cannot be reached from the pods itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

from tests.cluster.suite import taker
from tests.cluster.suite.api import POD, Manifest
from tests.cluster.suite.cluster import Cluster
from tests.cluster.suite.functions import RESTRICTED
from tests.cluster.suite.waiting import until
from toolkit.contract import Receipt

NAME = "receipts"
ARRIVE_WITHIN_S = 30.0


class Receipts:
    """The receipts of the functions in one namespace. Made by `start`."""

    def __init__(self, cluster: Cluster, namespace: str, address: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self.address = address

    @staticmethod
    def start(cluster: Cluster, namespace: str, image: str) -> Receipts:
        """Returns once it takes receipts; any image with Python will do."""
        cluster.apply(_pod(namespace, image))
        ready = cluster.wait(POD, NAME, namespace)
        return Receipts(cluster, namespace, f"tcp://{ready['status']['podIP']}:{taker.PORT}")

    def all(self) -> Sequence[Receipt]:
        """In the order of their arrival."""
        return [_receipt(line) for line in self._cluster.log(NAME, self._namespace)]

    def of(self, function: str) -> Sequence[Receipt]:
        return [each for each in self.all() if each.function == function]

    def one(self, wanted: str, fits: Callable[[Receipt], bool], *, within_s: float = ARRIVE_WITHIN_S) -> Receipt:
        """The first receipt that fits, as soon as it is there. Raises NotInTime, with those that are there."""
        return until(
            lambda: next(filter(fits, self.all()), None),
            f"the receipt of {wanted}",
            within_s,
            otherwise=lambda: "\n".join(f"  {each}" for each in self.all()) or "  there are no receipts",
        )


def _receipt(line: str) -> Receipt:
    try:
        return Receipt.decode(line.encode())
    except (ValueError, TypeError) as error:
        raise AssertionError(f"the collector's log says what is no receipt: {line!r}") from error


def _pod(namespace: str, image: str) -> Manifest:
    container = {
        "name": NAME,
        "image": image,
        "command": ["python3", "-u", "-c", inspect.getsource(taker)],
        "ports": [{"containerPort": taker.PORT}],
        "readinessProbe": {"tcpSocket": {"port": taker.PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"containers": [container], "enableServiceLinks": False, "terminationGracePeriodSeconds": 1},
    }
