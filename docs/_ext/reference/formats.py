"""The formats of configurations, from the modules that read and write them."""

from __future__ import annotations

import sys
from typing import Any

from reference.markdown import code, one_line, prose, terms
from sim.converters.catalogue import FORMATS


def all_formats() -> str:
    """Return a section for each format: where its facts come from, how it counts, what it cannot say."""
    return "\n".join(_section(kind, one) for kind, one in FORMATS.items())


def _section(kind: str, one: Any) -> str:
    title, _, body = prose(sys.modules[one.__name__].__doc__ or "").partition("\n\n")
    written = f"## {code(kind)}: {one.TITLE}\n\n{title}\n\n{body}\n\n"
    cannot = getattr(one, "CANNOT", None)
    if cannot:
        reasons = terms((code(key), one_line(reason)) for key, reason in cannot.items())
        written += f"What a policy says that this format cannot, with the key that is named:\n\n{reasons}"
    return written
