"""`make perf`: what scaffold, broker and rendering cost, and how fast a load is sent, side by side.

Figures to read, never to assert on. `python -m tests.perf load` runs that section alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from tests.perf import (
    analysis_perf,
    broker_perf,
    load_perf,
    records_perf,
    render_perf,
    sdk_perf,
    traces_perf,
    transfers_perf,
)

SECTIONS: dict[str, Callable[[], None]] = {
    "sdk": sdk_perf.main,
    "broker": broker_perf.main,
    "render": render_perf.main,
    "load": load_perf.main,
    "records": records_perf.main,
    "analysis": analysis_perf.main,
    "traces": traces_perf.main,
    "transfers": transfers_perf.main,
}


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(SECTIONS):
        print(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    for number, name in enumerate(wanted or SECTIONS):
        if number:
            print()
        SECTIONS[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
