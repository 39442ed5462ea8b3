"""`toolkit watch [CHAIN|RUN|URL]`: follows the tasks of what runs, on this machine or a cluster, until all are done."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING

from toolkit.cli import engines
from toolkit.cli import options as arguments
from toolkit.cli.output import note, say
from toolkit.errors import EngineError, Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from toolkit.report.tasks import Board
    from toolkit.results import TaskRecord
    from toolkit.sdk.ledger import LedgerClient, LedgerFailed

LOOK_S = 0.25
COMES_WITHIN_S = 10.0  # what is just being started
QUIET_S = 1.0  # with no task left, and none new
PATIENCE_S = 1.0  # with a ledger that does not answer: it may be starting again, or gone for good


def configure(parser: argparse.ArgumentParser) -> None:
    what = "a chain or a run that runs on this machine, or a ledger's URL (default: what began last)"
    parser.add_argument("chain", metavar="CHAIN|RUN|URL", nargs="?", help=what)
    parser.add_argument("--engine", choices=("local", "knative"), default="local", help="where it runs")
    parser.add_argument("--tree", action="store_true", help="at the end, show which task spawned which")
    parser.add_argument("--cancel", metavar="CALL", help="cancel the tasks of this call (its id, or how it begins)")
    engines.cluster(parser)
    arguments.output(parser, "text", "json")


def execute(options: argparse.Namespace) -> int:
    from toolkit.cli import running

    if options.engine == "knative" and options.chain is None:
        raise UsageError("which chain?", next_step="toolkit watch CHAIN --engine knative")
    board, stopped = running.interruptible(lambda stop: _watch(options, stop))
    if stopped:
        return Exit.INTERRUPTED
    return Exit.CHECK if board.count("failed") else Exit.OK


async def _watch(options: argparse.Namespace, stop: asyncio.Event) -> tuple[Board, bool]:
    from toolkit.report.tasks import Board, tree
    from toolkit.run import unless

    board = Board()
    async with _ledger(options) as client:
        if options.cancel is not None:
            await _cancel(client, board, options.cancel)
        await unless(stop, _follow(client, board, options))
    if options.output == "text" and options.tree:
        for line in tree(list(board.tasks.values())):
            say(line)
    return board, stop.is_set()


async def _follow(client: LedgerClient, board: Board, options: argparse.Namespace) -> None:
    """Returns once no task is left and none comes for a while, or the ledger is gone."""
    from toolkit.sdk.ledger import LedgerFailed

    clock = asyncio.get_running_loop().time
    since, changed_at, told = 0, clock(), list[str]()
    while clock() - changed_at < QUIET_S or board.left or not board.tasks:
        try:
            changed, since = await _changes(client, since)
        except LedgerFailed as failed:
            if board.tasks and failed.code == "UNAVAILABLE":
                note("the ledger is gone, and its run with it" if board.left else "all done; the ledger is gone")
                return
            raise _told(failed) from failed
        board.see(changed, clock())
        changed_at = clock() if changed else changed_at
        told = _tell(board, changed, told, options.output)
        await asyncio.sleep(LOOK_S)


def _told(failed: LedgerFailed) -> EngineError:
    from toolkit.report.characters import printable

    return EngineError(printable(failed.details), next_step="see whether the run is still there, and the URL is right")


def _tell(board: Board, changed: list[TaskRecord], told: list[str], form: str) -> list[str]:
    """What was told last."""
    if form == "json":
        for task in changed:
            say(json.dumps(dataclasses.asdict(task)))
        return told
    if changed and (lines := board.lines()) != told:
        say(" │ ".join(lines))
        return lines
    return told


async def _changes(client: LedgerClient, since: int) -> tuple[list[TaskRecord], int]:
    """Everything that changed, and how far that was."""
    from toolkit.engines.tasks import record

    found: list[TaskRecord] = []
    while page := await client.changes(since):
        since = page[-1]["version"]
        found += map(record, page)
    return found, since


async def _cancel(client: LedgerClient, board: Board, beginning: str) -> None:
    from toolkit.report.characters import printable
    from toolkit.sdk.ledger import LedgerFailed

    try:
        changed, _ = await _changes(client, 0)
    except LedgerFailed as failed:
        raise _told(failed) from failed
    board.see(changed, asyncio.get_running_loop().time())
    calls = board.calls(beginning)
    if len(calls) != 1:
        which = ", ".join(printable(each[:12]) for each in calls[:5]) or "none"
        raise UsageError(f"--cancel {beginning!r}: calls that begin so: {which}", next_step="name one of them")
    try:
        count = await client.cancel(calls[0])
    except LedgerFailed as failed:
        raise _told(failed) from failed
    note(f"call {printable(calls[0][:12])}: {count:,} task{'' if count == 1 else 's'} cancelled; what runs may end")


@contextlib.asynccontextmanager
async def _ledger(options: argparse.Namespace) -> AsyncIterator[LedgerClient]:
    """A client of the ledger that is meant. Raises EngineError when there is none."""
    from toolkit.sdk.ledger import LedgerClient

    if options.engine == "knative":
        from toolkit.engines.knative import spans, standing
        from toolkit.engines.knative.connection import connect
        from toolkit.engines.knative.deployment import ledger_path

        chain, namespace = engines.chain_and_namespace(options)
        async with connect(engines.which_cluster(options)) as api:
            found = await standing.the_one(api, chain, namespace)
            path = ledger_path(namespace, standing.ledger_token(found))
            yield LedgerClient(path, patience_s=PATIENCE_S, carrier=spans.Proxied(api.wire))
        return
    client = LedgerClient(await _here(options.chain), patience_s=PATIENCE_S)
    try:
        yield client
    finally:
        await client.close()


async def _here(asked: str | None) -> str:
    """The URL of a ledger on this machine."""
    from toolkit.engines.local.announcing import announced
    from toolkit.engines.waiting import until
    from toolkit.report.characters import printable

    if asked is not None and asked.startswith(("http://", "https://")):
        try:
            return arguments.web_address(asked)
        except argparse.ArgumentTypeError as error:
            raise UsageError(printable(str(error)), next_step="toolkit watch http://127.0.0.1:PORT/TOKEN") from error

    def fitting() -> list[str]:
        return [each.ledger for each in announced() if asked in (None, each.chain, each.run)]

    async def there() -> bool:
        return bool(fitting())

    if not await until(there, within_s=COMES_WITHIN_S, every_s=0.1):
        raise EngineError(
            f"nothing with tasks {'' if asked is None else f'called {asked!r} '}runs on this machine",
            next_step="start it in another terminal: toolkit run counter --set limit=1000 --requests 8 --concurrency 2",
        )
    return fitting()[0]
