"""The invariants, from the catalogue."""

from __future__ import annotations

from typing import Final

from reference.markdown import code, one_line, prose, terms
from sim.contracts import catalogue

GROUPS: Final = {
    "retrier": catalogue.RETRIER,
    "platform": catalogue.PLATFORM,
    "policy": catalogue.POLICY,
    "pool": catalogue.POOL,
    "stricter": catalogue.STRICTER,
}


def group(name: str) -> str:
    """Return the invariants of a group, each with the claim that it makes."""
    return terms((f"{code(one.name)} ({one.kind})", one_line(one.search.__doc__ or one.doc)) for one in GROUPS[name])


def not_judged() -> str:
    """Return what the catalogue says that it does not judge."""
    return prose((catalogue.__doc__ or "").partition("Not judged, each for its reason:")[2])
