"""The ledger: what has to be remembered between the messages of a call: its tasks, and the parts of its joins.

One small service over SQLite (`python -m toolkit.sdk.ledger`), and its client. `database` remembers, `service` speaks
HTTP, `frames` is how a head and its data travel. May live here: remembering. May not: what a handler sees of it
(`toolkit.sdk.tasks`, `toolkit.sdk.joins`), and any import beyond the standard library.
"""

from toolkit.sdk.ledger.client import LedgerClient, LedgerFailed
from toolkit.sdk.ledger.words import Begun, Ended, Ending, Part, Seat

__all__ = ["Begun", "Ended", "Ending", "LedgerClient", "LedgerFailed", "Part", "Seat"]
