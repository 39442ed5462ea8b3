"""`python -m tests.requirements` fetches what the benchmarks of the catalogue require, so that the tests run these too.

Whatever is here, or was fetched before, is not fetched again. Without it, tests of these benchmarks are skipped.
"""

from __future__ import annotations

import sys

from toolkit import catalog
from toolkit.engines import requirements
from toolkit.errors import EngineError


def fetch() -> int:
    for chain in map(catalog.load, catalog.names()):
        try:
            requirements.install(chain, print)
        except EngineError as error:
            print(error, file=sys.stderr)
            return error.exit
    return 0


if __name__ == "__main__":
    sys.exit(fetch())
