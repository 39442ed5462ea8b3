"""What can go wrong for a handler, as exceptions it may catch. Uncaught, they become statuses, never an exit.

May live here: exception classes that need nothing, and the names of status codes. May not: grpc (handlers import this).
"""

from __future__ import annotations

_NAMES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
)
CODES = {name: number for number, name in enumerate(_NAMES.split())}  # gRPC's status codes, by name


class SdkError(Exception):
    """The root of what the scaffold raises into a handler, and of what a handler may raise into the scaffold."""


class CallFailed(SdkError):
    """A downstream call did not end with OK. `code` is the status code's name, `to` the function called."""

    def __init__(self, to: str, code: str, details: str) -> None:
        super().__init__(f"{to}: {details or code}")
        self.to, self.code, self.details = to, code, details


class EmitFailed(SdkError):
    """The sink did not take an event. `status` is None when it never answered."""

    def __init__(self, sink: str, status: int | None, reason: str) -> None:
        answered = f"answered {status}" if status is not None else "did not answer"
        super().__init__(f"the sink {sink} {answered}" + (f": {reason}" if reason else ""))
        self.sink, self.status, self.reason = sink, status, reason


class Refused(SdkError):
    """For handlers to raise: answers the caller with this status code (`INVALID_ARGUMENT`, ...) and these details."""

    def __init__(self, code: str, details: str) -> None:
        if code not in CODES or code == "OK":
            raise ValueError(f"{code!r} is not the name of a gRPC status code that refuses")
        super().__init__(f"{code}: {details}")
        self.code, self.details = code, details


class NoSuchEdge(SdkError):
    """The handler asks for an edge that its chain does not have, or does not say which of several it means."""


class EdgeTaken(NoSuchEdge):
    """The handler has already sent over this edge, or over another of its choice, as much as its chain allows."""


class LoopBound(Refused):
    """The way to this message led over an edge as often as its `loop` allows. FAILED_PRECONDITION: not tried again."""

    def __init__(self, details: str) -> None:
        super().__init__("FAILED_PRECONDITION", details)


# What the handler does wrong by itself: handling the same message again would fail in the same way.
FOR_GOOD = (NoSuchEdge, LoopBound)


class Unanswerable(SdkError):
    """What should be the chain's answer is no text, or too long for a receipt."""


class NoSink(SdkError):
    """The handler emits, and nobody told the process where to."""


class WiringError(SdkError):
    """The process cannot start with what it was given; the text is one line and says where and what next."""


def described(error: BaseException) -> str:
    """`KeyError: 'colour'`; the type alone of an exception that cannot even say what it is."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # the handler's own class, which may do anything
        return name
    return f"{name}: {text}" if text else name
