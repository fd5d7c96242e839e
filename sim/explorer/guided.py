"""Choices that go a written way: the course that a search, a counterexample or a test prescribes.

Everything not determined becomes a question with finitely many answers, numbered in the order in which they are asked;
questions with one answer are not asked. Answer 0 is what happens when nothing is disturbed: the outcome that takes the
rest of the shares (success), the order of the simulator, no death. A course is written as the answers that differ.

A stream of uniform numbers takes the values that it is given here, and no others; that is a bound of every search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.kernel.choices import WORLD, DelayOf, Law

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MIDDLE = (0.5,)
"""What a stream takes unless it is told otherwise."""


class Question(NamedTuple):
    """One thing that could have gone otherwise."""

    ways: int
    """How many answers there are, at least 2."""
    what: str
    """The stream, or what is picked."""
    entity: int
    number: int
    """Which one of its kind: of an outcome the attempt."""


class NoSuchAnswer(LookupError):
    """A course does not fit its world: it gives an answer that a question does not have, or to no question."""


class Guided:
    """Answers each question by its number.

    `takes` maps numbers of questions (0 first) to answers; all others are answered 0. `values` maps streams to the
    numbers on [0, 1) they may take, the first being answer 0. Of attempts beyond `attempts_at_most` the outcome is not
    asked. Raises NoSuchAnswer.
    """

    def __init__(
        self,
        takes: Mapping[int, int] | None = None,
        *,
        values: Mapping[str, Sequence[float]] | None = None,
        attempts_at_most: int | None = None,
    ) -> None:
        self.takes = takes or {}
        self.values = values or {}
        self.attempts_at_most = attempts_at_most
        self.asked: list[Question] = []
        self.held_back = False
        """Whether an outcome was not asked because of `attempts_at_most`."""

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        """Answer a question with `ways` answers."""
        if ways == 1:
            return 0
        asked = self.asked
        answer = self.takes.get(len(asked), 0)
        if not 0 <= answer < ways:
            raise NoSuchAnswer(f"question {len(asked)} ({what}) has answers 0 to {ways - 1}, not {answer}")
        asked.append(Question(ways, what, entity, index))
        return answer

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Take one of the stream's values."""
        del rerun
        values = self.values.get(stream, MIDDLE)
        return values[self.pick(len(values), stream, entity, index)]

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        """Choose a branch that has a share; answer 0 is the last of them, the others follow in their order."""
        branches = [
            position
            for position, (low, high) in enumerate(zip((0.0, *cumulative), (*cumulative, 1.0), strict=True))
            if high > low
        ]
        branches = [branches[-1], *branches[:-1]]
        if stream == "outcome" and self.attempts_at_most is not None and index > self.attempts_at_most:
            self.held_back |= len(branches) > 1
            return branches[0]
        return branches[self.pick(len(branches), stream, entity, index)]

    def delays(self, law: Law, stream: str) -> DelayOf:
        """Bind a law to a stream: the delays that its values come to, each once."""
        values = np.array(self.values.get(stream, MIDDLE), dtype=np.float64)
        delays_ns: list[int] = list(dict.fromkeys(law.sample_ns(values).tolist()))

        def delay(entity: int, index: int, rerun: int) -> int:
            del rerun
            return delays_ns[self.pick(len(delays_ns), stream, entity, index)]

        return delay
