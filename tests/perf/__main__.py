"""`make perf`: what the scaffold and the broker cost, side by side in one run. Figures to read, never to assert on."""

from __future__ import annotations

from tests.perf import broker_perf, sdk_perf


def main() -> int:
    sdk_perf.main()
    print()
    broker_perf.main()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
