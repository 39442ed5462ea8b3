"""How long it takes to render chains of 10, 100 and 1,000 functions: ten times the functions, ten times the time."""

from __future__ import annotations

import time
from itertools import pairwise

from tests.unit.manifests.samples import IMAGE, chain, function
from toolkit import manifests, plan
from toolkit.manifests import Target
from toolkit.spec.model import Edge

TIMES = 5  # the best of them counts: the rest is the machine's


def main() -> None:
    once(10)  # templates are compiled once
    print(f"{'functions':>9}  {'ms':>7}  {'us a function':>13}  {'kB':>6}")
    for count in (10, 100, 1000):
        took_s, size = min(once(count) for _ in range(TIMES))
        print(f"{count:>9}  {took_s * 1e3:>7.1f}  {took_s * 1e6 / count:>13.0f}  {size / 1e3:>6.0f}")


def once(count: int) -> tuple[float, int]:
    """Seconds of processor time from a chain to its text, and the text's length."""
    names = [f"function-{number}" for number in range(count)]
    made = chain(map(function, names), [Edge(a, b, "call") for a, b in pairwise(names)])
    began = time.process_time()
    text = manifests.text(manifests.render(plan.make(made, "run"), Target("space", IMAGE)))
    return time.process_time() - began, len(text)


if __name__ == "__main__":
    main()
