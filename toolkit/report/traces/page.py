"""The page around the documents, for a server: one HTML text and the policy that goes with it.

May live here: filling the template, and what its policy allows: its own script and style sheet by their hashes, and
data from where it came from. The sources are handed in, because nothing here reads files.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

TEMPLATE, SECTION, STYLE, SCRIPT = "page.html.j2", "explorer.html.j2", "explorer.css", "explorer.js"
SOURCES = (TEMPLATE, SECTION, STYLE, SCRIPT)


@dataclass(frozen=True, slots=True)
class Page:
    """The text, and the value of its `Content-Security-Policy` header."""

    html: str
    policy: str


def render(sources: Mapping[str, str], title: str, data: str = "null", *, live: bool = True) -> Page:
    """The page with `data` (JSON that `embedding.text` made) in its data element; a `live` one may ask its server.

    The template is given `title`, `style`, `script`, `data` and `policy` (for a page that no server sends).
    """
    environment = Environment(
        loader=DictLoader(dict(sources)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = sources[STYLE], sources[SCRIPT]
    allowed = _policy(style, script, live=live)
    html = environment.get_template(TEMPLATE).render(
        title=title,
        style=Markup(style),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        data=Markup(data),  # noqa: S704 - escaped by `embedding`
        policy=allowed,
    )
    return Page(html, f"{allowed}; frame-ancestors 'none'")  # which a page's own head cannot say


def _policy(style: str, script: str, *, live: bool) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{hashed(style)}'",
            f"script-src '{hashed(script)}'",
            "connect-src 'self'" if live else "connect-src 'none'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def hashed(source: str) -> str:
    """A script or style sheet as a policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
