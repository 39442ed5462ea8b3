"""vSwarm's list of functions as what `toolkit load` calls: its arguments, and the request they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from toolkit.cli import options as arguments
from toolkit.errors import UsageError
from toolkit.load.sendable import Sendable

PORT = 80  # vSwarm's invoker's
NOT_FOR = ("event", "data_json")  # arguments that say nothing here


def configure(parser: argparse.ArgumentParser, to: argparse._MutuallyExclusiveGroup) -> None:
    to.add_argument(
        "--endpoints", metavar="FILE", help="vSwarm's endpoints.json: its functions are called in turn (docs/vswarm.md)"
    )
    parser.add_argument(
        "--port", type=arguments.port, metavar="N", help=f"of endpoints that name none (default: {PORT})"
    )


def request(options: argparse.Namespace, message: bytes | None, headers: Sequence[tuple[bytes, bytes]]) -> Sendable:
    """Raises SpecError, with all that is wrong with the list, and UsageError."""
    from toolkit.load import endpoints
    from toolkit.load.direct import Request
    from toolkit.load.robin import Robin

    path = options.endpoints
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"--endpoints {path[:200]!a}: {getattr(error, 'strerror', None) or error}") from error
    targets = endpoints.read(data, path, options.port or PORT)
    said = endpoints.GREETING if message is None else message
    return Robin(tuple(Request(each, said, headers, options.authority) for each in targets))
