"""The stores of transfers on a cluster: which Secret a function's credentials come from, and what a cluster cannot do.

May not live here: credentials. A manifest names the Secret, and Kubernetes alone reads it. What transfers need is known
beside the scaffold, which brings asyncio along: it is asked only where a chain has some.
"""

from __future__ import annotations

from toolkit.contract import Wiring
from toolkit.errors import UsageError
from toolkit.plan import Plan

_CREATE = (
    "kubectl create secret generic NAME --from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…, "
    "and `store: {secret: NAME}` in the chain.yaml"
)


def secret(plan: Plan, wired: Wiring) -> str | None:
    """The Secret whose keys become variables of this function: None of one that needs no store."""
    return plan.chain.store.get("secret") or None if _used(wired) else None


def see_that_they_are_reached(plan: Plan, *, environment: bool) -> None:
    """Raises UsageError for what pods could not do; `environment`: whether variables reach a function at all."""
    for name, wired in plan.wirings.items():
        for transfer in _used(wired):
            problem = _problem(plan, name, transfer, environment=environment)
            if problem is not None:
                why, next_step = problem
                raise UsageError(f"'{name}' has the transfer {transfer}: {why}", next_step=next_step)
    if plan.chain.store:
        from toolkit.sdk.transfers.settings import secrets_told

        if (told := secrets_told(plan.chain.store)) is not None:
            raise UsageError(f"{plan.chain.name}: {told.why}", next_step=told.next_step)


def _used(wired: Wiring) -> tuple[str, ...]:
    """The transfers of a function that need a store."""
    if {*wired.takes, *(edge.transfer for edge in wired.outgoing)} <= {"inline"}:
        return ()
    from toolkit.sdk.transfers.settings import used

    return used(wired)


def _problem(plan: Plan, function: str, transfer: str, *, environment: bool) -> tuple[str, str] | None:
    store = plan.chain.store
    if transfer == "file":
        return "pods share no folder", "choose stream, redis or s3 on a cluster, or inline"
    if not environment:
        return "vHive's strict profile passes no environment", "choose stream or inline, or use the profile env"
    known = {*plan.chain.function(function).env, *(("*",) if store.get("secret") else ())}
    if transfer == "redis" and not store.get("redis") and not known & {"*", "REDIS_URL"}:
        return "nothing says where Redis is", "write `store: {redis: URL}`, or a Secret with REDIS_URL as `secret`"
    if transfer == "s3" and not store.get("bucket"):
        return "no bucket is named", "write `store: {bucket: NAME}`; it has to exist"
    if transfer == "s3" and not known & {"*", "AWS_ACCESS_KEY_ID"}:
        return "nothing gives it credentials", _CREATE
    return None
