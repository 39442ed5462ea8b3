"""A small, exact HTTP/1.1 core: the hot path of the embedded broker and of every event consumer.

`serve` and `Client` on asyncio protocols; messages keep the raw target and the headers' bytes, case and order. May live
here: HTTP/1.1 itself. May not: CloudEvents, routing, retries, and any import beyond the standard library.
"""

from toolkit.sdk.http1.client import Address, Client, NotSentError, TruncatedError, UnansweredError, split_url
from toolkit.sdk.http1.message import MAX_BODY, Headers, MessageError, Request, Response
from toolkit.sdk.http1.server import Handler, Server, serve

__all__ = [
    "MAX_BODY",
    "Address",
    "Client",
    "Handler",
    "Headers",
    "MessageError",
    "NotSentError",
    "Request",
    "Response",
    "Server",
    "TruncatedError",
    "UnansweredError",
    "serve",
    "split_url",
]
