"""The embedded trace store: takes Zipkin v2 and OTLP spans, keeps them in bounds, and answers Zipkin's API.

`memory` keeps, `query` selects, `journal` is the file, `bodies` unpacks, `api` and `otlp` answer, `server` listens,
`__main__` is the process.
"""

from toolkit.engines.tracestore.server import TraceStore, address, serve

__all__ = ["TraceStore", "address", "serve"]
