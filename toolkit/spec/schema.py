"""The chain language as JSON Schema (draft 2020-12), for editors. Built from the table that the parser walks.

It says what one value may be; the rules between values (`rules`) are the parser's alone.
"""

from __future__ import annotations

import json
from typing import Any

from toolkit.spec.language import CHAIN


def build() -> dict[str, Any]:
    """The schema of a chain.yaml."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "chain.yaml",
        "description": "A chain of functions for the Knative benchmark composition toolkit.",
    }
    return {**head, **CHAIN.schema()}


def text() -> str:
    """The schema as the file `schemas/chain.schema.json` holds it."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"
