"""The invariants that a scenario asks to check: their names, or `all` for those that retriers and platform owe."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from sim.contracts.catalogue import INVARIANTS, STRICTER
from sim.options.shorthand import AlsoWritten
from sim.promises.invariant import Invariant
from sim.scenario.mistakes.problems import shorten
from sim.scenario.mistakes.pydantic_words import UNKNOWN_WORD

ALL: Final = "all"
NAMES: Final = (ALL, *(invariant.name for invariant in (*INVARIANTS, *STRICTER)))


def _known(name: str) -> str:
    if name not in NAMES:
        raise PydanticCustomError(UNKNOWN_WORD, "unknown", {"what": "invariant", "word": name, "allowed": NAMES})
    return name


def _all_or_names(value: Any) -> Any:
    if isinstance(value, str) and value != ALL:
        raise ValueError(f"expected `all` or a list of names, got the text '{shorten(value)}'")
    return (ALL,) if value == ALL else value


InvariantChoice = Annotated[
    tuple[Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(NAMES)})], ...],
    Field(strict=False, max_length=len(NAMES)),
    BeforeValidator(_all_or_names),
    PlainSerializer(lambda names: ALL if names == (ALL,) else list(names)),
    AlsoWritten({"const": ALL}),
]
"""Names of invariants; in a file `all` also stands alone."""


def invariants_named(names: Sequence[str]) -> tuple[Invariant, ...]:
    """Return the invariants of these names in their own order; `all` are those that retriers and the platform owe."""
    return tuple(one for one in (*INVARIANTS, *STRICTER) if one.name in names or (ALL in names and one not in STRICTER))


def in_order(names: Sequence[str]) -> tuple[Invariant, ...]:
    """Return the invariants of these names in the order in which they are named."""
    known = {one.name: one for one in (*INVARIANTS, *STRICTER)}
    return tuple(known[name] for name in names)
