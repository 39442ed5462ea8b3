"""Namespaces of the tests: made with labels, taken away at the end, and swept up by a later session if no end came.

Each says whose it is, so that several sessions may use one cluster at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.cluster.suite.api import BROKER, CHANNEL, KSVC, NAMESPACE, POD, SINK_BINDING, Manifest
from tests.cluster.suite.cluster import Cluster, NotInTime, Object
from tests.cluster.suite.waiting import until

LABEL = "app.kubernetes.io/managed-by"
OWNER = "kn-bench-tests"
SESSION_LABEL = "kn-bench-tests/session"
HOST = re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname())[:40].strip("-") or "host"
SESSION = f"{HOST}.{os.getpid()}"
ABANDONED_AFTER = timedelta(hours=1)  # of a session on another machine: nobody can ask whether it still runs
GONE_WITHIN_S = 120.0
BROKERS_GONE_WITHIN_S = 20.0


@contextlib.contextmanager
def namespace(cluster: Cluster, purpose: str, *, restricted: bool = True) -> Iterator[str]:
    """The name of a fresh namespace, whose pods have to meet the "restricted" standard. It ends with the context."""
    name = f"{OWNER}-{purpose}-{secrets.token_hex(3)}"
    cluster.apply(_manifest(name, restricted=restricted))
    try:
        yield name
    finally:
        clear(cluster, name)


def clear(cluster: Cluster, name: str) -> None:
    """Asks for the end of a namespace and all within, and does not wait for it: `sweep` does."""
    try:
        with contextlib.suppress(LookupError):  # a cluster without Knative has none of these
            _end_brokers(cluster, name)
            for kind in (KSVC, SINK_BINDING):  # others have to finish with these, so the sooner they know the better
                cluster.delete(kind, None, name)
    finally:
        cluster.delete(NAMESPACE, name)
        cluster.delete(POD, None, name, gracePeriodSeconds=1)  # nobody is served any more: no pod has to drain


def sweep(cluster: Cluster) -> None:
    """No namespace of this session, or of one that is over, is left when this returns. Raises NotInTime."""
    left = [each["metadata"]["name"] for each in cluster.list(NAMESPACE, labels=f"{LABEL}={OWNER}") if _ours(each)]
    for name in left:
        with contextlib.suppress(NotInTime):  # a broker that stays must not keep its namespace
            clear(cluster, name)
    for name in left:
        _end(cluster, name)
    for name in left:
        cluster.gone(NAMESPACE, name, within_s=GONE_WITHIN_S)


def is_over(session: str, made: datetime, now: datetime) -> bool:
    """Whether the session that made a namespace then is over, as far as this machine can know."""
    host, _, process = session.rpartition(".")
    if host != HOST or not process.isdecimal():
        return now - made > ABANDONED_AFTER
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _ours(found: Object) -> bool:
    session = found["metadata"]["labels"].get(SESSION_LABEL, "")
    made = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    return session == SESSION or is_over(session, made, datetime.now(UTC))


def _end_brokers(cluster: Cluster, name: str) -> None:
    """A broker goes before its triggers: triggers that go at once leave dead subscribers in a broker's channel."""
    cluster.delete(BROKER, None, name)
    until(lambda: not _brokers(cluster, name), f"the brokers of {name} to be gone", BROKERS_GONE_WITHIN_S)


def _end(cluster: Cluster, name: str) -> None:
    """The controller that found pods in a namespace comes back only after half their grace period, or at a change."""
    until(lambda: not cluster.list(POD, name), f"the pods of {name} to be gone", GONE_WITHIN_S)
    path = cluster.api.path(NAMESPACE, name=name)
    change = {"metadata": {"annotations": {SESSION_LABEL: "no pods are left"}}}
    cluster.api.ask("PATCH", path, body=change, content_type="application/merge-patch+json")


def _brokers(cluster: Cluster, name: str) -> bool:
    return bool(cluster.list(BROKER, name) or cluster.list(CHANNEL, name))


def _manifest(name: str, *, restricted: bool) -> Manifest:
    labels = {LABEL: OWNER, SESSION_LABEL: SESSION}
    if restricted:
        labels |= {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
