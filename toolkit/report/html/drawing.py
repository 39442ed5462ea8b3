"""SVG as text that cannot be broken out of: elements, lines, axes. Colours are the style sheet's, by class.

May live here: shapes. May not: what they mean (`charts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from toolkit.report.characters import printable
from toolkit.report.html.scales import Scale, ticks

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """The place in which something is drawn, inside of its axes."""

    left: float
    top: float
    right: float
    bottom: float


def element(name: str, *inside: Markup | str, **attributes: object) -> Markup:
    """`class_` is class, `stroke_width` is stroke-width; None leaves an attribute out. Text is escaped."""
    told = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    content = Markup("").join(each if isinstance(each, Markup) else escape(printable(each)) for each in inside)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), Markup("").join(told), content)  # noqa: S704 - our own names


def group(*inside: Markup, class_: str | None = None) -> Markup:
    return element("g", *inside, class_=class_)


def text(x: float, y: float, words: str, *, anchor: str = "start", class_: str | None = None) -> Markup:
    return element("text", words, x=round(x, 1), y=round(y, 1), text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, title: str = "") -> Markup:
    inside = (element("title", title),) if title else ()
    sizes = (round(max(each, 0.0), 2) for each in (width, height))
    return element(
        "rect",
        *inside,
        x=round(x, 2),
        y=round(y, 2),
        **dict(zip(("width", "height"), sizes, strict=True)),
        class_=class_,
    )


def path(points: Sequence[Point | None], class_: str) -> Markup:
    """A line through the points, broken where one is None; a lone point is a short stroke."""
    commands: list[str] = []
    down = False
    for point in points:
        if point is None:
            down = False
            continue
        commands.append(f"{'L' if down else 'M'}{point[0]:g} {point[1]:g}")
        if not down:
            commands.append("h0.01")
        down = True
    return element("path", d="".join(commands), class_=class_) if commands else Markup("")


def steps(points: Iterable[Point]) -> list[Point]:
    """A staircase: each height lasts until the next place."""
    found: list[Point] = []
    for x, y in points:
        if found:
            found.append((x, found[-1][1]))
        found.append((x, y))
    return found


def across(scale: Scale, frame: Frame, named: Iterable[tuple[float, str]], title: str) -> Markup:
    """The axis at the bottom, with thin lines up through the frame."""
    marks: list[Markup] = []
    for value, name in named:
        x = scale(value)
        marks += [line(x, frame.top, x, frame.bottom, "grid"), text(x, frame.bottom + 16, name, anchor="middle")]
    marks.append(text((frame.left + frame.right) / 2, frame.bottom + 34, title, anchor="middle", class_="axis"))
    return group(*marks)


def up(scale: Scale, frame: Frame, named: Iterable[tuple[float, str]], title: str) -> Markup:
    """The axis at the left; its title stands above it."""
    marks: list[Markup] = []
    for value, name in named:
        y = scale(value)
        marks += [line(frame.left, y, frame.right, y, "grid"), text(frame.left - 7, y + 4, name, anchor="end")]
    return group(*marks, text(frame.left, frame.top - 9, title, class_="axis"))


def named_times(scale: Scale, wanted: int = 5) -> list[tuple[float, str]]:
    return [(each, f"{each / 1e3:,.6g}") for each in ticks(scale, wanted)]


def named_counts(scale: Scale, wanted: int = 4) -> list[tuple[float, str]]:
    return [(each, f"{each:,.6g}") for each in ticks(scale, wanted)]


def svg(width: int, height: int, name: str, about: str, *inside: Markup) -> Markup:
    """A drawing with a name and a description for those who do not see it; `name` is unique on the page."""
    return element(
        "svg",
        element("title", about, id=f"{name}-about"),
        *inside,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_labelledby=f"{name}-about",
        id=name,
    )
