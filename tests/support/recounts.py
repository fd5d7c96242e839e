"""Budgets and breakers counted once more, from lists of all that happened: slow, plain, and with fractions.

Each function looks at whole lists and remembers nothing, so that it cannot share a mistake with a cell that keeps sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NS_PER_S = 10**9


def tokens_left(
    capacity: Fraction, start: Fraction, per_second: Fraction, changes: Sequence[tuple[int, Fraction]], now_ns: int
) -> Fraction:
    """Return how many tokens there are now, after these changes at these instants; time brings them evenly."""
    level, at_ns = start, 0
    for instant_ns, change in [*changes, (now_ns, Fraction(0))]:
        level = min(capacity, level + per_second * (instant_ns - at_ns) / NS_PER_S)
        level = max(Fraction(0), min(capacity, level + change))
        at_ns = instant_ns
    return level


def in_span(instants_ns: Sequence[int], of_ns: int | None, now_ns: int) -> int:
    """Return how many instants lie in (now - of, now], or up to now if `of_ns` is None."""
    return sum(instant <= now_ns and (of_ns is None or instant > now_ns - of_ns) for instant in instants_ns)


def window_allows(
    *,
    share: Fraction,
    of_ns: int,
    per_second: Fraction,
    requests_ns: Sequence[int],
    retries_ns: Sequence[int],
    now_ns: int,
    down: bool = False,
) -> bool:
    """Whether one more retry may go by a budget of kind `window`."""
    allowed = share * in_span(requests_ns, of_ns, now_ns) + per_second * of_ns / NS_PER_S
    return in_span(retries_ns, of_ns, now_ns) < (allowed // 1 if down else allowed)


def failures_allow(
    share: Fraction, of_ns: int | None, requests_ns: Sequence[int], failed_ns: Sequence[int], now_ns: int
) -> bool:
    """Whether a retry may go by a budget of kind `failures`."""
    return in_span(failed_ns, of_ns, now_ns) <= share * in_span(requests_ns, of_ns, now_ns)


Answer = tuple[int, bool, bool]
"""When it came, whether it failed, whether it was slow."""


def answers_seen(kind: str, size: int, slots: int, answers: Sequence[Answer], now_ns: int) -> tuple[int, int, int]:
    """Return how many answers, failures and slow ones a window of this kind has now."""
    seen = list(answers)
    if kind == "calls":
        seen = seen[-size:]
    elif kind == "time":
        seen = [answer for answer in seen if answer[0] > now_ns - size]
    elif kind == "slots":
        width_ns = size // slots
        seen = [answer for answer in seen if answer[0] // width_ns > now_ns // width_ns - slots]
    elif kind == "slots_from_answer":
        starts_ns: list[int] = []
        slot_of = []
        for instant_ns, _, _ in seen:
            if not starts_ns or instant_ns - starts_ns[-1] >= size // slots:
                starts_ns.append(instant_ns)
            slot_of.append(starts_ns[-1])
        seen = [answer for answer, start_ns in zip(seen, slot_of, strict=True) if now_ns - start_ns < size]
    elif kind == "consecutive":
        successes = [place for place, answer in enumerate(seen) if not answer[1]]
        seen = seen[successes[-1] + 1 :] if successes else seen
        return len(seen), len(seen), 0
    return len(seen), sum(failed for _, failed, _ in seen), sum(slow for _, _, slow in seen)


@dataclass(frozen=True)
class BreakerRules:
    """What a breaker is told, as fractions and plain words."""

    window: str
    size: int
    slots: int
    opens: Fraction
    at_least: int
    calls: int
    half_open_at_least: int
    closes: Fraction
    open_ns: Callable[[int], int]
    slow_over_ns: int | None = None
    slow_opens: Fraction = Fraction(1)
    at_failure: bool = False
    keeps: bool = False
    late: bool = False
    max_wait_ns: int | None = None


@dataclass(frozen=True)
class Step:
    """One thing that a breaker is told: a call asks, or call number `call` of those that passed is over."""

    now_ns: int
    what: Literal["ask", "answer", "uncounted"]
    call: int = 0
    failed: bool = False
    took_ns: int = 0


@dataclass
class Course:
    """What came of steps: the changes with their instants, and which asks passed."""

    changes: list[tuple[str, int]] = field(default_factory=lambda: [("closed", 0)])
    passed: list[bool] = field(default_factory=list)
    spell_of: list[int] = field(default_factory=list)
    """The state in which each call passed, by its place in `changes`."""
    heard: list[tuple[int, Answer]] = field(default_factory=list)
    """All answers that count, with the state in which they do."""
    released: list[int] = field(default_factory=list)
    """The state of each place that was given back."""

    @property
    def spell(self) -> int:
        """The present state, by its place in `changes`."""
        return len(self.changes) - 1


def course_of(rules: BreakerRules, steps: Sequence[Step]) -> Course:
    """Tell what a breaker does, state by state, from all that it was told."""
    course = Course()
    for step in steps:
        state, since_ns = course.changes[-1]
        if state == "half_open" and rules.max_wait_ns is not None and step.now_ns - since_ns >= rules.max_wait_ns:
            course.changes.append(("open", since_ns + rules.max_wait_ns))
        if step.what == "ask":
            _ask(rules, course, step)
        elif step.what == "answer":
            _answer(rules, course, step)
        elif course.spell_of[step.call] == course.spell and not rules.keeps:
            course.released.append(course.spell)
    return course


def _ask(rules: BreakerRules, course: Course, step: Step) -> None:
    state, since_ns = course.changes[-1]
    if state == "open" and step.now_ns >= since_ns + rules.open_ns(_openings_in_a_row(course.changes)):
        state = "half_open"
        course.changes.append((state, step.now_ns))
    places = course.spell_of.count(course.spell) - course.released.count(course.spell)
    passes = state == "closed" or (state == "half_open" and places < rules.calls)
    course.passed.append(passes)
    if passes:
        course.spell_of.append(course.spell)


def _answer(rules: BreakerRules, course: Course, step: Step) -> None:
    if course.spell_of[step.call] != course.spell and not rules.late:
        return
    slow = rules.slow_over_ns is not None and step.took_ns > rules.slow_over_ns
    course.heard.append((course.spell, (step.now_ns, step.failed, slow)))
    here = [answer for spell, answer in course.heard if spell == course.spell]
    state = course.changes[-1][0]
    if state == "closed":
        seen = answers_seen(rules.window, rules.size, rules.slots, here, step.now_ns)
        judged = step.failed or slow or not rules.at_failure
        if judged and seen[0] >= rules.at_least and _bad(rules, seen, rules.opens):
            course.changes.append(("open", step.now_ns))
    elif state == "half_open":
        seen = answers_seen("life", 0, 0, here, step.now_ns)
        if seen[0] >= rules.half_open_at_least:
            course.changes.append(("open" if _bad(rules, seen, rules.closes) else "closed", step.now_ns))


def passed_in_half_open(changes: Sequence[tuple[str, int]], passed_ns: Sequence[int]) -> list[int]:
    """Return how many calls passed in each spell of half-open, from its begin to before the next change."""
    ends_ns = [since_ns for _, since_ns in changes[1:]]
    return [
        sum(
            since_ns <= instant_ns and (place >= len(ends_ns) or instant_ns < ends_ns[place])
            for instant_ns in passed_ns
        )
        for place, (state, since_ns) in enumerate(changes)
        if state == "half_open"
    ]


def _openings_in_a_row(changes: Sequence[tuple[str, int]]) -> int:
    states = [state for state, _ in changes]
    last_closed = max(place for place, state in enumerate(states) if state == "closed")
    return states[last_closed:].count("open")


def _bad(rules: BreakerRules, seen: tuple[int, int, int], opens: Fraction) -> bool:
    answers, failures, slow = seen
    return Fraction(failures, answers) >= opens or (
        rules.slow_over_ns is not None and Fraction(slow, answers) >= rules.slow_opens
    )
