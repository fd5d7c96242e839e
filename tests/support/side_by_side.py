"""A library as a guest beside a policy: the same scenario, the same numbers, and what each makes of them."""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sim.engine.world import World
from sim.guests import GuestRetrier
from sim.history.recorder import Recorder
from sim.history.vocabulary import Outcome
from sim.kernel.choices import WORLD, DelayOf, Law
from sim.scenario.load import parse

GOLDEN = 0.6180339887498949
STRANGER = 0.5
"""What draws that are no delays get: the numbers of requests, mostly."""


class Course(NamedTuple):
    """What became of one request."""

    outcome: str
    settled_ns: int
    attempts: tuple[tuple[int, int], ...]
    """Each with its start and its end."""

    @property
    def delays_ns(self) -> list[int]:
        """The times between the end of an attempt and the start of the next."""
        pairs = zip(self.attempts, self.attempts[1:], strict=False)
        return [start - end for (_, end), (start, _) in pairs]


class Delays:
    """Choices that serve the draw of each delay alike to a guest and to a policy: number(request, n), n from 0.

    A guest draws by the stream `guest`, in its own order; `before` of its draws do not count. A policy draws by the
    streams `delay...`, for retry n from 1.
    """

    def __init__(self, number: Callable[[int, int], float], before: int = 0) -> None:
        self._number = number
        self._before = before

    def uniform(self, stream: str, entity: int, index: int = 0, rerun: int = 0) -> float:
        del rerun
        if stream.startswith("delay"):
            index -= 1
        elif stream == "guest":
            index -= self._before
        else:
            return STRANGER
        return STRANGER if index < 0 else self._number(entity, index)

    def choose(self, cumulative: Sequence[float], stream: str, entity: int, index: int = 0) -> int:
        return bisect_right(cumulative, self.uniform(stream, entity, index))

    def delays(self, law: Law, stream: str) -> DelayOf:
        def delay(entity: int, index: int, rerun: int) -> int:
            return int(law.sample_ns(np.array([self.uniform(stream, entity, index, rerun)]))[0])

        return delay

    def pick(self, ways: int, what: str, entity: int = WORLD, index: int = 0) -> int:
        del ways, what, entity, index
        return 0


def always(number: float) -> Callable[[int, int], float]:
    """Serve one number."""
    return lambda *_: number


def evenly(entity: int, index: int) -> float:
    """Serve numbers that fill [0, 1) evenly, other ones for each request."""
    return ((37 * entity + index + 1) * GOLDEN) % 1


def course_of(
    player: type[GuestRetrier] | Mapping[str, Any],
    script: Sequence[Mapping[str, Any]],
    number: Callable[[int, int], float],
    *,
    requests: int = 1,
    without_draw: int = 0,
    more: Mapping[str, Any] | None = None,
) -> list[Course]:
    """Simulate requests of a guest, or of a policy, whose attempts go by the script, its last one again and again.

    `without_draw`: so many retries come before the first for which the guest draws. `more` are further keys of the
    scenario.
    """
    policy = {"attempts": 1} if isinstance(player, type) else dict(player)
    tree = {
        "action": {"script": list(script)},
        "requests": {"count": requests},
        "until": "10h",
        "retrier": {"kind": "policy", **policy},
        **(more or {}),
    }
    cell = parse(json.dumps(tree))
    recorder = Recorder()
    made = player if isinstance(player, type) else None
    before = 0 if made is None else _draws_before_a_call(made) - without_draw
    world = World(cell, retrier=made, recorder=recorder, choices=Delays(number, before))
    numbers = world.shared() if cell.world == "shared" else world.isolated(range(requests))
    spans: dict[int, dict[int, list[int]]] = {request.number: {} for request in numbers}
    for at_ns, kind, request, subject, _, _ in recorder.raw:
        if kind in {"attempt", "attempt_end", "timed_out"}:
            spans[request].setdefault(subject, []).append(at_ns)
    return [
        Course(
            Outcome(request.outcome).name,
            request.settled_ns,
            tuple((times[0], times[1]) for _, times in sorted(spans[request.number].items())),
        )
        for request in numbers
    ]


def _draws_before_a_call(guest: type[GuestRetrier]) -> int:
    """Return how many numbers a guest draws before its first call: for the number of a request of AWS, for one."""
    recorder = Recorder()
    cell = parse("{action: {script: [{outcome: success}]}, requests: {count: 1}, retrier: none}")
    World(cell, retrier=guest, recorder=recorder, choices=Delays(always(STRANGER))).isolated([0])
    kinds = [raw[1] for raw in recorder.raw]
    return kinds[: kinds.index("attempt")].count("draw")
