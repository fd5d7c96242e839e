"""What the histories of a run say for and against its laws, gathered until it can be put to the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernel.draws import Draws
from sim.measure import chances

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = NDArray[np.float64]
Key = tuple[str, str]
"""(name of the invariant, what was drawn)."""

FEWEST: Final = 6
"""Draws below which no test is worth its share of the level."""
NARROW: Final = 1e-6
"""A draw whose interval is at most this wide tells by its value where it comes from."""


class Trial(NamedTuple):
    """One test."""

    invariant: str
    what: str
    """What was tested, as the beginning of a sentence."""
    finding: str
    """What is found if the test strikes, as the end of it."""
    draws: int
    chance: float
    """How likely it is to see this or worse, if the law holds."""

    @property
    def text(self) -> str:
        """One plain sentence."""
        chance = f"{self.chance:.1e}" if self.chance else "0"
        return f"{self.what} {self.finding} ({self.draws:,} draws; by chance: {chance})"


@dataclass(slots=True)
class Evidence:
    """Draws as uniforms, by what they are draws of; those of several runs can be put together."""

    spans: dict[Key, list[tuple[Floats, Floats]]] = field(default_factory=dict)
    """Intervals of uniforms, (low, high)."""
    pairs: dict[Key, list[tuple[Floats, Floats]]] = field(default_factory=dict)
    """Uniforms that should know nothing of each other."""
    others: list[Trial] = field(default_factory=list)
    draws: int = 0
    """How many draws there are, each counted once."""

    def follow(self, key: Key, low: Floats, high: Floats) -> None:
        """Add draws that follow a law, as intervals of uniforms, shape (n,)."""
        self.spans.setdefault(key, []).append((low, high))

    def differ(self, key: Key, one: Floats, other: Floats) -> None:
        """Add pairs of uniforms, each of shape (n,), that should be independent."""
        self.pairs.setdefault(key, []).append((one, other))

    def count(self, key: Key, hits: int, count: int, share: float) -> None:
        """Add how often something happened that should happen with this share."""
        if count >= FEWEST or (hits and share <= 0.0):
            found = f"{hits:,} of {count:,}, stated as {share:.4g}"
            self.others.append(
                Trial(*key, f"occur too often or too seldom: {found}", count, chances.share_of(hits, count, share))
            )

    def alike(self, key: Key, values: NDArray[np.int64] | Floats, cells: Floats) -> None:
        """Add values that should differ, shape (n,); `cells` is how likely each is to be met again."""
        count = len(values)
        expected = (count - 1) / 2 * float(cells.sum())
        if count >= FEWEST and expected < 1.0:
            same = count - len(np.unique(values))
            chance = chances.so_many_alike(same, expected)
            self.others.append(Trial(*key, f"repeat each other: {same:,} values come again", count, chance))

    def named(self, behind: str) -> Evidence:
        """Return the same evidence with some words behind what was drawn, so that it stays apart from other draws."""
        return Evidence(
            {(name, what + behind): parts for (name, what), parts in self.spans.items()},
            {(name, what + behind): parts for (name, what), parts in self.pairs.items()},
            [one._replace(what=one.what + behind) for one in self.others],
            self.draws,
        )

    def add(self, other: Evidence) -> None:
        """Add what another run says."""
        for mine, theirs in ((self.spans, other.spans), (self.pairs, other.pairs)):
            for key, parts in theirs.items():
                mine.setdefault(key, []).extend(parts)
        self.others += other.others
        self.draws += other.draws

    def trials(self) -> Iterator[Trial]:
        """Put everything to the test."""
        yield from self.others
        for (invariant, what), parts in self.spans.items():
            low, high = (np.concatenate(column) for column in zip(*parts, strict=True))
            count = len(low)
            if np.any((low >= 1.0) | (high <= 0.0)):
                yield Trial(invariant, what, "lie where the law has nothing", count, 0.0)
            if count >= FEWEST:
                for test, finding in _TESTS:
                    yield Trial(invariant, what, finding, count, test(low, high))
        for (invariant, what), parts in self.pairs.items():
            one, other = (np.concatenate(column) for column in zip(*parts, strict=True))
            if len(one) >= FEWEST:
                # Of two independent uniforms, the sum and the difference around a circle are uniform too.
                for circle in (other - one, other + one):
                    around = circle % 1.0
                    chance = chances.kolmogorov(around, around)
                    yield Trial(invariant, what, "depend on each other", len(one), chance)


_TESTS: Final = (
    (chances.kolmogorov, "do not follow their law"),
    (chances.none_near, "never come near an end of their law"),
    (chances.too_many_at, "lie too often at an end of their law"),
)


def scattered(low: Floats, high: Floats, salt: str) -> Floats:
    """Return uniforms somewhere in these intervals, evenly: if the law holds they are exactly uniform.

    The same intervals with the same salt give the same uniforms, so that a check has one answer.
    """
    inside: Floats = Draws(0).uniforms(salt, np.arange(len(low), dtype=np.int64))
    return low + inside * (high - low)
