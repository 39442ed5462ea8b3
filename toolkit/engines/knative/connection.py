"""Finds the cluster that the user means, and connects to it.

May live here: kubeconfig files, credentials, and the words for what is wrong with them. May not: requests (`api`).
The library `kubernetes` is loaded here and nowhere else in this package; of it, who we are and how to prove it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from toolkit.engines.knative.api import Api, Lines, Unreachable
from toolkit.errors import EngineError

DEFAULT = Path.home() / ".kube" / "config"
IN_CLUSTER = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
CONNECT_TRIES = 3
CONNECT_WITHIN_S = 5.0
UNAUTHORIZED = 401
_AUTH = ["BearerToken"]
_NAME = "toolkit"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster is meant: what `--kubeconfig` and `--context` say, None: what kubectl would take."""

    kubeconfig: Path | None = None
    context: str | None = None


@contextlib.asynccontextmanager
async def connect(cluster: Cluster) -> AsyncIterator[Api]:
    """An API server that answered. Raises EngineError, with the reason and what to try, when there is none."""
    try:
        import aiohttp
        from kubernetes.aio import client, config
    except ImportError as error:
        raise EngineError(
            f"the engine knative needs Python packages that are not here: {error}",
            next_step="pip install 'kn-bench[knative]'",
        ) from error
    configuration = client.Configuration()
    files = _files(cluster)
    await _load(config, configuration, files, cluster.context)
    try:
        api_client = client.ApiClient(configuration)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise EngineError(
            f"the certificates of the kubeconfig {_shown(files)} cannot be used: {error}", next_step=_LOOK_AT_CONFIG
        ) from error
    api_client.user_agent = _NAME
    connector = aiohttp.TCPConnector(ssl=api_client.rest_client.ssl_context, limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**21) as session:
        renew = partial(_load, config, configuration, files, cluster.context)
        api = Api(_Http(session, api_client, renew))
        await _greet(api, configuration)
        yield api


async def _greet(api: Api, configuration: Any) -> None:
    """Asks for something that everybody may see who is somebody."""
    answer = await api.ask("GET", "/apis", tries=CONNECT_TRIES)
    if answer.code in (401, 403):
        who = "as nobody (the kubeconfig gave no credentials)" if not _has_credentials(configuration) else "as you"
        raise EngineError(
            f"{api.server} does not know you: {answer.message or 'unauthorized'} ({answer.code}), asked {who}",
            next_step="sign in to the cluster again (a token may have expired), and see that 'kubectl get ns' works",
        )
    if answer.code != 200:
        raise EngineError(
            f"{api.server} is no Kubernetes API server: it answered {answer.code}", next_step=_LOOK_AT_CONFIG
        )


def _has_credentials(configuration: Any) -> bool:
    return bool(configuration.api_key or configuration.cert_file)


async def _load(config: Any, configuration: Any, files: Sequence[Path], context: str | None) -> None:
    """Fills `configuration`. The loader trips over a bad file in a dozen ways, and only logs that a plugin failed."""
    text = os.pathsep.join(map(str, files))
    with _complaints() as complaints:
        try:
            if files:
                await config.load_kube_config(text, context, configuration, persist_config=False)
            else:
                config.load_incluster_config(configuration)
        except (config.ConfigException, OSError, UnicodeError, yaml.YAMLError) as error:
            raise EngineError(
                f"the kubeconfig {_shown(files)} cannot be used: {_why(error)}", next_step=_contexts(files, context)
            ) from error
        except (TypeError, ValueError, AttributeError, KeyError, LookupError) as error:
            raise EngineError(
                f"{_shown(files)} is no kubeconfig with clusters, users and contexts", next_step=_LOOK_AT_CONFIG
            ) from error
    if complaints and not _has_credentials(configuration):
        raise EngineError(
            f"the kubeconfig {_shown(files)} gave no credentials: {complaints[0]}", next_step=_LOOK_AT_CONFIG
        )


def _contexts(files: Sequence[Path], asked: str | None) -> str:
    """The contexts there are, for who asked for one."""
    names: list[str] = []
    for file in files if asked is not None else ():
        with contextlib.suppress(OSError, UnicodeError, yaml.YAMLError, AttributeError, KeyError, TypeError):
            names += [str(each["name"]) for each in yaml.safe_load(file.read_text())["contexts"]]
    if not names or asked in names:
        return _LOOK_AT_CONFIG
    near = difflib.get_close_matches(asked or "", names, n=1)
    return f"its contexts are {', '.join(names)}" + (f" — did you mean '{near[0]}'?" if near else "")


def _files(cluster: Cluster, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The kubeconfig files that are there; none: we are in a pod. Raises EngineError when there is nothing to go by."""
    if cluster.kubeconfig is not None:
        named, origin = [cluster.kubeconfig], "--kubeconfig"
    elif text := environment.get("KUBECONFIG"):
        named, origin = [Path(each).expanduser() for each in text.split(os.pathsep) if each], "$KUBECONFIG"
    elif not DEFAULT.exists() and all(environment.get(each) for each in IN_CLUSTER):
        return []
    else:
        named, origin = [DEFAULT], "~/.kube/config"
    found = [each for each in named if each.is_file()]
    if not found:
        raise EngineError(
            f"there is no kubeconfig: {origin} names {', '.join(map(str, named)) or 'nothing'}, which is no file",
            next_step="name one with --kubeconfig or $KUBECONFIG; or run on this machine with --engine local",
        )
    return found


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the loader logs meanwhile, in place of what it would have raised."""
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("kubernetes.aio.config")
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


class _Http:
    """`api.Wire` over aiohttp. `renew` reads the credentials again: a token may be shorter-lived than a run."""

    def __init__(self, session: Any, client: Any, renew: Callable[[], Awaitable[None]]) -> None:
        self._session, self._client, self._renew = session, client, renew

    @property
    def server(self) -> str:
        return str(self._client.configuration.host)

    async def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], within_s: float
    ) -> tuple[int, bytes, Mapping[str, str]]:
        async with self._request(method, path, body, headers, {"total": within_s}) as response:
            if response.status != UNAUTHORIZED:
                return response.status, await response.read(), response.headers
        await self._renew()
        async with self._request(method, path, body, headers, {"total": within_s}) as response:
            return response.status, await response.read(), response.headers

    @contextlib.asynccontextmanager
    async def lines(self, path: str, silent_s: float | None) -> AsyncIterator[Lines]:
        headers = {"Accept": "application/json, */*"}
        async with self._request("GET", path, None, headers, {"total": None, "sock_read": silent_s}) as response:
            yield _Lines(response)

    @contextlib.asynccontextmanager
    async def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], limits: Mapping[str, Any]
    ) -> AsyncIterator[Any]:
        import aiohttp

        _, url, sent, *_ = await self._client.param_serialize(
            method, path, header_params=dict(headers), auth_settings=_AUTH
        )
        configuration = self._client.configuration
        extra = {"server_hostname": configuration.tls_server_name} if configuration.tls_server_name else {}
        if configuration.proxy:
            extra["proxy"] = configuration.proxy
        timeout = aiohttp.ClientTimeout(**limits, sock_connect=CONNECT_WITHIN_S)
        try:
            async with self._session.request(method, url, data=body, headers=sent, timeout=timeout, **extra) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            raise Unreachable(f"{self.server} does not answer: {_why(error)}", next_step=_hint(error)) from error


class _Lines:
    def __init__(self, response: Any) -> None:
        self._response = response
        self.code = int(response.status)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Of any length: a watch sends whole objects on one line."""
        rest = b""
        async for chunk in self._response.content.iter_any():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line
        if rest:
            yield rest


def _hint(error: BaseException) -> str:
    if isinstance(_root(error), ssl.SSLError):
        return "the kubeconfig's certificate-authority is not the one of this cluster: fetch a new kubeconfig"
    return "see that the cluster runs and that 'kubectl get ns' works; another one is named with --context"


def _why(error: BaseException) -> str:
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {root.verify_message}"
    if isinstance(root, TimeoutError):
        return "it took too long"
    if isinstance(root, OSError) and root.errno and not isinstance(root, socket.gaierror):
        return os.strerror(root.errno).lower()
    return str(root).replace("\n", " ").strip() or type(root).__name__


def _root(error: BaseException) -> BaseException:
    """What the HTTP library wraps."""
    return getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error


def _shown(files: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, files)) or "of this pod"


_LOOK_AT_CONFIG = "see that 'kubectl get ns' works with it; another one is named with --kubeconfig, --context"
