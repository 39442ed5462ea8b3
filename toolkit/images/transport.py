"""HTTP to a registry: one request at a time, with whatever authentication it asks for, tried again when it stumbles.

The protocol is https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md; tokens are
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from toolkit.images.credentials import Login
from toolkit.images.model import MANIFEST, ImageError, Opener

PATIENCE_S = 60.0  # for one read or write on the connection
WAITS_S: tuple[float, ...] = (0.5, 2.0)  # before the second and third try
_MOST_TOLD = 1 << 16  # bytes of an answer that are read
_STUMBLED = {429, 500, 502, 503, 504}
_CHALLENGE = re.compile(r'([a-zA-Z]+)="([^"]*)"')
_LOOPBACK = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like others: following one would hand our token to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the registry said: status, headers (names in lower case) and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def told(self) -> str:
        """Its own words, for a message."""
        try:
            first = json.loads(self.body)["errors"][0]
            return f"{self.status} {first['code']}: {first.get('message', '')}"[:500]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return f"{self.status} {http.client.responses.get(self.status, '')}".strip()


@dataclass
class Connection:
    """One repository of one registry. `plain` speaks HTTP without TLS."""

    registry: str
    repository: str
    plain: bool
    login: Login | None
    sleep: Callable[[float], None] = time.sleep
    _authorization: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        host = "registry-1.docker.io" if self.registry == "docker.io" else self.registry
        return f"{'http' if self.plain else 'https'}://{host}/v2/{self.repository}/"

    def request(
        self, method: str, url: str, body: Opener | None = None, length: int = 0, media_type: str | None = None
    ) -> Answer:
        """The answer to one request, whatever it is. Raises ImageError when there is none, or we may not.

        `url` may be relative to the repository. The body is opened anew for every try.
        """
        url = self._address(url)
        answer = self._tried(method, url, body, length, media_type)
        if answer.status == 401 and self._is_ours(url):  # who else asks does not get our password
            self._authorization = self._authorize(answer)
            answer = self._tried(method, url, body, length, media_type)
        if answer.status in (401, 403):
            who = f"as {self.login.user}" if self.login else "without a login"
            raise ImageError(
                f"{self.registry} refuses {method} {self.repository} {who}: {answer.told()}",
                next_step=f"`docker login {self.registry}` as somebody who may push there",
            )
        return answer

    def _tried(self, method: str, url: str, body: Opener | None, length: int, media_type: str | None) -> Answer:
        for wait_s in (*WAITS_S, None):
            try:
                answer = self._once(method, url, body, length, media_type)
            except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
                if wait_s is None or isinstance(getattr(error, "reason", None), ssl.SSLError):
                    raise self._unreachable(error) from error
            else:
                if wait_s is None or answer.status not in _STUMBLED:
                    return answer
            self.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, body: Opener | None, length: int, media_type: str | None) -> Answer:
        headers = {"User-Agent": "kn-bench", "Accept": f"{MANIFEST}, */*"}
        if self._authorization and self._is_ours(url):
            headers["Authorization"] = self._authorization
        if body is not None or method in ("POST", "PUT"):
            headers["Content-Length"] = str(length)
        if media_type is not None:
            headers["Content-Type"] = media_type
        with body() if body is not None else nullcontext(b"" if method in ("POST", "PUT") else None) as data:
            return self._send(urllib.request.Request(url, data=data, headers=headers, method=method))  # noqa: S310

    def _send(self, request: urllib.request.Request) -> Answer:
        # No proxy stands between us and our own machine, whatever the environment says of others.
        proxies = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(request.full_url).netloc) else []
        opener = urllib.request.build_opener(_NoRedirect, *proxies)
        try:
            with opener.open(request, timeout=PATIENCE_S) as found:
                return _answer(found.status, found.headers, found.read(_MOST_TOLD))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return _answer(refusal.code, refusal.headers, refusal.read(_MOST_TOLD))

    def _authorize(self, answer: Answer) -> str | None:
        """The header that the registry asks for (RFC 9110, 11.6.1)."""
        asked = answer.headers.get("www-authenticate", "")
        scheme = asked.partition(" ")[0].lower()
        if scheme == "basic" and self.login is not None:
            return self.login.basic()
        if scheme == "bearer":
            return f"Bearer {self._token(dict(_CHALLENGE.findall(asked)))}"
        return None

    def _token(self, asked: Mapping[str, str]) -> str:
        realm = asked.get("realm", "")
        if urlsplit(realm).scheme != "https" and not (self.plain and urlsplit(realm).scheme == "http"):
            raise ImageError(f"{self.registry} asks to be authorized by {realm!r}: no password is sent there")
        wanted = {"service": asked.get("service", ""), "scope": f"repository:{self.repository}:pull,push"}
        if self.login is not None and self.login.identity is not None:
            form = {
                **wanted,
                "grant_type": "refresh_token",
                "refresh_token": self.login.identity,
                "client_id": "kn-bench",
            }
            request = urllib.request.Request(realm, data=urlencode(form).encode(), method="POST")  # noqa: S310
        else:
            headers = {} if self.login is None else {"Authorization": self.login.basic()}
            mark = "&" if urlsplit(realm).query else "?"
            request = urllib.request.Request(f"{realm}{mark}{urlencode(wanted)}", headers=headers)  # noqa: S310
        return self._granted(request)

    def _granted(self, request: urllib.request.Request) -> str:
        try:
            answer = self._send(request)
            found = json.loads(answer.body) if answer.status == 200 else {}
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise self._unreachable(error) from error
        token = isinstance(found, dict) and (found.get("token") or found.get("access_token"))
        if not isinstance(token, str) or not token.isprintable():
            raise ImageError(
                f"{self.registry} gives no token to {self.login.user if self.login else 'strangers'}: {answer.told()}",
                next_step=f"`docker login {self.registry}`",
            )
        return token

    def _address(self, url: str) -> str:
        """The whole address of what the registry names, in words of its own or relative to the repository.

        Never from https down to http on the registry itself: some name their uploads so behind a proxy.
        """
        try:
            parts = urlsplit(urljoin(self.root, url))
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https"):
            raise ImageError(f"{self.registry} names {url[:200]!r} as the place of an upload: that is no web address")
        ours = parts.netloc == urlsplit(self.root).netloc
        return parts._replace(scheme=urlsplit(self.root).scheme).geturl() if ours else parts.geturl()

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.root).netloc

    def _unreachable(self, error: Exception) -> ImageError:
        why = getattr(error, "reason", None) or error
        step = "see that it is up and its name is right"
        if isinstance(why, ssl.SSLError):
            step = "name the certificate of who vouches for it in $SSL_CERT_FILE, or say --plain-http if it has no TLS"
        return ImageError(f"{self.registry} cannot be reached: {why}", next_step=step)


def is_loopback(registry: str) -> bool:
    return _LOOPBACK.fullmatch(registry) is not None


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status, {str(name).lower(): str(value) for name, value in headers.items()}, body)
