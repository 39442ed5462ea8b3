"""The templates: where they lie, and how one becomes a manifest.

May live here: Jinja. May not: what the templates are told (`toolkit.manifests.rendering`).

Every `{{ value }}` is written as a YAML scalar (or a flow collection) by the environment itself, so a template cannot
forget to quote, and no value can break out of its place. Jinja's autoescaping carries it: what blocks and macros made
is markup and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context, Undefined
from markupsafe import Markup

from toolkit.manifests.scalars import quoted

Manifest = dict[str, Any]
_PACKAGE = Path(__file__).parents[1]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml


def folder() -> Path:
    """`templates/manifests` of the checkout, else of the wheel: the same place that `catalog.shipped` names."""
    checkout = _PACKAGE.parent
    shipped = checkout if (checkout / "pyproject.toml").is_file() else _PACKAGE / "shipped"
    return shipped / "templates" / "manifests"


def render(kind: str, places: Sequence[str], values: Mapping[str, Any]) -> Manifest:
    """The manifest that the first of `places` (folders of templates) with a template for `kind` makes of `values`."""
    template = _environment(folder()).select_template([f"{place}/{kind}.yaml.j2" for place in places])
    made = yaml.load(template.render(values), _Loader)  # noqa: S506 - a safe loader, the one written in C
    if not isinstance(made, dict) or made.get("kind") is None:
        raise TypeError(f"the template {template.name} makes no Kubernetes object")
    return made


def iso8601(seconds: float) -> str:
    """`PT0.2S`, never with an exponent."""
    return f"PT{decimal(seconds)}S"


def decimal(value: float) -> str:
    """The shortest decimal that reads back as `value`, without an exponent: `5`, `0.25`."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def _environment(place: Path) -> Environment:
    made = Environment(
        loader=FileSystemLoader(place),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_as_yaml,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["iso8601"] = iso8601
    return made


@pass_context  # or Jinja would escape constants as HTML before they come here
def _as_yaml(_: Context, value: object) -> object:
    if isinstance(value, Markup | Undefined):  # the output of a block or macro; an Undefined says its own name
        return value
    return Markup(quoted(value))  # noqa: S704 - quoting is what makes it safe
