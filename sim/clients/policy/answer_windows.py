"""What a breaker remembers of answers: how many of late there were, how many failed, how many were slow.

    calls               the last `size` answers
    time                those in (now - size, now]
    slots               those of the present slot and of the `slots - 1` before it, cut at multiples of size / slots
    slots_from_answer   as `slots`, but a slot begins with the first answer after the end of the one before, and goes as
                        a whole once its begin is `size` old
    life                all
    consecutive         those since the last success, so all of them failed

`slots` is how resilience4j counts by time (`SlidingTimeWindowMetrics`: slots of one second), `slots_from_answer` is how
Polly does (`RollingHealthMetrics`: ten slots).
"""

from collections import deque
from typing import Annotated, Final, Literal, NamedTuple, Protocol

from pydantic import Field
from typing_extensions import TypeAliasType

from sim.options.model import DurationNs, Options
from sim.options.single_key import SingleKey

MOST_CALLS: Final = 1_000_000

WindowKind = Literal["calls", "time", "slots", "slots_from_answer", "life", "consecutive"]


class CallsWindow(Options):
    """The last answers."""

    calls: Annotated[int, Field(ge=1, le=MOST_CALLS)]


class TimeWindow(Options):
    """The answers of a span of time."""

    time: Annotated[DurationNs, Field(gt=0)]


class ConsecutiveWindow(Options):
    """The failures since the last success; so many open the breaker."""

    consecutive: Annotated[int, Field(ge=1, le=MOST_CALLS)]


class LifeWindow(Options):
    """All answers since it was last closed."""


Window = TypeAliasType(
    "Window",
    Annotated[
        CallsWindow | TimeWindow | ConsecutiveWindow | LifeWindow,
        SingleKey(
            "window",
            "{calls: 100}",
            {"calls": CallsWindow, "time": TimeWindow, "consecutive": ConsecutiveWindow, "life": LifeWindow},
            scalars={"calls": "calls", "time": "time", "consecutive": "consecutive"},
            bare=("life",),
        ),
    ],
)
"""Which answers a breaker looks at."""


class Counts(NamedTuple):
    """How many answers a window has."""

    answers: int
    failures: int
    slow: int


class AnswerWindow(Protocol):
    """Remembers answers as far back as it reaches."""

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        """Remember an answer that comes now."""

    def counts(self, now_ns: int) -> Counts:
        """Count what is not too old now."""


class _LastAnswers:
    def __init__(self, size: int) -> None:
        self._answers: deque[tuple[bool, bool]] = deque()
        self._size = size
        self._failures = 0
        self._slow = 0

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        del now_ns
        self._answers.append((failed, slow))
        self._failures += failed
        self._slow += slow
        if len(self._answers) > self._size:
            failed, slow = self._answers.popleft()
            self._failures -= failed
            self._slow -= slow

    def counts(self, now_ns: int) -> Counts:
        del now_ns
        return Counts(len(self._answers), self._failures, self._slow)


class _Slots:
    """Sums of answers by slot, the oldest first; a slot is named by a number that grows with time."""

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()
        self._sums = [0, 0, 0]

    @property
    def newest(self) -> int | None:
        return self._slots[-1][0] if self._slots else None

    def add(self, name: int, *, failed: bool, slow: bool) -> None:
        if self.newest != name:
            self._slots.append([name, 0, 0, 0])
        for place, amount in enumerate((1, failed, slow)):
            self._slots[-1][place + 1] += amount
            self._sums[place] += amount

    def forget_up_to(self, name: int) -> None:
        while self._slots and self._slots[0][0] <= name:
            gone = self._slots.popleft()
            for place in range(3):
                self._sums[place] -= gone[place + 1]

    def counts(self) -> Counts:
        return Counts(*self._sums)


class _RecentAnswers:
    def __init__(self, size_ns: int) -> None:
        self._slots = _Slots()
        self._size_ns = size_ns

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        self._slots.add(now_ns, failed=failed, slow=slow)

    def counts(self, now_ns: int) -> Counts:
        self._slots.forget_up_to(now_ns - self._size_ns)
        return self._slots.counts()


class _SlotsOfAGrid:
    def __init__(self, size_ns: int, slots: int) -> None:
        self._slots = _Slots()
        self._width_ns = size_ns // slots
        self._count = slots

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        self._slots.add(now_ns // self._width_ns, failed=failed, slow=slow)

    def counts(self, now_ns: int) -> Counts:
        self._slots.forget_up_to(now_ns // self._width_ns - self._count)
        return self._slots.counts()


class _SlotsFromAnswers:
    def __init__(self, size_ns: int, slots: int) -> None:
        self._slots = _Slots()
        self._size_ns = size_ns
        self._width_ns = size_ns // slots

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        start_ns = self._slots.newest
        self._slots.add(
            now_ns if start_ns is None or now_ns - start_ns >= self._width_ns else start_ns, failed=failed, slow=slow
        )

    def counts(self, now_ns: int) -> Counts:
        self._slots.forget_up_to(now_ns - self._size_ns)
        return self._slots.counts()


class _AllAnswers:
    def __init__(self) -> None:
        self._slots = _Slots()

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        del now_ns
        self._slots.add(0, failed=failed, slow=slow)

    def counts(self, now_ns: int) -> Counts:
        del now_ns
        return self._slots.counts()


class _FailuresInARow:
    def __init__(self) -> None:
        self._failures = 0

    def add(self, now_ns: int, *, failed: bool, slow: bool) -> None:
        del now_ns, slow
        self._failures = self._failures + 1 if failed else 0

    def counts(self, now_ns: int) -> Counts:
        del now_ns
        return Counts(self._failures, self._failures, 0)


def empty_window(kind: WindowKind, size: int, slots: int) -> AnswerWindow:
    """Return a window without answers; `size` is a number of answers or of ns, `slots` counts only with slots."""
    match kind:
        case "calls":
            return _LastAnswers(size)
        case "time":
            return _RecentAnswers(size)
        case "slots":
            return _SlotsOfAGrid(size, slots)
        case "slots_from_answer":
            return _SlotsFromAnswers(size, slots)
        case "life":
            return _AllAnswers()
        case "consecutive":
            return _FailuresInARow()
