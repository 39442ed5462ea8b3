"""The processes of a local deployment that are no functions: the trace store, the broker, the ledger.

May live here: how each is started, and the port it listens on. May not: when; that is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from toolkit.contract import BROKER, LEDGER, LEDGER_TOKEN, TRACE_STORE
from toolkit.engines.local import layout as layouts
from toolkit.engines.local.broker.config import encode
from toolkit.engines.local.layout import LOOPBACK, PYTHON, Layout
from toolkit.engines.local.process import Command
from toolkit.plan import Plan


def commands(plan: Plan, layout: Layout, folder: Path) -> Iterator[tuple[Command, int]]:
    """Each with its port. What they are told, and what has to survive a crash of theirs, lies in `folder`."""
    if layout.store is not None:
        listen = f"{LOOPBACK}:{layout.store}"
        store = ("toolkit.engines.tracestore", "--listen", listen, "--follow-stdin")
        yield Command(TRACE_STORE, (*PYTHON, *store)), layout.store
    if layout.broker is not None and (service := layouts.broker_service(plan, layout)) is not None:
        file = folder / "broker.json"
        file.write_text(encode(service))
        yield Command(BROKER, (*PYTHON, "toolkit.engines.local.broker", "--config", str(file))), layout.broker
    if layout.ledger is not None:
        where = ("--listen", f"{LOOPBACK}:{layout.ledger}", "--database", str(folder / "ledger.sqlite"))
        arguments, told = (*PYTHON, "toolkit.sdk.ledger", *where, "--follow-stdin"), {LEDGER_TOKEN: layout.token}
        yield Command(LEDGER, arguments, told), layout.ledger
