"""Choices that follow a guide: the course that a search, a counterexample or a test prescribes.

Everything not determined becomes a question with finitely many answers. Questions are numbered in the order in which
they are asked; questions with one answer are not asked. Answer 0 is what happens if nothing is disturbed: the outcome
that takes the rest of the shares (success), the order of the simulator, no death. A course is written as the answers
that differ.

A stream of uniform numbers takes only the values that the guide gives it: a bound of every search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from sim.kernel.choices import WORLD, DelayOf, Law

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MIDDLE = (0.5,)
"""The values of a stream for which none are stated."""

Answers = tuple[tuple[int, int], ...]
"""The answers of a course that are not 0: (question, answer), ascending."""


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
    """A course does not fit its world: it answers a question that is not asked, or with an answer out of range."""

    asked: Question | None = None
    """The question that has no such answer; None if it is not asked."""


class Guide(Protocol):
    """Says which way a course goes."""

    @property
    def answers(self) -> Mapping[int, int]:
        """The answers that are not 0, by question."""
        ...

    def answer(self, question: int) -> int:
        """Return the answer to the question of this number."""
        ...

    def values(self, stream: str) -> Sequence[float]:
        """Return the numbers on [0, 1) that a stream may take; the first is answer 0."""
        ...


class WrittenGuide:
    """The guide of a course that is written down: its answers, all others being 0, and the values of streams."""

    def __init__(
        self,
        answers: Mapping[int, int] | Iterable[tuple[int, int]] = (),
        values: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.answers = dict(answers)
        self._values = values or {}

    def answer(self, question: int) -> int:
        """Return the answer to the question of this number."""
        return self.answers.get(question, 0)

    def values(self, stream: str) -> Sequence[float]:
        """Return the numbers on [0, 1) that a stream may take."""
        return self._values.get(stream, MIDDLE)


class GuidedChoices:
    """Asks a guide about everything that is not determined.

    The outcome of an attempt is not asked if its number is above `attempts_at_most`. Raises NoSuchAnswer.
    """

    def __init__(self, guide: Guide | None = None, *, attempts_at_most: int | None = None) -> None:
        self.guide = WrittenGuide() if guide is None else guide
        self.attempts_at_most = attempts_at_most
        self.asked: list[Question] = []
        self.attempts_bound_hit = False
        """Whether an outcome was not asked because of `attempts_at_most`."""

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        """Answer a question with `ways` answers."""
        if ways == 1:
            return 0
        asked = self.asked
        answer = self.guide.answer(len(asked))
        if not 0 <= answer < ways:
            error = NoSuchAnswer(f"question {len(asked)} ({what}) has answers 0 to {ways - 1}, not {answer}")
            error.asked = Question(ways, what, entity, index)
            raise error
        asked.append(Question(ways, what, entity, index))
        return answer

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        """Take one of the stream's values."""
        del rerun
        values = self.guide.values(stream)
        return values[self.pick(len(values), stream, entity, index)]

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        """Choose a branch that has a share; answer 0 is the last of them, the others follow in their order."""
        branches = [
            position
            for position, (low, high) in enumerate(zip((0.0, *cumulative), (*cumulative, 1.0), strict=True))
            if high > low
        ]
        branches = [branches[-1], *branches[:-1]]
        is_outcome = stream.partition("@")[0] == "outcome"  # of the action, or of a service that has its name behind it
        if is_outcome and self.attempts_at_most is not None and index > self.attempts_at_most:
            self.attempts_bound_hit |= len(branches) > 1
            return branches[0]
        return branches[self.pick(len(branches), stream, entity, index)]

    def delays(self, law: Law, stream: str) -> DelayOf:
        """Bind a law to a stream: its values become delays, equal ones counted once."""
        values = np.array(self.guide.values(stream), dtype=np.float64)
        delays_ns: list[int] = list(dict.fromkeys(law.sample_ns(values).tolist()))

        def delay(entity: int, index: int, rerun: int) -> int:
            del rerun
            return delays_ns[self.pick(len(delays_ns), stream, entity, index)]

        return delay
