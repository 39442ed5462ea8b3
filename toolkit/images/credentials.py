"""What `docker login` left behind: who we are to a registry. Reads, never writes; no secret is ever printed.

The format is https://docs.docker.com/reference/cli/docker/login/'s `config.json`: `auths`, `credHelpers`, `credsStore`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.images.model import ImageError
from toolkit.images.store import home

_DOCKER_HUB = "https://index.docker.io/v1/"  # under which `docker login` keeps docker.io
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_HELPER_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password, or a refresh token (`identity`) in place of both."""

    user: str
    password: str = field(repr=False)
    identity: str | None = field(default=None, repr=False)

    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def of(registry: str) -> Login | None:
    """The login to `registry` (host and port), None when there is none. Raises ImageError for a file we cannot read."""
    chosen, own = os.environ.get("DOCKER_CONFIG"), home()
    if not chosen and own is None:
        return None
    path = Path(chosen or f"{own}/.docker") / "config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read: {error}", next_step="correct it, or `docker login` again") from error
    if not isinstance(found, dict):
        raise ImageError(f"{path} holds no JSON object", next_step="correct it, or `docker login` again")
    return _of_helper(found, registry) or _of_file(found, registry)


def _of_helper(config: dict[str, Any], registry: str) -> Login | None:
    helper = _mapping(config, "credHelpers").get(registry) or config.get("credsStore")
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
        return None
    command = (f"docker-credential-{helper}", "get")
    for key in _keys(registry):
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the user's own configuration names the program
                command, input=key, capture_output=True, text=True, timeout=_HELPER_PATIENCE_S, check=False
            )
            told = json.loads(done.stdout) if done.returncode == 0 else {}
        except FileNotFoundError:
            return None
        except (ValueError, OSError, subprocess.TimeoutExpired) as error:
            raise ImageError(f"{command[0]} did not say who we are to {registry}: {type(error).__name__}") from error
        if isinstance(told, dict) and told.get("Secret"):
            return _login(str(told.get("Username", "")), str(told["Secret"]))
    return None


def _of_file(config: dict[str, Any], registry: str) -> Login | None:
    for key in _keys(registry):
        entry = _mapping(_mapping(config, "auths"), key)
        if token := entry.get("identitytoken"):
            return Login("<token>", "", str(token))
        if entry.get("username") and entry.get("password"):
            return Login(str(entry["username"]), str(entry["password"]))
        if (login := _decoded(entry.get("auth"))) is not None:
            return login
    return None


def _keys(registry: str) -> tuple[str, ...]:
    if registry == "docker.io":
        return (_DOCKER_HUB, "docker.io")
    return (registry, f"https://{registry}", f"http://{registry}", f"https://{registry}/v1/", f"https://{registry}/v2/")


def _decoded(auth: object) -> Login | None:
    try:
        user, colon, password = base64.b64decode(str(auth or ""), validate=True).decode().partition(":")
    except ValueError:
        return None
    return Login(user, password.rstrip("\0")) if colon else None


def _login(user: str, secret: str) -> Login:
    return Login(user, "", secret) if user == "<token>" else Login(user, secret)


def _mapping(config: dict[str, Any], key: str) -> dict[str, Any]:
    found = config.get(key)
    return found if isinstance(found, dict) else {}
