"""What comes back from a subscriber, before it is judged: its coding removed, its faults put into words.

May live here: pure rules of the way back (net/http's client, `broker/filter`'s answer writer).
"""

from __future__ import annotations

import socket
import zlib

from toolkit.engines.local.broker import golang, policy, wire
from toolkit.engines.local.broker.event import TTL, Message
from toolkit.engines.local.broker.policy import Failure
from toolkit.sdk.http1 import MessageError, Response, TruncatedError, UnansweredError

_MAX_BODY = 256 << 20  # bytes of a decompressed answer


def as_answered(message: Message, ttl: int) -> Message:
    """A reply as the filter hands it on: binary, with the hop count of what it replies to, its type sniffed."""
    attributes = {name: value.replace(b"\r", b" ").replace(b"\n", b" ") for name, value in message.attributes.items()}
    attributes[TTL] = b"%d" % ttl
    content_type = message.content_type
    if content_type is None and message.body:
        content_type = golang.sniff(message.body)
    return Message(attributes, content_type, message.body)


def plain(answer: Response) -> Response:
    """The answer without its gzip, which Go's client asks for and removes unseen; raises TruncatedError."""
    coding = answer.header(b"content-encoding")
    if coding is None or coding.lower() != b"gzip":
        return answer
    headers = tuple(header for header in answer.headers if header[0].lower() != b"content-encoding")
    if not answer.body:
        return Response(answer.status, headers, b"")
    unzip = zlib.decompressobj(wbits=31)
    try:
        body = unzip.decompress(answer.body, _MAX_BODY)
    except zlib.error:
        raise TruncatedError(answer.status, "gzip") from None
    if not unzip.eof:
        raise TruncatedError(answer.status, "gzip")
    return Response(answer.status, headers, body)


def truncated(to: wire.Target, error: TruncatedError) -> Failure:
    """A body that broke off. After a 2xx nobody is told; else the broken body is told in the body's place."""
    why = f"{to.url}: the answer broke off"
    if error.status is None:
        text = f'dispatch error: Post "{to.url}": unexpected EOF'
        return Failure(why, retried=True, body=text.encode(), destination=to.url)
    if 200 <= error.status < 300:
        return Failure(why, retried=True, told=False)
    status = f"{error.status} {error.reason}"
    text = f'dispatch resulted in status "{status}". Could not read response body: error: {error}'
    return Failure(why, policy.is_retried(error.status), error.status, text.encode(), to.url)


def go_error(error: Exception, to: wire.Target) -> str:
    """How Go's client would word it, as far as it is told to a dead letter sink."""
    if isinstance(error, UnansweredError):
        return "EOF"
    if isinstance(error, MessageError):
        return f"net/http: HTTP/1.x transport connection broken: {error}"
    if isinstance(error, ConnectionRefusedError) or "Errno 111" in str(error):
        return f"dial tcp {to.address.host}:{to.address.port}: connect: connection refused"
    if isinstance(error.__cause__, socket.gaierror):
        return f"dial tcp: lookup {to.address.host}: no such host"
    return str(error)
