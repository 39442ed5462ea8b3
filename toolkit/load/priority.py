"""How the kernel gives a generator a processor.

May live here: asking for one. May not: anything about calls.
"""

from __future__ import annotations

import os


def before_others(generators: int) -> str:
    """`realtime` from now on where that is allowed (CAP_SYS_NICE) and harmless, else `normal`; reports say which.

    Whoever sleeps until a call is due should not queue for a processor behind those that it loads (`sched(7)`). But
    `generators` that are all busy have to leave a processor to everybody else: where they could not, nobody asks.
    To be called before threads are started: they are scheduled like the one that starts them.
    """
    try:
        if generators >= len(os.sched_getaffinity(0)):
            return "normal"
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except (OSError, AttributeError):
        return "normal"
    return "realtime"
