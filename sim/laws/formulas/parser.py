"""Reads formulas: arithmetic on numbers, durations and names that are known, and nothing else.

A formula comes from a file of unknown origin, so it is never run as code: the parser here knows its own few forms, and
bounds the length and the depth of what it reads. Operators bind as in Python.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.kernel.durations import NS_PER_MS, parse_duration
from sim.laws.formulas.tree import Apply, Name, Number, Tree

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST: Final = 1000
"""Characters of a formula."""
DEEPEST: Final = 60
"""Operations inside of each other; a sum of so many terms is as deep."""
_SHOWN: Final = 60

FUNCTIONS: Final = {
    "min": (2, DEEPEST),
    "max": (2, DEEPEST),
    "floor": (1, 2),
    "round": (1, 2),
    "tanh": (1, 1),
    "sqrt": (1, 1),
    "log": (1, 1),
    "exp": (1, 1),
    "pow": (2, 2),
}
"""The least and the most arguments of each."""
_WANTED: Final = {(1, 1): "one value", (1, 2): "one value or two", (2, 2): "two values"}
_BY_ARGUMENTS: Final = {("floor", 2): "floor_to", ("round", 2): "round_to", ("pow", 2): "**"}

_BINDS: Final = {"+": (1, 2), "-": (1, 2), "*": (3, 4), "/": (3, 4), "%": (3, 4), "**": (7, 5)}
"""How strongly operators bind to their left and right; a sign stands between products and powers."""
_SIGN_BINDS: Final = 5

_UNIT: Final = "(?:ns|us|ms|s|m|h|d)"
_TOKEN: Final = re.compile(
    rf"""[ \t\n]*(?:
    (?P<duration>(?:[0-9]+(?:\.[0-9]+)?{_UNIT})+(?![A-Za-z0-9_.]))
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>\*\*|[-+*/%(),])
    |(?P<end>\Z))""",
    re.VERBOSE,
)
_BLANKS: Final = re.compile(r"[ \t\n]*")
_REFUSED: Final = {
    "a formula compares nothing; use min and max": "<>=!",
    "a formula has no texts": "'\"`",
    "a formula has no lists and no indexes; use round brackets": "[]{}",
    "a formula has no parts of names, and numbers start with a digit": ".",
    "a formula has no conditions and no functions of its own": ":?&|~^@;",
}


class FormulaError(ValueError):
    """A text that is no formula: `column` (from 1) says where in `text`, `reason` what is wrong there."""

    def __init__(self, text: str, column: int, reason: str) -> None:
        shown = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
        super().__init__(f"{reason} (at column {column} of '{shown}')")
        self.text = text
        self.column = column
        self.reason = reason


class _Token(NamedTuple):
    kind: str
    text: str
    column: int


def parse(text: str, names: Collection[str]) -> Tree:
    """Read a formula in which these names have values.

    Raises FormulaError, with the place, for everything that is no formula.
    """
    if len(text) > LONGEST:
        raise FormulaError(text, LONGEST + 1, f"a formula has at most {LONGEST} characters, this one has {len(text):,}")
    return _Parser(text, names).whole()


class _Parser:
    """One formula on its way from text to tree; operators are taken by how strongly they bind (Pratt's way)."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self._text = text
        self._names = names
        self._next = self._token(0)

    def whole(self) -> Tree:
        if self._next.kind == "end":
            raise self._error(self._next, "a formula is not empty")
        tree, _ = self._expression(0, 0)
        if self._next.kind != "end":
            raise self._error(self._next, f"expected an operator or the end, got '{self._next.text}'")
        return tree

    def _expression(self, least: int, depth: int) -> tuple[Tree, int]:
        """Read as far as operators bind at least so strongly; return the tree and how deep it is."""
        if depth > DEEPEST:
            raise self._error(self._next, f"a formula has at most {DEEPEST} operations inside of each other")
        tree, height = self._operand(depth)
        while self._next.kind == "sign" and self._next.text in _BINDS:
            left, right = _BINDS[self._next.text]
            if left < least:
                break
            operator = self._take()
            other, other_height = self._expression(right, depth + 1)
            height = 1 + max(height, other_height)
            tree = Apply(operator.text, (tree, other))
            self._check_height(height, operator)
        return tree, height

    def _operand(self, depth: int) -> tuple[Tree, int]:
        token = self._take()
        match token.kind, token.text:
            case "duration", text:
                return Number(self._duration(token, text)), 0
            case "number", text:
                return Number(self._number(token, text)), 0
            case "name", _:
                return self._call(token, depth) if self._next.text == "(" else (self._name(token), 0)
            case "sign", "-":
                tree, height = self._expression(_SIGN_BINDS, depth + 1)
                return Apply("negative", (tree,)), height + 1
            case "sign", "+":
                return self._expression(_SIGN_BINDS, depth + 1)
            case "sign", "(":
                found = self._expression(0, depth + 1)
                self._close(token)
                return found
            case "end", _:
                raise self._error(token, "the formula ends where a number, a name or a bracket is missing")
        raise self._error(token, f"expected a number, a name or a bracket, got '{token.text}'")

    def _call(self, function: _Token, depth: int) -> tuple[Tree, int]:
        if function.text not in FUNCTIONS:
            raise self._unknown("function", function, FUNCTIONS)
        opening = self._take()
        arguments: list[Tree] = []
        height = 0
        while self._next.text != ")" or arguments:
            tree, this_height = self._expression(0, depth + 1)
            height = max(height, this_height) + (len(arguments) > 1)
            arguments.append(tree)
            if self._next.text != ",":
                break
            self._take()
        self._close(opening)
        least, most = FUNCTIONS[function.text]
        if not least <= len(arguments) <= most:
            wanted = _WANTED.get((least, most), "two values or more")
            raise self._error(function, f"{function.text} takes {wanted}, got {len(arguments) or 'none'}")
        self._check_height(height + 1, function)
        operation = _BY_ARGUMENTS.get((function.text, len(arguments)), function.text)
        if len(arguments) == 1:
            return Apply(operation, (arguments[0],)), height + 1
        tree = Apply(operation, (arguments[0], arguments[1]))
        for argument in arguments[2:]:
            tree = Apply(operation, (tree, argument))
        return tree, height + 1

    def _name(self, token: _Token) -> Tree:
        if token.text in self._names:
            return Name(token.text)
        if token.text in FUNCTIONS:
            raise self._error(token, f"{token.text} is a function; write {token.text}(...)")
        raise self._unknown("name", token, self._names)

    def _duration(self, token: _Token, text: str) -> float:
        try:
            return parse_duration(text) / NS_PER_MS
        except ValueError as error:
            raise self._error(token, str(error)) from None

    def _number(self, token: _Token, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            raise self._error(token, "the number is too large")
        return value

    def _close(self, opening: _Token) -> None:
        if self._next.text != ")":
            got = f"'{self._next.text}'" if self._next.text else "the end"
            raise self._error(self._next, f"expected ')' for the '(' at column {opening.column}, got {got}")
        self._take()

    def _check_height(self, height: int, token: _Token) -> None:
        if height > DEEPEST:
            raise self._error(token, f"a formula has at most {DEEPEST} operations inside of each other")

    def _take(self) -> _Token:
        taken = self._next
        if taken.kind != "end":
            self._next = self._token(taken.column - 1 + len(taken.text))
        return taken

    def _token(self, start: int) -> _Token:
        found = _TOKEN.match(self._text, start)
        if found is None:
            blanks = _BLANKS.match(self._text, start)
            at = start if blanks is None else blanks.end()
            raise self._refusal(at, self._text[at])
        kind = found.lastgroup or "end"
        return _Token(kind, found[kind], found.start(kind) + 1)

    def _refusal(self, at: int, character: str) -> FormulaError:
        if character in "0123456789":
            written = re.compile(r"[A-Za-z0-9_.]*").match(self._text, at)
            shown = "" if written is None else written[0][:_SHOWN]
            reason = f"'{shown}' is neither a number nor a duration such as 250ms, 1.5s or 1m30s"
        else:
            reasons = [reason for reason, characters in _REFUSED.items() if character in characters]
            reason = reasons[0] if reasons else "a formula has numbers, names, brackets and + - * / % ** only"
            reason = f"unexpected {character!r}: {reason}" if character.isprintable() else reason
        return FormulaError(self._text, at + 1, reason)

    def _unknown(self, what: str, token: _Token, known: Collection[str]) -> FormulaError:
        shown = token.text if len(token.text) <= _SHOWN else token.text[: _SHOWN - 3] + "..."
        near = get_close_matches(shown, sorted(known), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(sorted(known)) or 'none'}"
        return self._error(token, f"unknown {what} '{shown}'{hint}")

    def _error(self, token: _Token, reason: str) -> FormulaError:
        return FormulaError(self._text, token.column, reason)
