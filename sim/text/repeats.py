"""What a run says of requests that did something else when they were simulated again, and of the usual causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.history.records import COLUMNS
from sim.history.vocabulary import NEVER, Outcome
from sim.kernel.durations import format_duration
from sim.text.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.repeats import Unrepeated

HEADLINE: Final = "NOT REPEATABLE"
CAUSES: Final = (
    "the usual causes are chance of the retrier's own (`random`, `uuid`, NumPy's generators: draw with ctx.uniform), "
    "a clock (ask ctx.now_ms), the order of a set, and state that outlives a request: a class attribute, a global of a "
    "module, an object that several retriers hold (keep state in self)"
)
MOST_NAMED = 2
_TELLING: Final = ("outcome", "attempts", "effects", "settled_ns", "first_effect_ns", "last_attempt_end_ns", "polls")
"""The columns that say most, first."""
_WORDS: Final = {
    "outcome": "it ended as",
    "settled_ns": "it settled at",
    "first_effect_ns": "its effect came at",
    "last_attempt_end_ns": "its last attempt ended at",
    "known_attempt_end_ns": "the last attempt known of ended at",
    "action_ns": "its actions ran for",
}


def repeat_sentences(cells: Sequence[tuple[str, Sequence[Unrepeated]]]) -> list[str]:
    """Say of cells, given by name, which requests did not repeat and what that means; nothing if all did."""
    found = [(name, requests) for name, requests in cells if requests]
    if not found:
        return []
    name, requests = found[0]
    first = requests[0]
    place = f" of '{name}'" if len(cells) > 1 else ""
    others = sum(len(more) for _, more in found) - 1
    more = f" (so did {counted(others, 'other request')} of those that were tried)" if others else ""
    did = f"request {first.request}{place} did something else when it was simulated again{more}"
    return [
        f"{HEADLINE}: {did}: {unrepeated_text(first)}.",
        f"So these numbers depend on more than the scenario and its seed, and no replay need show the same; {CAUSES}.",
    ]


def unrepeated_text(found: Unrepeated) -> str:
    """Say in what a request differed: `it ended as success, then as gave_up; it had 2 attempts, then 1`."""
    ranks = {name: rank for rank, name in enumerate(_TELLING)}
    ranked = sorted(found.columns, key=lambda column: ranks.get(column[0], len(ranks)))
    return "; ".join(_column_text(*column) for column in ranked[:MOST_NAMED])


def _column_text(name: str, first: int, again: int) -> str:
    words = _WORDS.get(name)
    if words is None:
        return f"it had {counted(first, name.replace('_', ' ').removesuffix('s'))}, then {again:,}"
    one, other = (_value_text(name, value) for value in (first, again))
    return f"{words} {one}, then {words.rpartition(' ')[2]} {other}"


def _value_text(name: str, value: int) -> str:
    if name == "outcome":
        return Outcome(value).name
    return "never" if value == NEVER and COLUMNS[name].unit == "instant" else format_duration(value)
