"""A course in words: what each of its answers is about, and what it makes happen.

The question alone decides what it is about, so a written course can be compared with the questions of the world that
plays it. What an answer makes happen shows only when the course is played.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sim.explorer.course import DEATH, INTERRUPT, ORDER
from sim.explorer.guided import WrittenGuide
from sim.history.dealing import FIRST_OWN
from sim.history.vocabulary import CANCEL
from sim.kernel.choices import WORLD
from sim.stories.phrases import span_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sim.explorer.course import Course
    from sim.explorer.guided import Question
    from sim.history.recorder import Raw

OUTCOME = "outcome"
_OF_THE_WORLD = MappingProxyType(
    {
        ORDER: "which of the things due at once goes first",
        INTERRUPT: "whether anything comes before the next step",
        DEATH: "whether the server dies in the middle of a step",
    }
)
_OF_AN_ATTEMPT = MappingProxyType(
    {
        OUTCOME: "outcome",
        "latency": "latency",
        "death": "moment of death",
        "final": "finality of the error",
        "retry_after": "wait named by the error",
        "shed": "rejection for too much load",
        "network.request": "way there",
        "network.reply": "way back",
    }
)

_EVENTS = MappingProxyType(
    {
        "submit": "the submission",
        "resubmit": "submission {subject}",
        "commit": "the commit of {name}",
        "attempt": "the start of attempt {subject}",
        "attempt_end": "the end of attempt {subject}",
        "effect": "the effect of attempt {subject}",
        "call": "the call of {name}",
        "arrived": "the arrival at {name} of a call",
        "queued": "the wait at {name} of a call",
        "rejected": "the rejection by {name} of a call",
        "dropped": "the drop by {name} of a call",
        "work": "the start of the work of {name} on a call",
        "work_end": "the end of the work of {name} on a call",
        "servers": "a change of the servers of {name}",
        "restart": "a death of the server",
        "boot": "the server's return",
    }
)


def about(question: Question) -> str:
    """Say what a question is about, such as `outcome of attempt 1 of request 0`."""
    what, whose = question.what, _whose(question.entity)
    if question.entity == WORLD:
        return _OF_THE_WORLD.get(what, f"{what} {question.number}")
    kind, _, service = what.partition("@")
    if kind in _OF_AN_ATTEMPT:
        return f"{_OF_AN_ATTEMPT[kind]} of attempt {question.number}{whose}{f' at {service}' if service else ''}"
    return f"{what} {question.number}{whose}"


def _whose(request: int) -> str:
    """Say whose something is: a request's, or a pool's own."""
    if request > FIRST_OWN:
        return f" of request {request}"
    return " of the pool" if request == FIRST_OWN else f" of pool {FIRST_OWN - request + 1}"


class Disturbance(NamedTuple):
    """One answer of a course that differs from the undisturbed way."""

    question: int
    answer: int
    about: str
    """What the question is about."""
    t_ns: int
    """When it was asked."""
    effect: str
    """What the answer made happen."""

    @property
    def line(self) -> str:
        """When it comes, and what happens."""
        return f"at {span_text(self.t_ns)} {self.effect}"


class NotingGuide(WrittenGuide):
    """A written guide that notes where in the history it gives each answer."""

    def __init__(self, answers: Mapping[int, int], values: Mapping[str, Sequence[float]]) -> None:
        super().__init__(answers, values)
        self.course: Course | None = None
        """The course under way; None while its world is put together."""
        self.notes: dict[int, tuple[int, int]] = {}
        """For each answer that differs, by question: the instant in ns, and how many events had been recorded."""

    def answer(self, question: int) -> int:
        """Return the answer to the question of this number; note it if it differs from the undisturbed way."""
        if question in self.answers:
            course = self.course
            self.notes[question] = (0, 0) if course is None else (course.world.clock.now_ns, len(course.recorder.raw))
        return super().answer(question)


def disturbances(course: Course, guide: NotingGuide) -> tuple[Disturbance, ...]:
    """Put the answers of a course that followed this guide into words, in the order in which they were asked for."""
    asked, raw = course.questions, course.recorder.raw
    found = []
    for number, (t_ns, position) in guide.notes.items():
        if number < len(asked):
            question, answer = asked[number], guide.answers[number]
            words = _Answered(question, answer, raw, position, course.bounds.values.get(question.what, ())).words()
            found.append(Disturbance(number, answer, about(question), t_ns, words))
    return tuple(found)


class _Answered:
    """An answer with the history before and after it."""

    def __init__(
        self, question: Question, answer: int, raw: Sequence[Raw], position: int, values: Sequence[float]
    ) -> None:
        self.question = question
        self.answer = answer
        self.values = values
        self.before = raw[position - 1] if position else None
        self.after = raw[position:]

    def words(self) -> str:
        """Say what the answer made happen."""
        question, answer = self.question, self.answer
        if question.entity == WORLD:
            if question.what == DEATH:
                return f"the server dies in mid-step{self._after()}"
            if question.what == INTERRUPT:
                return self._interruption()
            if question.what == ORDER:
                return f"number {answer + 1} of {question.ways} things due at once goes first{self._first()}"
        return self._outcome() or f"{about(question)}: {self._value()}"

    def _outcome(self) -> str:
        """Say which attempt or work begins with the outcome that was asked for; nothing if none was, or none begins."""
        question = self.question
        what, _, service = question.what.partition("@")
        if what != OUTCOME:
            return ""
        for _, kind, request, subject, name, detail in self.after:
            if service and (kind, request, name) == ("work", question.entity, service):
                return f"{service} begins to work on attempt {question.number} of request {request}: {detail[0]}"
            if not service and (kind, request, subject) == ("attempt", question.entity, question.number):
                return f"attempt {subject} of request {request} starts: {name}"
        return ""

    def _value(self) -> str:
        if len(self.values) == self.question.ways:
            return f"{self.values[self.answer]:g} on [0, 1)"
        if self.question.ways == 2:  # a branch that may strike
            return "yes"
        return f"answer {self.answer} of 0 to {self.question.ways - 1}"

    def _interruption(self) -> str:
        for _, kind, request, _, name, _ in self.after:
            if kind == "restart":
                return f"the server dies{self._after()}"
            if kind == CANCEL:
                what = f"request {request}" if name == "request" else f"the {name} of request {request}"
                return f"{what} is canceled{self._after()}"
            break
        return f"interruption {self.answer} comes{self._after()}"

    def _after(self) -> str:
        return "" if self.before is None else f", right after {_event(self.before)}"

    def _first(self) -> str:
        return f": {_event(self.after[0])}" if self.after else ""


def _event(raw: Raw) -> str:
    _, kind, request, subject, name, detail = raw
    of = _whose(request) if request != WORLD else ""
    if kind == "state":
        return f"job #{subject} ({name}{of}) becoming {detail[1]}"
    if kind in _EVENTS:
        return f"{_EVENTS[kind].format(subject=subject, name=name)}{of}"
    return f"{kind.replace('_', ' ')}{f' {name}' if name else ''}{of}"
