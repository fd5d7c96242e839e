"""Shares of outcomes counted from a column of a file, whose words mean success, a failure or another outcome.

    outcomes: {file: calls.csv, column: status, as: {success: 2xx, fail: [5xx, 429], hang: timeout}}

The loader of scenarios reads the file and writes the shares beside it, so what follows are shares like any others.
Nothing is left out in silence: a word that is in no list of `as` is an error, unless one outcome takes the `rest`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, PrivateAttr

from sim.history.vocabulary import ATTEMPT_OUTCOMES, FAIL, FAILED, SUCCESS
from sim.laws.column_cells import count_words
from sim.laws.columns import ColumnName, FileColumn, OneOrMore, as_list
from sim.options.model import NAME
from sim.options.near_words import did_you_mean
from sim.tabular.words import Words, word_of

REST: Final = "rest"
SKIP: Final = "skip"
"""Rows that count for nothing."""
KEYS: Final = ("file", "column", "where", "as", "sha256", "rows")
MOST_NAMED: Final = 8
_KIND: Final = f"{FAILED}."


def _names_outcomes(given: dict[str, OneOrMore]) -> dict[str, OneOrMore]:
    known = [*ATTEMPT_OUTCOMES, SKIP]
    for name in given:
        kind = name.removeprefix(_KIND) if name.startswith(_KIND) else None
        if name not in known and (kind is None or not NAME.fullmatch(kind)):
            hint = did_you_mean(name, known)
            raise ValueError(f"'{name}' is no outcome; they are {', '.join(known)} and {_KIND}NAME{hint}")
    if FAIL in given and any(name.startswith(_KIND) for name in given):
        raise ValueError(f"'{FAIL}' stands beside kinds of failures; name all of them, such as {_KIND}other")
    rests = [name for name, words in given.items() if as_list(words) == (REST,)]
    if len(rests) > 1:
        raise ValueError(f"only one outcome takes the rest, not {' and '.join(rests)}")
    return given


Meanings = Annotated[dict[ColumnName, OneOrMore], Field(max_length=100), AfterValidator(_names_outcomes)]
"""Which words stand for which outcome."""


class Counted(FileColumn):
    """A column of words, and which outcome each of them stands for; `with_values` gives it its counts."""

    as_: Meanings | None = Field(default=None, alias="as")
    _counts: tuple[int, ...] = PrivateAttr(default=())

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that are counted, in the order of `as`."""
        return tuple(name for name in (self.as_ or ATTEMPT_OUTCOMES) if name != SKIP)

    @property
    def values_ns(self) -> tuple[int, ...]:
        """How many rows have each of `outcomes`; empty before `with_values`."""
        return self._counts

    def read(self, data: bytes | str) -> tuple[int, ...]:
        """Return how many rows of a file's contents have each of `outcomes`. Raises ValueError."""
        counts = self.counts(data)
        return tuple(counts[name] for name in self.outcomes)

    def with_values(self, counts: Sequence[int], sha256: str) -> Self:
        """Return the same options with the counts. Raises ValueError if the options state another digest or number."""
        self.checked(sum(counts), sha256)
        loaded = type(self)(
            file=self.file, column=self.column, where=self.where, as_=self.as_, sha256=sha256, rows=sum(counts)
        )
        loaded._counts = tuple(counts)  # noqa: SLF001  # an instance of its own class
        return loaded

    @property
    def shares(self) -> dict[str, float]:
        """The share of each outcome, without that of success, which takes the rest."""
        total = sum(self._counts)
        pairs = zip(self.outcomes, self._counts, strict=True)
        return {name: count / total for name, count in pairs if name != SUCCESS}

    def counts(self, data: bytes | str) -> dict[str, int]:
        """Return how many rows of a file's contents have each outcome, without those to skip. Raises ValueError."""
        words = count_words(data, self.column, self.rows_where)
        rules: Mapping[str, OneOrMore] = self.as_ or {name: (name,) for name in ATTEMPT_OUTCOMES}
        rest = next((name for name, listed in rules.items() if as_list(listed) == (REST,)), None)
        listed = {name: Words(map(word_of, as_list(words))) for name, words in rules.items() if name != rest}
        found = dict.fromkeys((name for name in rules if name != SKIP), 0)
        unknown = []
        for word, count in words.items():
            fitting = [name for name, one in listed.items() if word in one]
            if len(fitting) > 1:
                raise ValueError(f"'{word}' is in the lists of {' and '.join(fitting)}")
            name = fitting[0] if fitting else rest
            if name is None:
                unknown.append(f"'{word}' ({count:,} row{'' if count == 1 else 's'})")
            elif name != SKIP:
                found[name] += count
        if unknown:
            more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
            raise ValueError(
                f"`as` does not say what these mean: {', '.join(unknown[:MOST_NAMED])}{more}; "
                "add them to an outcome, such as `as: {success: 2xx, fail: rest}`"
            )
        if not sum(found.values()):
            raise ValueError("every row is skipped")
        return found


def with_shares(written: Mapping[str, Any], shares: Mapping[str, float]) -> dict[str, Any]:
    """Return what a scenario writes of outcomes with the shares filled in; what it says else of them stays.

    Raises ValueError if it says other shares than these.
    """
    filled = {name: value for name, value in written.items() if name in KEYS}
    kinds = {name.removeprefix(_KIND): share for name, share in shares.items() if name.startswith(_KIND)}
    for name, share in shares.items():
        if not name.startswith(_KIND):
            filled[name] = _with_share(name, written.get(name), share)
    if kinds:
        given = written.get(FAIL) or []
        if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
            raise ValueError(f"`as` counts failures of kinds; write `{FAIL}` as a list with an entry for each kind")
        by_kind = {str(one.get("kind")): one for one in given}
        filled[FAIL] = [
            {"kind": kind, **_long(_with_share(kind, by_kind.pop(kind, None), kinds[kind]))} for kind in kinds
        ]
        if by_kind:
            raise ValueError(f"no row is of the kind {', '.join(by_kind)}; `as` names the kinds")
    for name, value in written.items():
        if name not in filled and value is not None:
            if name in ATTEMPT_OUTCOMES and _share(value) in {None, 0}:
                filled[name] = _with_share(name, value, 0.0)
            elif name in ATTEMPT_OUTCOMES:
                raise ValueError(f"the file gives the shares, and none to {name}; take the share of {name} out")
            else:
                filled[name] = value
    return filled


def without_file(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a scenario writes of outcomes besides the file, with no shares: what else is wrong can be found."""

    def with_some_share(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [with_some_share(one) for one in value]
        return {"share": 0.0, **value} if isinstance(value, Mapping) else value

    return {name: with_some_share(value) for name, value in written.items() if name not in KEYS}


def _with_share(name: str, given: Any, share: float) -> Any:
    stated = _share(given)
    if stated is not None and stated != share:
        raise ValueError(f"the file gives {name} a share of {share:.6g}, not {stated:.6g}; take out one of them")
    return {**given, "share": share} if isinstance(given, Mapping) else share


def _share(given: Any) -> Any:
    return given.get("share") if isinstance(given, Mapping) else given


def _long(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {"share": value}
