"""One course of a scenario's small world, played again: its history, and which invariants it breaks.

A search (`retrysim explore`) saves a course as a scenario with the key `course`. In the same version, with the same
retrier, it always gives the same history, event by event. Each of its answers says what it is about. If the world asks
something else there, it is not the world of the course: CourseMisfit says so, and there is no result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sim.contracts.catalogue import INVARIANTS, check
from sim.experiment.shown_by_simulating import problems_shown_by_simulating
from sim.experiment.terms import terms_of
from sim.explorer.course import Course, around
from sim.explorer.guided import Answers, GuidedChoices, NoSuchAnswer
from sim.explorer.narration import Disturbance, NotingGuide, about, disturbances
from sim.explorer.repeats import Repeater
from sim.guests.named import maker_of
from sim.history.request import table
from sim.history.vocabulary import Outcome
from sim.retriers.base import ClientRetrier, Retrier
from sim.scenario.cells import cells
from sim.scenario.load import load
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.scenario.mistakes.pydantic_words import problems_of
from sim.scenario.parts.course import Answer, Bounds, CourseOptions
from sim.scenario.parts.invariants import invariants_named
from sim.scenario.yaml.guard import read_yaml
from sim.stories.lines import WIDTH, timeline_lines
from sim.world.workload import arrival_times_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.history.recorder import History
    from sim.history.records import Requests
    from sim.promises.invariant import Invariant, Violation
    from sim.scenario.schema import Scenario

SEARCH_AGAIN = "`retrysim explore` with this file searches its small world again"


class CourseMisfit(ScenarioError):
    """A course does not fit its world: another version, another retrier or other settings found it."""


@dataclass(frozen=True)
class Played:
    """A course that was played to its end."""

    scenario: Scenario
    bounds: Bounds
    disturbances: tuple[Disturbance, ...]
    """The answers that differ from the undisturbed way, in words, in the order in which they were asked for."""
    history: History
    """Everything that happened, to all requests."""
    requests: Requests
    """The records of the requests, one row each."""
    invariants: tuple[Invariant, ...]
    """The invariants that were checked."""
    violations: tuple[Violation, ...]
    """What breaks them, in the order of the invariants."""

    def __repr__(self) -> str:
        broken = ", ".join(dict.fromkeys(violation.invariant for violation in self.violations)) or "nothing"
        return f"<a course of {self.scenario.name} with answers {dict(self.answers)} that breaks {broken}>"

    @property
    def answers(self) -> Answers:
        """The answers that differ from the undisturbed way: (question, answer)."""
        return tuple((one.question, one.answer) for one in self.disturbances)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The outcome of each request."""
        return tuple(Outcome(int(code)) for code in self.requests.outcome)

    @property
    def request(self) -> int:
        """The request to look at: the one of the first violation, otherwise the first."""
        return next((violation.request for violation in self.violations if violation.request >= 0), 0)

    @property
    def holds(self) -> bool:
        """Whether nothing is broken."""
        return not self.violations

    def breaks(self, invariant: str) -> bool:
        """Tell whether the course breaks the invariant of this name."""
        return any(violation.invariant == invariant for violation in self.violations)

    def lines(self, width: int = WIDTH) -> list[str]:
        """Return the first violation, the course and the story of its request, in at most `width` columns."""
        lines = []
        for violation in self.violations[:1]:
            lines += wrap(f"{violation.text} ({violation.invariant})", width, break_on_hyphens=False)
        lines += self.course_lines(width)
        if not len(self.requests):
            return lines  # it was cut before any request was submitted
        story = timeline_lines(self.history, self.request, self.outcomes[self.request], width=width - 2)
        return [*lines, f"the story of request {self.request}", *(f"  {line}" for line in story)]

    def course_lines(self, width: int = WIDTH) -> list[str]:
        """Return the answers that differ from the undisturbed way, in at most `width` columns."""
        if not self.disturbances:
            return ["the undisturbed course"]
        lines = ["the course, undisturbed but for this"]
        for one in self.disturbances:
            lines += wrap(one.line, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        return lines

    def report(self) -> str:
        """Return `lines` as one text."""
        return "\n".join(self.lines())


def play(
    source: Scenario | str | Path,
    *,
    answers: Answers | None = None,
    bounds: Bounds | None = None,
    retrier: Callable[[], Retrier] | Callable[[Any], Any] | None = None,
    invariants: Sequence[Invariant] | None = None,
) -> Played:
    """Play the course of a scenario, or of a file that `retrysim explore` has saved.

    `answers`, as (question, answer), replace the scenario's own course, within `bounds` (default: the bounds that the
    scenario states). `retrier`, a class or a function that makes one, replaces the scenario's retrier; a class gets the
    options that the file states for it, and a function that takes `call` is a guest. `invariants` are checked; by
    default the ones that the scenario names under `check`, or all that retriers and the platform owe. Raises
    ScenarioError if the file has mistakes, several cells or no course, CourseMisfit, and NotRepeatable if the course
    goes another way when it is run again.
    """
    given = None if retrier is None else maker_of(retrier)
    if not isinstance(source, (str, Path)):
        return _played(only_cell(source), answers, bounds, given, invariants)
    path = Path(source)
    scenario, make = (load(path), None) if given is None else _loaded(path, given)
    try:
        return _played(only_cell(scenario), answers, bounds, make, invariants)
    except CourseMisfit as error:
        raise located(error, path) from None


def course_of(bounds: Bounds, answers: Answers) -> CourseOptions:
    """Return the course with these answers, within bounds."""
    written = tuple(Answer(question=question, answer=answer) for question, answer in answers)
    return CourseOptions(**{name: getattr(bounds, name) for name in Bounds.model_fields}, answers=written)


def stated_bounds(cell: Scenario) -> Bounds:
    """Return the bounds that a scenario states for a search, or else the ones of its course, or the usual ones."""
    return cell.explore or (Bounds() if cell.course is None else cell.course.bounds)


def _played(
    cell: Scenario,
    answers: Answers | None,
    bounds: Bounds | None,
    make: Callable[[], Retrier] | None,
    invariants: Sequence[Invariant] | None,
) -> Played:
    course = cell.course if answers is None else course_of(bounds or stated_bounds(cell), answers)
    if course is None:
        raise ScenarioError([Problem((), "there is no course to play; `retrysim explore` finds some")])
    with problems_shown_by_simulating(), around(cell, make):
        run, found = _run(cell, course, make)
    history = run.history()
    checked = (invariants_named(cell.check) or INVARIANTS) if invariants is None else tuple(invariants)
    records = table(run.requests)
    violations = tuple(check(history, terms_of(run.world, records=records), checked))
    return Played(cell, course.bounds, found, history, records, checked, violations)


def _run(
    cell: Scenario, course: CourseOptions, make: Callable[[], Retrier] | None
) -> tuple[Course, tuple[Disturbance, ...]]:
    """Run a course; return it with its answers in words. Raises CourseMisfit and NotRepeatable."""
    bounds = course.bounds
    guide = NotingGuide(course.answers_by_question, bounds.values)
    try:
        run = Course(cell, bounds, guide, retrier=make)
    except NoSuchAnswer as error:  # of a question that comes before the first step
        raise _misfit((), str(error)) from None
    guide.course = run
    repeater = Repeater(cell, bounds, make)
    written = tuple((one.question, one.answer) for one in course.answers)
    try:
        run.run()
    except NoSuchAnswer as error:
        repeater.hold(run, written, failed=True)
        _check_about(run, course.answers)
        asked = len(run.questions)
        # The run stops at the first answer without a question to take it, or with one that has no such answer.
        place = min((one.question, at) for at, one in enumerate(course.answers) if one.question >= asked)[1]
        raise _misfit((place,), str(error)) from None
    repeater.hold(run, written)
    _check_about(run, course.answers)
    return run, disturbances(run, guide)


def _check_about(run: Course, answers: Sequence[Answer]) -> None:
    """Compare what the answers say they are about with the questions that were asked. Raises CourseMisfit."""
    asked = run.questions
    for place, answer in enumerate(answers):
        if answer.question < len(asked) and answer.about not in ("", found := about(asked[answer.question])):
            raise _misfit((place, "about"), f"question {answer.question} is about: {found}")


def _misfit(place: tuple[int | str, ...], reason: str) -> CourseMisfit:
    return CourseMisfit(
        [Problem(("course", "answers", *place), f"the course does not fit this world: {reason}; {SEARCH_AGAIN}")]
    )


def located(error: ScenarioError, path: str | Path) -> ScenarioError:
    """Add to the problems of a scenario their places in the file that it was read from."""
    data = Path(path).read_bytes()
    return type(error)(read_yaml(data, str(path)).places.in_order(error.problems))


def small_world(cell: Scenario, bounds: Bounds) -> Scenario:
    """Return the scenario with as many requests as the bounds have; a search never sees more.

    Raises ScenarioError if fewer requests arrive, or if a service calls others: what goes on inside such a call is
    hidden, so that states could not be compared.
    """
    for name, options in cell.services.items():
        if getattr(options, "calls", ()):
            reason = (
                "a search cannot compare worlds in which a service calls others, since what goes on inside such a call "
                "is hidden from it; leave `calls` out to search the rest"
            )
            raise ScenarioError([Problem(("services", name, "calls"), reason, at_key=True)])
    requests = cell.requests.model_copy(update={"count": bounds.requests})
    try:
        arrival_times_ns(requests, GuidedChoices())
    except ValueError as error:
        raise ScenarioError([Problem(("requests", "arrivals"), str(error))]) from None
    return cell.model_copy(update={"requests": requests})


def only_cell(scenario: Scenario) -> Scenario:
    """Return the one cell of a scenario. Raises ScenarioError if it has several."""
    found = cells(scenario)
    if len(found) > 1:
        raise ScenarioError([Problem((), f"a course belongs to one cell, but this scenario has {len(found)}")])
    return found[0].scenario


def _loaded(path: Path, retrier: Callable[[], Retrier]) -> tuple[Scenario, Callable[[], Retrier]]:
    """Load a scenario with a stand-in for a retrier that no file can name; return what makes the retrier too."""
    if isinstance(retrier, type):
        outside, make = issubclass(retrier, ClientRetrier), _with_options_of(path, retrier)
    else:
        outside, make = isinstance(retrier(), ClientRetrier), retrier
    return load(path, retrier="none" if outside else "helpers"), make


def _with_options_of(path: Path, retrier: type[Retrier]) -> Callable[[], Retrier]:
    try:
        tree = read_yaml(path.read_bytes(), str(path)).values
    except (OSError, ScenarioError):
        return retrier  # `load` is about to say what is wrong
    written: Any = tree.get("retrier") if isinstance(tree, Mapping) else None
    if not isinstance(written, Mapping) or str(written.get("kind")).rpartition(":")[2] != retrier.__qualname__:
        return retrier
    values = {key: value for key, value in written.items() if key != "kind"}
    try:
        options = retrier.Options.model_validate(values)
    except ValidationError as error:
        found = problems_of(error, values, lambda _: list(retrier.Options.model_fields))
        raise ScenarioError([replace(problem, keys=("retrier", *problem.keys)) for problem in found]) from None
    return lambda: retrier(options)
