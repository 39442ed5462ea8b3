"""The log of a function: one line per record on stderr, as logrus writes text, with nanoseconds.

    time="2026-03-04T05:06:07.000000008Z" level=info msg="…" function=producer call=4bf9…

May live here: formatting and its installation. May not: a second place that decides what a log line looks like.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextvars import ContextVar

handled_call: ContextVar[str | None] = ContextVar("handled_call", default=None)  # the call under way, for its log lines

_BARE = re.compile(r"[\w./:+@-]+", re.ASCII)
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


class Formatter(logging.Formatter):
    """Everything on one line: line breaks, quotes and control characters of messages and tracebacks are escaped."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self._function = value(function)

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        level = _LEVELS.get(record.levelno, "fatal" if record.levelno > logging.ERROR else "info")
        line = f'time="{rfc3339(time.time_ns())}" level={level} msg={quoted(text)} function={self._function}'
        if call := handled_call.get():
            line += f" call={value(call)}"
        return line


def install(function: str, level: int = logging.INFO) -> None:
    """Make the root logger write such lines to stderr, and nothing else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(function))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def rfc3339(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 with nine digits, UTC."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09}Z"


def value(text: str) -> str:
    return text if _BARE.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())
