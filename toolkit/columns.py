"""What became of many calls, in columns: 64 bytes a call, so that millions fit where objects would not.

May live here: what a row means, and its way into bytes and back. May not: files, clocks, anything computed from rows.

A row is packed with `ROW` and can be appended to a file while a load runs; the same bytes are an array of numpy's
`DTYPE` (and so a `.npy` file). Times are nanoseconds of the one monotonic clock of whoever asked for the load; 0 is
"never": an unanswered call has no `first_ns` and no `done_ns`.
"""

from __future__ import annotations

import struct
from typing import Literal

FIELDS: tuple[tuple[str, str], ...] = (
    ("seq", "<i8"),  # place in the load, from 0 on; ids follow from it (`load.identity`)
    ("due_ns", "<i8"),
    ("sent_ns", "<i8"),
    ("first_ns", "<i8"),  # the first byte of the answer
    ("done_ns", "<i8"),
    ("completed_ns", "<i8"),  # the last receipt of an asynchronous chain
    ("size", "<u4"),  # bytes of the request's message
    ("reply_size", "<u4"),  # bytes of the answer's message
    ("instance", "<u4"),  # a place in the table of instances, from 1 on; 0: nobody said
    ("status", "<u1"),  # a place in the table of statuses (0 is OK), or LOST
    ("flags", "<u1"),  # SAMPLED | REFUSED | COLD | WARMUP
    ("messages", "<u2"),  # of a stream that came back, or MOST_MESSAGES; 0: it was no stream, or none did
)
DTYPE = list(FIELDS)
ROW = struct.Struct("<6q3I2BH")
MOST_SIZE, MOST_MESSAGES = 2**32 - 1, 65_535  # what stands for so many or more
LOST = 255  # of `status`: nobody answered
SAMPLED, REFUSED, COLD, WARMUP = 1, 2, 4, 8  # of `flags`
Flag = Literal[1, 2, 4, 8]
