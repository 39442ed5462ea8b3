"""Tokens as RFC 7519 has them, signed with HS256 (RFC 7515, appendix A.1), and whoever checks them.

Each token is made good or bad on purpose, so what the check must say of it is known before it is checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

KEY = b"a key that everybody may know"
NOW = 1_700_000_000  # seconds; a token's time is its own, so that an input is always the same
HEADER = {"alg": "HS256", "typ": "JWT"}


def verdict(token: str, key: bytes, now: int) -> str:
    """`allow SUBJECT`, or `deny: ` and why."""
    try:
        header, claims, signature = token.split(".")
        algorithm = _read(header)["alg"]
        wanted = hmac.digest(key, f"{header}.{claims}".encode(), hashlib.sha256)
        if algorithm != "HS256" or not hmac.compare_digest(_bytes(signature), wanted):
            return "deny: not signed"
        said = _read(claims)
        return f"allow {said['sub']}" if now < said["exp"] else "deny: expired"
    except (ValueError, KeyError, TypeError, binascii.Error):
        return "deny: no token"


def generate_input(seed: int, size: int) -> list[str]:
    """`size` tokens, of which some deserve to be let in."""
    return [token for token, _ in _drawn(seed, size)]


def validate_output(answer: str, seed: int, size: int) -> str | None:
    """Compares with what each token was made to be."""
    got = answer.split("\n")
    if len(got) != size:
        return f"{len(got)} verdicts on {size} tokens"
    for at, (_, wanted) in enumerate(_drawn(seed, size)):
        if got[at] != wanted:
            return f"token {at}: {got[at][:80]!r}, not {wanted!r}"
    return None


def signed(claims: Mapping[str, Any], key: bytes = KEY, header: Mapping[str, Any] = HEADER) -> str:
    told = f"{_told(header)}.{_told(claims)}"
    return f"{told}.{_text(hmac.digest(key, told.encode(), hashlib.sha256))}"


def _drawn(seed: int, size: int) -> list[tuple[str, str]]:
    draw = random.Random(f"auth/{seed}")
    return [draw.choice(_KINDS)(draw, f"user-{draw.randrange(10_000)}") for _ in range(size)]


def _good(draw: random.Random, user: str) -> tuple[str, str]:
    return signed({"sub": user, "exp": NOW + draw.randrange(1, 3600)}), f"allow {user}"


def _late(draw: random.Random, user: str) -> tuple[str, str]:
    return signed({"sub": user, "exp": NOW - draw.randrange(3600)}), "deny: expired"


def _strange(draw: random.Random, user: str) -> tuple[str, str]:
    return signed({"sub": user, "exp": NOW + 60}, key=draw.randbytes(32)), "deny: not signed"


def _changed(draw: random.Random, user: str) -> tuple[str, str]:
    header, _, signature = signed({"sub": user, "exp": NOW + 60}).split(".")
    return f"{header}.{_told({'sub': 'root', 'exp': NOW + 60})}.{signature}", "deny: not signed"


def _unsigned(draw: random.Random, user: str) -> tuple[str, str]:
    return f"{_told({'alg': 'none'})}.{_told({'sub': user, 'exp': NOW + 60})}.", "deny: not signed"


def _noise(draw: random.Random, user: str) -> tuple[str, str]:
    return _text(draw.randbytes(40)), "deny: no token"


_KINDS: tuple[Callable[[random.Random, str], tuple[str, str]], ...] = (
    *(_good, _good, _good),
    *(_late, _strange, _changed, _unsigned, _noise),
)


def _told(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(text: str) -> Any:
    return json.loads(_bytes(text))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
