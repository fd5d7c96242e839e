"""Templates of pages: Jinja2 with automatic escaping, and the assets that pages carry within themselves."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from sim.report.charts.markup import Html, split_tied, words_class


class NoJinja(ImportError):
    """Jinja2 is not installed."""

    def __init__(self, extra: str = "report") -> None:
        super().__init__(f"pages need Jinja2: pip install 'retrysim[{extra}]'")


@cache
def environment() -> Any:
    """Return what fills templates; raises NoJinja."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise NoJinja from None
    made = Environment(
        loader=PackageLoader("sim.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["tied"] = _tied
    made.filters["words_class"] = words_class
    return made


def render(template: str, **values: Any) -> Html:
    """Fill a template of `sim/report/templates`; all values are escaped but those of type `safe`. Raises NoJinja."""
    return Html(environment().get_template(template).render(**values))


def safe(html: Html) -> Any:
    """Mark HTML as made here, so that a template does not escape it. Raises NoJinja."""
    try:
        from markupsafe import Markup
    except ImportError:
        raise NoJinja from None
    return Markup(html)  # noqa: S704  # the type says that its texts are escaped


def _tied(text: str) -> Any:
    """Return a text as HTML in which numbers stay on one line with their units."""
    from markupsafe import Markup, escape

    made = Markup()
    for place, piece in enumerate(split_tied(text)):
        made += Markup('<span class="tied">{}</span>').format(piece) if place % 2 else escape(piece)
    return made


@cache
def asset(name: str) -> str:
    """Return the text of an asset, such as `page.js`."""
    return (files("sim.report") / "assets" / name).read_text(encoding="utf-8")


def hashed(code: str) -> str:
    """Return the source expression by which a Content-Security-Policy allows this very code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
