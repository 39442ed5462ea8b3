"""Where the spans of a deployment go, and how they are read back: the user's Zipkin, the cluster's, or our own store.

May live here: choosing one of the three, and asking it. May not: waiting for spans (`deployment`), Knative's own
settings (`tracing`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from toolkit.engines import zipkin_client
from toolkit.engines.knative import exports
from toolkit.engines.knative.api import Api, Unreachable, Wire
from toolkit.engines.knative.kinds import K8S_SERVICE, labels
from toolkit.engines.knative.settings import Audience, Settings
from toolkit.engines.knative.store import Store
from toolkit.errors import EngineError
from toolkit.manifests import NAMESPACE
from toolkit.manifests.names import MANAGED_BY, OWNER
from toolkit.results import Incident
from toolkit.sdk.http1 import Response
from toolkit.traces.model import Span

SERVICE, COLLECTOR = "zipkin", "otel-collector"
READY_WITHIN_S = 10.0
TRIES, PAUSE_S = 4, 0.3
_AGAIN = frozenset((429, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class Spans:
    """`url` is the store's base URL as pods reach it, `asked` as this machine does, over `carrier` if there is one.

    `shared`: Knative's own components may send spans to the same store. `store` is the one that we brought along.
    """

    url: str
    asked: str
    carrier: zipkin_client.Carrier | None = None
    shared: bool = True
    store: Store | None = None

    async def send(self, spans: Sequence[Span]) -> None:
        """Raises EngineError."""
        await zipkin_client.send(self.asked, spans, carrier=self.carrier)

    async def of(self, traces: Sequence[str]) -> list[Span]:
        """Every span of these traces by now. Raises EngineError."""
        return await zipkin_client.spans(self.asked, traces, carrier=self.carrier)

    @property
    def incidents(self) -> Sequence[Incident]:
        return self.store.incidents if self.store is not None else ()


async def choose(
    api: Api,
    settings: Settings,
    audience: Audience,
    stack: contextlib.AsyncExitStack,
    host: Callable[[], Awaitable[str]] | None,
) -> Spans | None:
    """The user's Zipkin, else the one that `toolkit tracing setup` brought, else an embedded store at `host`.

    None without a `host`: then nobody would stay to keep an embedded store. Raises EngineError.
    """
    if settings.zipkin is not None:
        await zipkin_client.ready(settings.zipkin, sending=True)
        return Spans(settings.zipkin, settings.zipkin)
    if (found := await of_the_cluster(api, settings, audience)) is not None:
        return found
    if host is None:
        return None
    store = await Store.start(await host())
    stack.push_async_callback(store.close)
    return Spans(store.url, store.url, shared=False, store=store)


async def of_the_cluster(api: Api, settings: Settings, audience: Audience) -> Spans | None:
    """The Zipkin of `toolkit tracing setup`, if it is there and we may ask it; that we may not is told, and no more."""
    namespace = await _place(api)
    if namespace is None:
        return None
    url = f"http://{SERVICE}.{namespace}.svc.{settings.cluster_domain}:9411"
    found = Spans(url, proxy(namespace), Proxied(api.wire))
    try:
        await zipkin_client.ready(found.asked, within_s=READY_WITHIN_S, carrier=found.carrier)
    except EngineError as error:
        audience.note(f"the cluster's own Zipkin ({namespace}/{SERVICE}) is left alone: {error}")
        return None
    return found


def proxy(namespace: str) -> str:
    """The path behind which the API server leads to the Zipkin of this namespace."""
    return f"/api/v1/namespaces/{namespace}/services/http:{SERVICE}:9411/proxy"


async def _place(api: Api) -> str | None:
    """The namespace of our Zipkin: the usual one, or the one whose collector Knative was told of."""
    hosts = [(urlsplit(each.endpoint).hostname or "").split(".") for each in (await exports.told(api)).values()]
    told = [each[1] for each in hosts if len(each) > 1 and each[0] in (COLLECTOR, SERVICE)]
    for namespace in dict.fromkeys((NAMESPACE, *told)):
        service = await api.see(K8S_SERVICE, SERVICE, namespace)
        if service is not None and labels(service).get(MANAGED_BY) == OWNER:
            return namespace
    return None


class Proxied:
    """`zipkin_client.Carrier` through the API server, which leads to a Service: who reaches the one reaches the other.

    It needs the right to get and create `services/proxy`. URLs are paths of the API server.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
    ) -> Response:
        """Asks again when the proxy finds nobody behind it, as it does while a pod begins. Raises Unreachable."""
        named = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers}
        for left in range(TRIES - 1, -1, -1):
            with contextlib.suppress(*((Unreachable,) if left else ())):
                code, said, _ = await self._wire.ask(method, url, body or None, named, timeout_s or READY_WITHIN_S)
                if code not in _AGAIN or not left:
                    return Response(code, (), said)
            await asyncio.sleep(PAUSE_S)
        raise AssertionError("unreachable: the last try returned or raised")

    async def close(self) -> None:
        """The connection is the API's, and stays."""
