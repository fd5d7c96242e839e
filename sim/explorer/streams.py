"""Which streams of numbers a small world draws from, so that a search can say which values it gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.explorer.course import Course
from sim.explorer.guided import MIDDLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.explorer.guided import Question
    from sim.retriers.base import Retrier
    from sim.scenario.parts.course import Bounds
    from sim.scenario.schema import Scenario

MOST_COURSES = 200
MOST_STEPS = 20_000
"""Of all courses together; the first is run to its end, which its bound of steps has."""
LOW, HIGH = 0.25, 0.75


class _Two(dict[str, "Sequence[float]"]):
    """Gives every stream two values at least, so that each draw that matters is a question; notes the streams."""

    def __init__(self, values: dict[str, tuple[float, ...]]) -> None:
        super().__init__(values)
        self.streams: dict[str, None] = {}

    def __bool__(self) -> bool:
        # Empty as it may be, it is not nothing: a guide would take no values at all instead.
        return True

    def get(self, stream: str, unless_stated: Sequence[float] = MIDDLE) -> Sequence[float]:  # type: ignore[override]
        """Return the stream's values, or its one value and another."""
        values = super().get(stream, unless_stated)
        self.streams[stream] = None
        return values if len(values) > 1 else (*values, LOW if values[0] > LOW else HIGH)


def streams(scenario: Scenario, bounds: Bounds, make: Callable[[], Retrier] | None = None) -> list[str]:
    """Return the names of the streams in whose numbers it shows what they are.

    Looked at are the undisturbed course and those one answer away from it; what is only drawn farther away is missed.
    Raises whatever the retrier raises.
    """
    values = _Two(bounds.values)
    doubled = bounds.model_copy(update={"values": values})

    def asked(takes: dict[int, int]) -> tuple[list[Question], int]:
        course = Course(scenario, doubled, takes, retrier=None if make is None else make())
        while course.step():
            pass
        return course.guide.asked, course.steps

    questions, steps = asked({})
    found = {question.what for question in questions}
    near = [(at, answer) for at, question in enumerate(questions) for answer in range(1, question.ways)]
    for at, answer in near[:: 1 + len(near) // MOST_COURSES]:
        if steps > MOST_STEPS:
            break
        more, taken = asked({at: answer})
        found.update(question.what for question in more)
        steps += taken
    return sorted(found & values.streams.keys())
