"""What Zipkin keeps of a span as it was sent: the rules of its v2 JSON reader, from JSON value to JSON value.

May live here: validation and normal form of one span. The rules are those of a Zipkin 3.6 server, observed on one and
read from `zipkin2.Span`, `Endpoint` and `V2SpanReader`; the differential tests in `tests/zipkin` hold them together.
Where we are stricter on purpose: an all-zero span id of fewer than 16 digits is refused (Zipkin pads it and keeps it),
and an IPv4 address with leading zeros, which means different things to different readers, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

KINDS = frozenset({"CLIENT", "SERVER", "PRODUCER", "CONSUMER"})
_HEX = re.compile("[0-9a-f]+").fullmatch
_LONG = 1 << 63
_ZERO = "0" * 16
_SHOWN = 40  # characters of a refused value that are repeated in the reason


class Refused(ValueError):
    """One span is not one; the text says which field and why, and never repeats more than a few characters of it."""


def normal(raw: object) -> dict[str, Any]:
    """The span as Zipkin would store and print it: known keys only, in its order; ids padded, names in lower case.

    Raises Refused. What is absent, null or empty is left out.
    """
    if not isinstance(raw, dict):
        raise Refused(f"a span is a JSON object, not {_type(raw)}")
    if "binaryAnnotations" in raw:
        raise Refused("this is a span of Zipkin v1; v2 has tags instead of binaryAnnotations")
    kept: dict[str, Any] = {"traceId": trace_id(raw.get("traceId"))}
    span = _span_id("id", raw.get("id"))
    parent = None if raw.get("parentId") is None else _hex16("parentId", raw["parentId"])
    if parent not in (None, _ZERO, span):  # zero is no parent, and a span that is its own is a root, as in Zipkin
        kept["parentId"] = parent
    kept["id"] = span
    for key, read in _OPTIONAL:
        if (value := raw.get(key)) is not None and (found := read(key, value)):
            kept[key] = found
    if kept.get("kind") == "CLIENT":
        kept.pop("shared", None)  # sharing is the server's side; Zipkin drops the flag here
    return kept


def trace_id(value: object) -> str:
    """16 or 32 lower-case hex digits, padded; the upper half is dropped when it is all zeros. Raises Refused."""
    text = _text("traceId", value)
    if not text:
        raise Refused("traceId is empty")
    if len(text) > 32:
        raise Refused("traceId has more than 32 digits")
    if not _HEX(text):
        raise Refused(f"traceId {_shown(text)} is not lower-case hex")
    padded = text.rjust(16 if len(text) <= 16 else 32, "0")
    if not padded.strip("0"):
        raise Refused("traceId is all zeros")
    return padded[16:] if len(padded) == 32 and padded.startswith("0" * 16) else padded


def _span_id(key: str, value: object) -> str:
    if (padded := _hex16(key, value)) == _ZERO:
        raise Refused(f"{key} is all zeros")
    return padded


def _hex16(key: str, value: object) -> str:
    text = _text(key, value)
    if not text:
        raise Refused(f"{key} is empty")
    if len(text) > 16:
        raise Refused(f"{key} has more than 16 digits")
    if not _HEX(text):
        raise Refused(f"{key} {_shown(text)} is not lower-case hex")
    return text if len(text) == 16 else text.rjust(16, "0")


def _text(key: str, value: object) -> str:
    """A number stands for its text, as in Zipkin's reader; nothing else does."""
    if type(value) is str:
        return value
    if value is None:
        raise Refused(f"{key} is missing")
    if type(value) is int:
        return str(value)
    raise Refused(f"{key} must be a string, not {_type(value)}")


def _lower(key: str, value: object) -> str:
    return _text(key, value).lower()


def _long(key: str, value: object) -> int:
    """A 64-bit integer, also as text; negative means absent (0)."""
    number = value if type(value) is int else _long_text(key, value)
    if number >= _LONG:
        raise Refused(f"{key} does not fit in 64 bits")
    return max(number, 0)


def _long_text(key: str, value: object) -> int:
    if type(value) is not str or len(value) > 25 or not value.isascii():
        raise Refused(f"{key} must be an integer, not {_type(value)}")
    try:
        number = float(value) if {"e", "E", "."} & set(value) else int(value)
    except ValueError:
        raise Refused(f"{key} {_shown(value)} is not an integer") from None
    if abs(number) >= _LONG or number != int(number):
        raise Refused(f"{key} {_shown(value)} is not a 64-bit integer")
    return int(number)


def _kind(key: str, value: object) -> str:
    text = _text(key, value)
    if text not in KINDS:
        raise Refused(f"{key} {_shown(text)} is none of CLIENT, SERVER, PRODUCER, CONSUMER")
    return text


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Refused(f"{key} must be true or false, not {_type(value)}")
    return value


def _endpoint(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"{key} must be an object, not {_type(value)}")
    kept: dict[str, Any] = {}
    if (service := value.get("serviceName")) is not None and (name := _lower(f"{key}.serviceName", service)):
        kept["serviceName"] = name
    for given in ("ipv4", "ipv6"):
        if (text := value.get(given)) is not None:
            kept.update(_address(_text(f"{key}.{given}", text)))
    if (given_port := value.get("port")) is not None:
        port = _long(f"{key}.port", given_port)
        if port > 0xFFFF:
            raise Refused(f"{key}.port {port} is not a port")
        if port:
            kept["port"] = port
    return kept


@lru_cache(maxsize=1024)
def _address(text: str) -> dict[str, str]:
    """`{"ipv4": ...}` or `{"ipv6": ...}`; {} when it is no address, which Zipkin ignores too."""
    try:
        address = ip_address(text)
    except ValueError:
        return {}
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return {"ipv4": str(mapped)} if mapped else {"ipv6": str(address)}
    return {"ipv4": str(address)}


def _annotations(key: str, value: object) -> list[dict[str, Any]]:
    """In order of time and text, each once."""
    if not isinstance(value, list):
        raise Refused(f"{key} must be a list, not {_type(value)}")
    pairs = {_annotation(f"{key}[{index}]", each) for index, each in enumerate(value)}
    return [{"timestamp": timestamp, "value": text} for timestamp, text in sorted(pairs)]


def _annotation(key: str, value: object) -> tuple[int, str]:
    if not isinstance(value, dict):
        raise Refused(f"{key} must be an object, not {_type(value)}")
    timestamp = value.get("timestamp")
    if timestamp is None:
        raise Refused(f"{key}.timestamp is missing")
    number = timestamp if type(timestamp) is int else _long_text(f"{key}.timestamp", timestamp)
    if abs(number) >= _LONG:
        raise Refused(f"{key}.timestamp does not fit in 64 bits")
    return number, _text(f"{key}.value", value.get("value"))


def _tags(key: str, value: object) -> dict[str, str]:
    """In order of their names."""
    if not isinstance(value, dict):
        raise Refused(f"{key} must be an object, not {_type(value)}")
    return {name: text if type(text := value[name]) is str else _text(f"a tag's value ({_shown(name)})", text)
            for name in sorted(value)}  # fmt: skip


_OPTIONAL: tuple[tuple[str, Callable[[str, object], Any]], ...] = (
    ("kind", _kind),
    ("name", _lower),
    ("timestamp", _long),
    ("duration", _long),
    ("localEndpoint", _endpoint),
    ("remoteEndpoint", _endpoint),
    ("annotations", _annotations),
    ("tags", _tags),
    ("debug", _flag),
    ("shared", _flag),
)


def _shown(text: str) -> str:
    """A few characters of what was sent, escaped, so that a reason can be logged or printed as it is."""
    cut = text[:_SHOWN] + ("…" if len(text) > _SHOWN else "")
    return ascii(cut).replace("<", "\\x3c").replace("\\u2026", "...")


def _type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
