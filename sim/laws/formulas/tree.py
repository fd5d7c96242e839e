"""Formulas as trees of numbers, names and operations, and what can be worked out before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.laws.formulas.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Number:
    """A number; durations are numbers of milliseconds."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A value that is known only when the formula is evaluated."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation, by its name in `OPERATIONS`, on one value or two."""

    operation: str
    arguments: tuple[Tree, ...]


Tree = Number | Name | Apply

_STRENGTH: Final = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "negative": 3, "**": 4}
"""How strongly an operator binds; what is not here is written as a call or alone."""
_ATOM: Final = 5
_WRITTEN: Final = {"floor_to": "floor", "round_to": "round"}


def names_of(tree: Tree) -> set[str]:
    """Return the names that a formula has in it."""
    match tree:
        case Number():
            return set()
        case Name():
            return {tree.name}
    return set().union(*map(names_of, tree.arguments))


def folded(tree: Tree, known: Mapping[str, Tree]) -> Tree:
    """Put formulas or numbers in place of some names, and evaluate all that then depends on no name.

    Nothing is reordered, so what is left has the values that the whole has, in every bit.
    """
    match tree:
        case Number():
            return tree
        case Name():
            return known.get(tree.name, tree)
    arguments = tuple(folded(argument, known) for argument in tree.arguments)
    numbers = [argument.value for argument in arguments if isinstance(argument, Number)]
    if len(numbers) == len(arguments):
        return Number(OPERATIONS[tree.operation].of_numbers(*numbers))
    return Apply(tree.operation, arguments)


def written(tree: Tree) -> str:
    """Write a formula as text from which `parse` makes the same tree; durations become numbers of milliseconds."""
    return _written(tree)[0]


def _written(tree: Tree) -> tuple[str, int]:
    """Return the text and how strongly its outermost operator binds."""
    match tree:
        case Number():
            return f"{tree.value!r}", _ATOM
        case Name():
            return tree.name, _ATOM
    operation, texts = tree.operation, [_written(argument) for argument in tree.arguments]
    strength = _STRENGTH.get(operation)
    if strength is None:
        return f"{_WRITTEN.get(operation, operation)}({', '.join(text for text, _ in texts)})", _ATOM
    if operation == "negative":
        return f"-{_within(texts[0], strength)}", strength
    # Powers are read from the right, all others from the left.
    left, right = (strength + 1, strength - 1) if operation == "**" else (strength, strength + 1)
    return f"{_within(texts[0], left)} {operation} {_within(texts[1], right)}", strength


def _within(written_tree: tuple[str, int], least: int) -> str:
    text, strength = written_tree
    return text if strength >= least else f"({text})"
