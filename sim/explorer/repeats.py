"""Runs a course again: with the same answers it must ask the same questions and leave the same history.

A search numbers the questions of a course and takes each other answer in turn, so it stands on that. A retrier that
draws from `random`, looks at a clock or keeps something in its class breaks it: then what a search finds, and what it
does not find, means nothing, and it refuses to go on.

Each course of a search is held against the one that it departs from: the question that it answers otherwise must be the
same. The first courses, and a few of all later ones, are run twice. The very first are run once more with the retrier's
module run anew (if the command line names it, `module:Class`), since what leaks may have leaked before the search.
Ports of this package are not tried: tests hold them to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sim.experiment.repeats import is_tried, maker_anew
from sim.explorer.course import Course
from sim.explorer.guided import NoSuchAnswer, WrittenGuide
from sim.explorer.narration import about
from sim.kernel.durations import format_duration
from sim.text.repeats import CAUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.explorer.guided import Answers, Guide, Question
    from sim.history.recorder import Raw
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

FIRST: Final = 64
"""So many courses are run twice."""
ONE_IN: Final = 64
"""Of the later courses one in so many is."""
ANEW: Final = 8
"""So many courses are run with the retrier's module run anew."""


class NotRepeatable(Exception):  # it tells of the retrier, not of a mistake of ours
    """The same course went another way, so that something besides its answers decides what the retrier does."""


def not_repeatable(what: str) -> NotRepeatable:
    """Return the exception that says what the same course did otherwise, and the usual causes."""
    return NotRepeatable(f"NOT REPEATABLE: the same course {what}; {CAUSES}")


class Repeater:
    """Runs courses of one small world again; `make` is that of `sim.explorer.explore`."""

    def __init__(self, scenario: Scenario, bounds: Bounds, make: Callable[[], Retrier] | None = None) -> None:
        self._scenario = scenario
        self._bounds = bounds
        self._make = make
        self.is_tried = is_tried(scenario, make)
        """Whether the retrier is tried at all."""
        self._seen = 0
        self._run_anew = 0

    def hold_some(self, course: Course, answers: Answers) -> None:
        """Run the course again if it is one of those that are. Raises NotRepeatable."""
        self._seen += 1
        if self.is_tried and (self._seen <= FIRST or self._seen % ONE_IN == 0):
            self.hold(course, answers)

    def hold(self, course: Course, answers: Answers, *, failed: bool = False) -> None:
        """Run the course again, as far as it went. Raises NotRepeatable; `failed`: it ended with NoSuchAnswer."""
        if self.is_tried:
            self.hold_against(course, lambda: WrittenGuide(answers, self._bounds.values), failed=failed)

    def hold_against(self, course: Course, guide: Callable[[], Guide], *, failed: bool = False) -> None:
        """Run a course again as `hold` does, with a guide like the one that it had."""
        if not self.is_tried:
            return
        _compare(course, self._course(guide(), self._make), failed=failed)
        anew = maker_anew(self._scenario) if self._make is None and self._run_anew < ANEW else None
        if anew is None:
            return
        self._run_anew += 1
        try:
            again = self._course(guide(), anew)
        except NoSuchAnswer:
            raise
        except Exception:  # noqa: BLE001  # code that was not written to be there twice may fail in any way
            return
        _compare(course, again, failed=failed)

    def _course(self, guide: Guide, make: Callable[[], Retrier] | None) -> Course:
        return Course(self._scenario, self._bounds, guide, retrier=make)

    def hold_fork(self, course: Course, question: int, expected: Question | None) -> None:
        """Hold the question that a course answers otherwise against the one it departs from. Raises NotRepeatable."""
        asked = course.questions[question] if 0 <= question < len(course.questions) else None
        if expected is not None and asked != expected:
            raise another_question(course.steps, question, expected, asked)


def _compare(first: Course, again: Course, *, failed: bool) -> None:
    """Let the second course go as far as the first one went, and compare them. Raises NotRepeatable."""
    try:
        _hold_against(first, again, failed=failed)
    finally:
        again.end()


def _hold_against(first: Course, again: Course, *, failed: bool) -> None:
    asked, other = first.questions, again.questions
    known, goes_on = 0, True
    while goes_on and again.steps < first.steps:
        try:
            goes_on = again.step()
        except NoSuchAnswer as error:
            if failed and again.steps == first.steps and other == asked:
                break  # the answer fits neither
            raise another_question(again.steps, len(other), _at(asked, len(other)), error.asked) from None
        for number in range(known, len(other)):
            if _at(asked, number) != other[number]:
                raise another_question(again.steps, number, _at(asked, number), other[number])
        known = len(other)
    if known < len(asked):
        raise another_question(again.steps, known, asked[known], None)
    if first.history().digest() != again.history().digest():
        raise not_repeatable(_another_event(first.recorder.raw, again.recorder.raw))


def _at(questions: Sequence[Question], number: int) -> Question | None:
    return questions[number] if number < len(questions) else None


def another_question(step: int, number: int, expected: Question | None, asked: Question | None) -> NotRepeatable:
    """Return the exception that says which question a course should have asked in a step, and which one it did."""
    was, now = ("no question" if one is None else f"{about(one)} ({one.ways} answers)" for one in (expected, asked))
    return not_repeatable(f"asked another question at step {step}: question {number} was: {was}; it is now: {now}")


def _another_event(first: list[Raw], again: list[Raw]) -> str:
    """Say which event of the first run is another one in the second."""
    for one, other in zip(first, again, strict=False):
        if one[:5] != other[:5] or repr(one[5]) != repr(other[5]):
            return f"asked the same questions, but left another history: {_event(one)}, but now {_event(other)}"
    return f"asked the same questions, but left {len(first):,} events, and now {len(again):,}"


def _event(raw: Raw) -> str:
    t_ns, kind, request, _, name, detail = raw
    whose = f" of request {request}" if request >= 0 else ""
    what = f"{kind} {name}".strip().replace("_", " ")
    value = f" {detail}" if isinstance(detail, (int, float, str)) and kind not in ("settled", "commit") else ""
    if kind == "sleep" and isinstance(detail, int):
        value = f" of {format_duration(detail)}"
    return f"'{what}{value}'{whose} at {format_duration(t_ns)}"
