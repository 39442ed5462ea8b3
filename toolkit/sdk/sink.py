"""Where events go: POST to `$K_SINK`, as SinkBinding wires it.

May live here: the request and what its failure means. May not: what an event says (`toolkit.sdk.handling`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import contract
from toolkit.sdk.failures import EmitFailed, NoSink, WiringError
from toolkit.sdk.http1 import Client, split_url

if TYPE_CHECKING:
    import ssl

OIDC_TOKEN = Path("/oidc/token")  # mounted when the broker wants to know who sends; it rotates, so it is read each time
NAME = re.compile("[a-z0-9]+")
MAX_REASON = 300  # characters of a refusal that are worth repeating

Headers = tuple[tuple[bytes, bytes], ...]


class Sink:
    """Sends events to one URL. `overrides` are the extensions that `K_CE_OVERRIDES` asks for."""

    def __init__(self, url: str | None, overrides: Mapping[str, str], client: Client | None = None) -> None:
        self.url, self.overrides = url, overrides
        self._client = client or Client()
        self._authenticated = OIDC_TOKEN.exists()

    @staticmethod
    def of(environment: Mapping[str, str], wired: str | None = None) -> Sink:
        """The sink of the environment; raises WiringError, naming the variable, when it makes no sense.

        `wired` is the one of a wiring that was made for a place where nothing sets the environment.
        """
        url = environment.get(contract.K_SINK) or wired
        try:
            if url is not None:
                split_url(url)
        except ValueError as error:
            raise WiringError(f"{contract.K_SINK}: {error}") from error
        try:
            overrides = contract.overrides(environment.get(contract.K_CE_OVERRIDES))
        except (ValueError, AttributeError) as error:
            wanted = '{"extensions": {"name": "value"}}'
            raise WiringError(f"{contract.K_CE_OVERRIDES}: {error}; expected {wanted}") from error
        if bad := [name for name in overrides if not NAME.fullmatch(name)]:
            raise WiringError(f"{contract.K_CE_OVERRIDES}: {bad[0]!r} is no attribute name: only a-z and 0-9")
        return Sink(url, overrides, Client(tls=_trust(environment.get(contract.K_CA_CERTS))))

    async def post(self, headers: Headers, body: bytes, timeout_s: float) -> int:
        """The status with which the sink took the event (2xx). One try: sending again is the caller's to say."""
        if self.url is None:
            raise NoSink(
                f"${contract.K_SINK} is not set, so there is nowhere to send events: "
                "bind the function to a broker (on Knative, a SinkBinding)"
            )
        if self._authenticated:
            with contextlib.suppress(OSError):
                headers = (*headers, (b"Authorization", b"Bearer " + _token()))
        try:
            response = await self._client.request("POST", self.url, headers, body, timeout_s=timeout_s)
        except TimeoutError:
            raise EmitFailed(self.url, None, f"no answer within {timeout_s:.1f} s") from None
        except ConnectionError as error:
            raise EmitFailed(self.url, None, str(error)) from error
        if not 200 <= response.status < 300:
            reason = response.body[: MAX_REASON * 4].decode("utf-8", "replace").strip()[:MAX_REASON]
            raise EmitFailed(self.url, response.status, reason)
        return response.status

    async def close(self) -> None:
        await self._client.close()


def _token() -> bytes:
    return OIDC_TOKEN.read_bytes().strip()


def _trust(certificates: str | None) -> ssl.SSLContext | None:
    if not certificates:
        return None
    import ssl

    try:
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=certificates)
    except (ssl.SSLError, ValueError) as error:
        raise WiringError(f"{contract.K_CA_CERTS}: not PEM certificates: {error}") from error
    return context
