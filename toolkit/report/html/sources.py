"""What a page is made from, and how its policy names what may run in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sources:
    """The templates by their names, and the one style sheet and the one script that a page holds."""

    templates: Mapping[str, str]
    style: str
    script: str


def hashed(source: str) -> str:
    """A script or style sheet as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
