"""How the kernel gives a generator a processor.

May live here: asking for one. May not: anything about calls.
"""

from __future__ import annotations

import os


def before_others() -> str:
    """`realtime` from now on where we may ask for that (CAP_SYS_NICE), else `normal`; reports say which.

    Whoever sleeps until a call is due should not queue for a processor behind those that it loads (`sched(7)`). The
    kernel keeps 5 % of each processor for everybody else, whatever we do (`sched_rt_runtime_us`).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except (OSError, AttributeError):
        return "normal"
    return "realtime"
