"""`make perf`: what scaffold, broker and rendering cost, side by side. Figures to read, never to assert on."""

from __future__ import annotations

from tests.perf import broker_perf, render_perf, sdk_perf


def main() -> int:
    sdk_perf.main()
    print()
    broker_perf.main()
    print()
    render_perf.main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
