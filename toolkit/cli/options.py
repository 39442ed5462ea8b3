"""Arguments that several commands share, and the types they are read with."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from toolkit.contract import units

Number = TypeVar("Number", int, float)
LONGEST_DOMAIN = 253 - 2 * 63 - len("..svc.")  # RFC 1035: the names of a Service and of a namespace stand before it
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


def chain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("chain", metavar="CHAIN", help="a catalogue name, a folder, or a path to a chain.yaml")


def parameters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=setting,
        help="set a parameter of the chain (repeatable); 'toolkit describe CHAIN' lists them",
    )
    parser.add_argument("--payload", metavar="SIZE", help="short for --set payload=SIZE, for example 4KiB")


def output(parser: argparse.ArgumentParser, *choices: str) -> None:
    parser.add_argument("-o", "--output", choices=choices, default=choices[0], help="the form of what is printed")


def cluster_domain(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--cluster-domain",
        type=domain,
        metavar="NAME",
        help="what the cluster's own names end in, behind 'svc' (default: cluster.local)",
    )


def overrides(options: argparse.Namespace) -> dict[str, str]:
    """What `--set` and `--payload` ask for; the last word on a parameter counts."""
    found = dict(options.set)
    if options.payload is not None:
        found["payload"] = options.payload
    return found


def setting(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair; the value may be empty and may hold further '='."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def web_address(text: str) -> str:
    """`http(s)://HOST[:PORT][/PATH]`."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and text.isprintable() and " " not in text
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is not http(s)://HOST[:PORT], for example http://localhost:9411")
    return text


def domain(text: str) -> str:
    """What a cluster's names end in, behind `svc`: `cluster.local`."""
    if text.startswith("svc."):
        raise argparse.ArgumentTypeError(f"{text[:100]!r}: name it without 'svc.', such as cluster.local")
    if len(text) > LONGEST_DOMAIN or not re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text):
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is no domain, such as cluster.local")
    return text


def namespace(text: str) -> str:
    """A DNS label, as Kubernetes wants a namespace's name."""
    if not re.fullmatch(_LABEL, text):
        raise argparse.ArgumentTypeError(f"{text[:100]!r} is no name of a namespace, such as kn-bench")
    return text


def count(text: str) -> int:
    return _number(text, int, lambda value: value >= 1, "a whole number of at least 1")


def positive(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < float("inf"), "a number above 0")


def fraction(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def share(text: str) -> float:
    """`5%` or `0.05`, above nothing and below all."""
    number = text.removesuffix("%")
    wanted = "a share such as 5% or 0.05"
    value = _number(number, float, lambda value: value > 0, wanted) / (100 if number != text else 1)
    if not value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def port(text: str) -> int:
    return _number(text, int, lambda value: 0 < value < 1 << 16, "a port, 1 to 65,535")


def seconds(text: str) -> float:
    try:
        value = units.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not longer than nothing")
    return value


def _number(text: str, kind: Callable[[str], Number], good: Callable[[Number], bool], wanted: str) -> Number:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None
    if not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as left-aligned columns, two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
