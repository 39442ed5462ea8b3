"""What a cluster is, and whether chains can run on it: looks at much, changes nothing.

`examine` asks all checks; `serving`, `eventing`, `tracing` and `rights` are the checks, each of which returns findings
and may fail for want of a right without keeping the others from being made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from toolkit.engines.findings import Finding, missing, unseen
from toolkit.engines.knative.api import FORBIDDEN, Api, Refused, Unreachable
from toolkit.engines.knative.doctor import eventing, rights, serving, tracing
from toolkit.errors import EngineError

Check = Callable[[Api, str | None], Awaitable[Sequence[Finding]]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("kubernetes", serving.kubernetes),
    ("serving", serving.serving),
    ("ingress", serving.ingress),
    ("domain", serving.domain),
    ("features", serving.features),
    ("eventing", eventing.eventing),
    ("broker", eventing.broker),
    ("channel", eventing.channel),
    ("pods", serving.pods),
    ("rights", rights.rights),
    ("tracing", tracing.tracing),
)


async def examine(api: Api, namespace: str | None) -> Sequence[Finding]:
    """`namespace` is where chains are to run; None: each in one of its own. Raises Unreachable."""
    hidden: list[Refused] = []
    found = await asyncio.gather(*(_made(topic, check, api, namespace, hidden) for topic, check in CHECKS))
    return [*(finding for findings in found for finding in findings), *await rights.to_see(api, hidden)]


async def _made(topic: str, check: Check, api: Api, namespace: str | None, hidden: list[Refused]) -> Sequence[Finding]:
    try:
        return await check(api, namespace)
    except Unreachable:
        raise
    except Refused as error:
        if error.code != FORBIDDEN:
            return [missing(topic, str(error), error.next_step)]
        hidden.append(error)
        return [unseen(topic, rights.what_is_forbidden(error))]
    except EngineError as error:
        return [missing(topic, str(error), error.next_step)]
