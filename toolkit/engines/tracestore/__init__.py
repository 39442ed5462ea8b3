"""The embedded trace store: takes Zipkin v2 and OTLP spans, keeps them in bounds, and answers Zipkin's API.

`normal` is one span, `block` what is written together, `database` and `reading` the SQL, `store` accepts and finds
(with `search`, `query` and `forgetting`), `committing` and `readers` are its threads, `bodies` unpacks, `api`, `otlp`
and `dependencies` answer, `lens` shows pages, `server` listens, `__main__` is the process.
For those who analyse what a store has kept: `TraceFile.open(path)`, whose `traces()` yields one trace after the other,
also while the store is running.
"""

from toolkit.engines.tracestore.server import TraceStore, address, own_process, serve
from toolkit.engines.tracestore.tracefile import TraceFile

__all__ = ["TraceFile", "TraceStore", "address", "own_process", "serve"]
