"""The scaffold: what runs around a handler, inside the function's process. Handlers import from here only.

May live here: what a function needs to answer a message: contract, stubs, and libraries that are imported where they
are needed. May not: the rest of the toolkit, ever (an import contract and a test on a real process see to it).
"""

from toolkit.sdk.context import BaseContext, BlockingContext, Context
from toolkit.sdk.failures import (
    CallFailed,
    EdgeTaken,
    EmitFailed,
    LoopBound,
    NoSink,
    NoSuchEdge,
    Refused,
    SdkError,
    Unanswerable,
)
from toolkit.sdk.message import Message
from toolkit.sdk.outcome import Invoke, Response

__all__ = [
    "BaseContext",
    "BlockingContext",
    "CallFailed",
    "Context",
    "EdgeTaken",
    "EmitFailed",
    "Invoke",
    "LoopBound",
    "Message",
    "NoSink",
    "NoSuchEdge",
    "Refused",
    "Response",
    "SdkError",
    "Unanswerable",
]
