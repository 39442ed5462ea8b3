"""The scaffold: what runs around a handler, inside the function's process. Handlers import from here only.

May live here: what a function needs to answer a message: contract, stubs, and libraries that are imported where they
are needed. May not: the rest of the toolkit, ever (an import contract and a test on a real process see to it).
"""

from toolkit.sdk.context import BlockingContext, Context
from toolkit.sdk.failures import CallFailed, EmitFailed, NoSink, NoSuchEdge, Refused
from toolkit.sdk.message import Message

__all__ = ["BlockingContext", "CallFailed", "Context", "EmitFailed", "Message", "NoSink", "NoSuchEdge", "Refused"]
