"""The columns of what is written, from the arrays that hold them and from the modules that write them."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from reference.keys import of_schema
from reference.markdown import code, documented_names, one_line, prose, terms
from sim.history import records, vocabulary
from sim.history.records import COLUMNS
from sim.results import columns as tables
from sim.results import summary_form

UNITS: Final = {
    "number": "a number that names the row",
    "instant": "an instant of simulated time in ns, -1 if it did not happen",
    "count": "a count",
    "duration": "a duration in ns",
    "code": "a code",
}
KINDS: Final = {
    "whole": "A whole number",
    "instant": "Whole ns, missing if it did not happen",
    "word": "A word",
    "number": "A number, missing if it is not known",
}


def of_requests() -> str:
    """Return the columns of `Requests`."""
    told = documented_names(records)
    return terms(
        (code(name), f"{UNITS[one.unit]}, {code(one.dtype.__name__)}. {one_line(told.get(f'Requests.{name}', ''))}")
        for name, one in COLUMNS.items()
    )


def outcomes() -> str:
    """Return how requests can end, and what a duplicate can be charged to."""
    told = documented_names(vocabulary)
    return "\n".join(
        f"### {enumeration.__name__}\n\n{prose(enumeration.__doc__ or '')}\n\n"
        + terms(
            (code(one.name), one_line(told.get(f"{enumeration.__name__}.{one.name}", "")) or "As its name says.")
            for one in enumeration
        )
        for enumeration in (vocabulary.Outcome, vocabulary.Cause)
    )


def of_table(name: str) -> str:
    """Return the columns of a table of `retrysim export` and of `Result.to_pandas`."""
    listed: tuple[tables.Column, ...] = getattr(tables, name.upper())
    after = documented_names(tables).get(name.upper(), "")
    lines = terms((code(one.name), f"{KINDS[one.kind]}: {prose(one.meaning)}.") for one in listed)
    return f"{lines}\n{prose(after)}\n"


def of_summary() -> str:
    """Return the keys of `summary.json`."""
    return of_schema(summary_form.json_schema(), "summary")


def docstring(module: str) -> str:
    """Return what a module says of itself, behind its first sentence."""
    return prose((import_module(module).__doc__ or "").partition("\n\n")[2])
