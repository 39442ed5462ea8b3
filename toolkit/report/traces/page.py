"""The page around the documents, for a server: one HTML text and the policy that goes with it.

May live here: filling the template, and what its policy allows: its own script and style sheet by their hashes, and
data from where it came from. The sources are handed in, because nothing here reads files.
"""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from toolkit.report.characters import printable
from toolkit.report.html.sources import Sources, hashed

TEMPLATE = "page.html.j2"


@dataclass(frozen=True, slots=True)
class Page:
    """The text, and the value of its `Content-Security-Policy` header."""

    html: str
    policy: str


def render(sources: Sources, title: str) -> Page:
    """The page for a server, whose data it asks for itself."""
    environment = Environment(
        loader=DictLoader(dict(sources.templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template(TEMPLATE).render(
        title=printable(title),
        style=Markup(sources.style),  # noqa: S704 - ours
        script=Markup(sources.script),  # noqa: S704 - ours
        style_hash=hashed(sources.style),
        script_hash=hashed(sources.script),
        connect=Markup("'self'"),
        data=Markup("null"),
    )
    return Page(html, _policy(sources))


def _policy(sources: Sources) -> str:
    """What the page's own head says, and what only a header can say."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{hashed(sources.style)}'",
            f"script-src '{hashed(sources.script)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
