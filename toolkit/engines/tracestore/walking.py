"""Every trace of a store's file, whether a search would find it or not: for those who take the spans elsewhere.

May live here: the walk through a file that no running store has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.engines.tracestore.database import open_database
from toolkit.engines.tracestore.owning import check


def traces(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Each trace, its spans in Zipkin's normal form. Raises EngineError when the file is none, or a running store's."""
    check(path, must_exist=True)
    database = open_database(path)
    try:
        reader = database.own()
        for number in reader.numbers():
            if (block := reader.block(number)) is not None:
                yield from (json.loads(b"[%b]" % trace.text()) for trace in block.living())
    finally:
        database.close()
