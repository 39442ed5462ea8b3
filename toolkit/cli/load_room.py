"""Room for the connections of `toolkit load`: as many as its workers need, and as the system lets a process open."""

from __future__ import annotations

import argparse
import resource

from toolkit.cli.output import note
from toolkit.errors import UsageError
from toolkit.load.share import MOST_CONNECTIONS

OTHER_FILES = 100  # that a process has open beside its connections


def see_that_workers_have_connections(options: argparse.Namespace) -> None:
    """A closed loop's worker that waits for a connection would be slow, and nobody would know why."""
    workers, generators = getattr(options, "concurrency", None) or 0, getattr(options, "generators", 1)
    if options.connections is None and workers > MOST_CONNECTIONS * generators:
        enough = -(-workers // MOST_CONNECTIONS)
        raise UsageError(
            f"--concurrency {workers}: over HTTP/1.1 each needs a connection; a generator opens {MOST_CONNECTIONS:,}",
            next_step=f"share them with --generators {enough}, or let them wait for each other with --connections N",
        )


def open_files(connections: int) -> None:
    """Lets this process, and those that it starts, open as many; says so where the system does not allow it."""
    wanted = min(connections, MOST_CONNECTIONS) + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        room = max(1, most - OTHER_FILES)
        note(f"a process may open {most:,} files here: from about {room:,} connections on calls wait (ulimit -Hn)")
