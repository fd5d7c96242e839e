"""The gates in front of a request, a try or a copy: each lets it through, lets it wait, or refuses it.

Gates are passed from the outermost inward and left the other way. A gate that was passed is left exactly once: with the
answer, or without one if the caller gave up.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from sim.clients.policy.breakers import REFUSED
from sim.clients.policy.rules import Gate
from sim.history.vocabulary import NEVER
from sim.kernel.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.policy.party import Party


class Level(IntEnum):
    """What passes."""

    request = 0
    trial = 1
    copy = 2


class Passage:
    """One way in through some gates, and out again."""

    __slots__ = (
        "_alarm",
        "_at",
        "_entered",
        "_gates",
        "_held",
        "_is_over",
        "_refused",
        "_timeout",
        "_waits",
        "level",
        "number",
        "run",
        "started_ns",
    )

    def __init__(  # noqa: PLR0917  # three places of one module make them
        self,
        run: Party,
        level: Level,
        gates: tuple[Gate, ...],
        entered: Callable[[Passage], None],
        refused: Callable[[Passage], None],
        number: int = 0,
    ) -> None:
        """Stand in front of the gates; `entered` is called behind the last, `refused` if one does not let it in.

        `number` is that of a copy in its try, 1 first.
        """
        self.run = run
        self.level = level
        self.number = number
        self._gates = gates
        self._entered = entered
        self._refused = refused
        self._at = 0
        self._held: list[tuple[Gate, int]] = []
        """The gates passed, each with the breaker's ticket."""
        self._alarm: Alarm | None = None
        """Ends a wait."""
        self._timeout: Alarm | None = None
        self._waits = False
        self._is_over = False
        self.started_ns = run.clock.now_ns

    def place(self) -> tuple[int, bool, tuple[tuple[int, int], ...]]:
        """Return how many gates are behind it, whether it waits at the next, and what it holds."""
        return self._at, self._waits, tuple((int(gate), ticket) for gate, ticket in self._held)

    @property
    def waits(self) -> bool:
        """Whether it waits at a gate."""
        return self._waits

    @property
    def waits_for_place(self) -> bool:
        """Whether it waits at a bulkhead."""
        return self._waits and self._gates[self._at] == Gate.bulkhead

    def go_on(self) -> None:
        """Pass one gate after the other until one lets it wait or refuses it."""
        if self._is_over:
            return
        run, gates = self.run, self._gates
        while self._at < len(gates):
            gate = gates[self._at]
            passed = self._pass(gate)
            if passed is None:
                self._waits = True
                return
            if not passed:
                self._refuse(gate.name)
                return
            self._at += 1
        self.started_ns = run.clock.now_ns
        self._entered(self)

    def _pass(self, gate: Gate) -> bool | None:  # noqa: C901  # one branch a gate
        """Return whether a gate lets it through; None if it has to wait."""
        run, now_ns, ticket = self.run, self.run.clock.now_ns, NEVER
        match gate:
            case Gate.deadline:
                run.start_deadline("submitted")
            case Gate.timeout:
                self._timeout = Alarm(run.clock, run.timeout_ns(), self._time_out)
            case Gate.breaker:
                ticket = run.shared.breaker.ask(now_ns)
                if ticket == REFUSED:
                    return False
            case Gate.rate_limit:
                wait_ns = run.shared.rate_limit.take(now_ns)
                if wait_ns:
                    if run.shared.rate_limit.refuses:
                        return False
                    self._wait(gate, wait_ns, self._has_token)
                    return None
            case Gate.bulkhead:
                found = run.shared.bulkhead.enter(self)
                if found == "full":
                    return False
                if found == "queued":
                    self._wait(gate, run.shared.bulkhead.max_wait_ns, self._waited_too_long)
                    return None
        self._held.append((gate, ticket))
        return True

    def _wait(self, gate: Gate, wait_ns: int, then: Callable[[], None]) -> None:
        self.run.record("gate_wait", gate.name, (wait_ns, self.number), subject=int(self.level))
        if wait_ns != NEVER:
            self._alarm = Alarm(self.run.clock, wait_ns, then)

    def _has_token(self) -> None:
        self.let_in()
        self.go_on()

    def let_in(self) -> None:
        """Note that the gate at which it waits lets it through; `go_on` comes after that."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._waits = False
        self._held.append((self._gates[self._at], NEVER))
        self._at += 1

    def _waited_too_long(self) -> None:
        self._alarm = None
        self._waits = False
        self.run.shared.bulkhead.withdraw(self)
        self._refuse(Gate.bulkhead.name)

    def _refuse(self, gate: str) -> None:
        """Tell it before the gates that are left let others in, so that a history has both in their order."""
        self.run.record("refused", gate, (int(self.level), self.number))
        self.leave(answered=False)
        self._refused(self)

    def _time_out(self) -> None:
        self._timeout = None
        self.run.level_timed_out(self)

    def leave(  # noqa: C901  # one branch a gate
        self, *, answered: bool, failed: bool = False, kind: str = "", took_ns: int = 0
    ) -> None:
        """Leave all gates that it has passed, and the one at which it waits."""
        if self._is_over:
            return
        self._is_over = True
        run, now_ns = self.run, self.run.clock.now_ns
        if self._waits:
            self._waits = False
            if self._gates[self._at] == Gate.bulkhead:
                run.shared.bulkhead.withdraw(self)
        for alarm in (self._alarm, self._timeout):
            if alarm is not None:
                alarm.cancel()
        self._alarm = self._timeout = None
        waiting: list[Passage] = []
        for gate, ticket in reversed(self._held):
            if gate == Gate.breaker:
                is_failure = (run.shared.breaker.failed(kind) if failed else False) if answered else None
                if is_failure is not None:
                    run.shared.breaker.answered(now_ns, ticket, failed=is_failure, took_ns=took_ns)
                else:
                    run.shared.breaker.uncounted(now_ns, ticket)
            elif gate == Gate.bulkhead:
                following = run.shared.bulkhead.leave()
                if isinstance(following, Passage):
                    waiting.append(following)
        self._held.clear()
        for passage in waiting:
            run.around.let_in(passage)
