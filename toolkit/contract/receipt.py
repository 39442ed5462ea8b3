"""Receipts: one line of JSON for every message that a function handled, with what it sent and what it answered.

May live here: the records, and their way into a line and back. May not: where lines go (`toolkit.sdk.receipts`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from json.encoder import encode_basestring_ascii as _text
from typing import Any

from toolkit.contract.typed import Arrived, Via, typed


@dataclass(frozen=True, slots=True)
class Sent:
    """One message that left a function: over which edge, where to, and whether the other side took it.

    `to` is the called function for calls and None for events, whose receivers are the broker's business. `reply` is
    the digest of the answer as it came back, None where none came: of events, and of calls that failed. `left_s` is
    said of an attempt after which no other was made though the edge had more: seconds that were left for them.
    """

    via: Via
    message: str
    digest: str
    size: int  # bytes
    address: str  # gRPC target, or the sink's URL
    to: str | None = None
    type: str | None = None
    accepted: bool = True
    reply: str | None = None
    reply_size: int | None = None  # bytes
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Boot:
    """How a replica came up, as it stamped it itself: wall-clock nanoseconds of its host.

    `process_ns` is when the kernel started the process (of its clock ticks, 10 ms as a rule; None where it does not
    say), then its handler was loaded, then it listened. `host` is the host's name: in a cluster, that of the pod.
    """

    host: str
    process_ns: int | None
    loaded_ns: int
    listening_ns: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A function's proof that it handled one message. Times are wall-clock nanoseconds of the function's host.

    `seq` counts the messages of this replica from 0, so the order of arrival can be told; `replica` is a nonce drawn
    at the start of the process, so a restarted function is another replica. `reply` is the digest of a call's answer
    as it left; None of handlings that failed, and of events (a reply event is among `sent`). `boot` is told once, with
    the first message.
    """

    call: str
    function: str
    replica: str
    seq: int
    message: str
    via: Arrived
    sender: str
    digest: str
    size: int  # bytes
    started_ns: int
    ended_ns: int
    cold: bool = False  # the first message this replica handled
    type: str | None = None
    sent: tuple[Sent, ...] = ()
    error: str | None = None
    reply: str | None = None
    reply_size: int | None = None  # bytes
    boot: Boot | None = None
    answer: str | None = None  # the chain's, where somebody will judge it
    joined: tuple[str, ...] = ()  # the messages that were handled together with this one
    part: str | None = None  # the message is one of several that were scattered: `SCATTER:INDEX:TOTAL`
    waits: bool = False  # it waits for others to be handled with; or it was done before: the handler did not run

    def encode(self) -> bytes:
        """One line, newline included."""
        # Written by hand: this is on the way of every message, and json.dumps(asdict(self)) costs ten times as much.
        # A test holds it to the fields.
        sent = ",".join([_encoded(each) for each in self.sent])
        return (
            f'{{"call":{_text(self.call)},"function":{_text(self.function)},"replica":{_text(self.replica)},'
            f'"seq":{self.seq},"message":{_text(self.message)},"via":{_text(self.via)},"sender":{_text(self.sender)},'
            f'"digest":{_text(self.digest)},"size":{self.size},"started_ns":{self.started_ns},'
            f'"ended_ns":{self.ended_ns},"cold":{_flag(self.cold)},"type":{_optional(self.type)},"sent":[{sent}],'
            f'"error":{_optional(self.error)}{_answer(self.reply, self.reply_size)}{_booted(self.boot)}'
            f"{self._more()}}}\n"
        ).encode()

    def _more(self) -> str:
        """What few receipts say."""
        answer = "" if self.answer is None else f',"answer":{_text(self.answer)}'
        joined = f',"joined":{json.dumps(self.joined)}' if self.joined else ""
        waits = ',"waits":true' if self.waits else ""
        part = "" if self.part is None else f',"part":{_text(self.part)}'
        return answer + joined + part + waits

    @staticmethod
    def decode(line: bytes) -> Receipt:
        """The receipt in `line`; raises ValueError or TypeError, with the field's name, when it is not one."""
        try:
            found: Any = json.loads(line)
        except RecursionError as error:
            raise ValueError("nested too deep for a receipt") from error
        if not isinstance(found, dict):
            raise TypeError("a receipt is a JSON object")
        sent = found.get("sent", ())
        if not isinstance(sent, list | tuple):
            raise TypeError(f"sent: {sent!r:.60} is not a list")
        found["sent"] = tuple(_sent(each, f"sent[{at}]") for at, each in enumerate(sent))
        found["joined"] = tuple(found.get("joined", ()))
        if (boot := found.get("boot")) is not None:
            found["boot"] = _boot(boot)
        return typed(Receipt(**found), "")


def _sent(found: Any, path: str) -> Sent:
    if not isinstance(found, dict):
        raise TypeError(f"{path}: {found!r:.60} is not a JSON object")
    return typed(Sent(**found), f"{path}.")


def _boot(found: Any) -> Boot:
    if not isinstance(found, dict):
        raise TypeError(f"boot: {found!r:.60} is not a JSON object")
    return typed(Boot(**found), "boot.")


def _booted(boot: Boot | None) -> str:
    """Left away where there is none: of every message but the first."""
    return "" if boot is None else f',"boot":{json.dumps(asdict(boot), separators=(",", ":"))}'


def _encoded(sent: Sent) -> str:
    return (
        f'{{"via":{_text(sent.via)},"message":{_text(sent.message)},"digest":{_text(sent.digest)},"size":{sent.size},'
        f'"address":{_text(sent.address)},"to":{_optional(sent.to)},"type":{_optional(sent.type)},'
        f'"accepted":{_flag(sent.accepted)}{_answer(sent.reply, sent.reply_size)}{_left(sent.left_s)}}}'
    )


def _answer(reply: str | None, size: int | None) -> str:
    return f',"reply":{_optional(reply)},"reply_size":{"null" if size is None else size}'


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f',"left_s":{seconds!r}'


def _optional(text: str | None) -> str:
    return "null" if text is None else _text(text)


def _flag(value: bool) -> str:
    return "true" if value else "false"
