"""One self-contained page: sections, a legend that switches series, its code and style within itself.

The page asks for nothing: its Content-Security-Policy allows the very code and style that it carries, by their hashes,
and no address at all, unless a page says that it talks to the server it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.report.charts.markup import Html
from sim.report.templates import asset, hashed, render, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

GENERATOR: Final = "retrysim"
"""What the meta element `generator` of every page begins with: such a file may be replaced, any other one is not."""


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a page, with a heading of its own."""

    id: str
    """A word for the address within the page."""
    title: str
    body: Html
    is_wide: bool = False
    """Whether it takes the whole width; text is narrower."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One button of the legend."""

    key: str
    name: str
    swatch: Html
    """A sample of its line (`sim.report.charts.looks.swatch`)."""


def page(
    title: str,
    sections: Sequence[Section],
    *,
    kind: str = "report",
    lead: Html | None = None,
    switches: Sequence[Switch] = (),
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    talks_to_its_server: bool = False,
) -> str:
    """Return a page as HTML.

    `kind` ends the meta element `generator`. `lead` stands between title and sections. `switches` make the legend, if
    there are several: it stays in view and acts on everything with `data-series`. `scripts` and `styles` are added to
    the page's own. Raises `sim.report.templates.NoJinja`.
    """
    style = "\n".join([asset("page.css"), *styles])
    script = "\n".join([asset("page.js"), *scripts])
    # A browser ends a script at these characters, wherever they stand.
    if "</script" in script.lower() or "</style" in style.lower():
        raise ValueError("code of a page may not hold the end of its own element")
    served = "'self'" if talks_to_its_server else "'none'"
    policy = (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; connect-src {served}; "
        "base-uri 'none'; form-action 'none'"
    )
    return render(
        "page.html",
        title=title,
        generator=f"{GENERATOR} {kind}",
        policy=policy,
        style=safe(Html(style)),
        script=safe(Html(script)),
        lead=None if lead is None else safe(lead),
        sections=[(one, safe(one.body)) for one in sections],
        switches=[(one, safe(one.swatch)) for one in switches],
    )


def is_ours(text: str) -> bool:
    """Say whether the beginning of a file is that of a page which retrysim has written."""
    return f'<meta name="generator" content="{GENERATOR} ' in text[:4096]
