"""Policies that ask for more than the kind of an answer and the number of the try: for hints, deadlines, budgets.

What follows from an answer `sim.clients.policy.judging` decides, as for the machine of the event engine; what such a
policy has beside its tries are the same objects (its cells, `Spent`). Only who calls them, and when, is written twice.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self, cast

from sim.clients.around import Around
from sim.clients.cells import Cells
from sim.clients.place import Place
from sim.clients.policy import judging
from sim.clients.policy.judging import Answer
from sim.clients.policy.shared import NOTHING_SHARED
from sim.clients.policy.sharing import shared_parts, state_of_delays
from sim.clients.policy.spent import CALLS, SLEEPS, Spent
from sim.engine.tables.clients import GAVE_UP, Clients
from sim.engine.tables.rows import Asked

if TYPE_CHECKING:
    from sim.clients.policy.party import Party
    from sim.clients.policy.rules import Rules
    from sim.engine.tables.arrivals import Asks
    from sim.engine.tables.server import Server
    from sim.engine.tables.timeline import Timeline
    from sim.history.vocabulary import Outcome
    from sim.kernel.choices import Choices


class Judged(Asked):
    """A request of such a policy: what judging takes for the policy's machine."""

    __slots__ = (
        "_clients",
        "budget",
        "counters",
        "is_counted",
        "is_owed",
        "last_cost",
        "retries",
        "said",
        "shared",
        "shift",
        "spent",
        "states",
        "tried_ns",
    )
    deliveries = 0

    def __init__(self, clients: JudgedClients, number: int, client: int, now_ns: int) -> None:
        super().__init__(number, client, now_ns)
        self._clients = clients
        rules, run = clients.rules, cast("Party", self)
        self.retries = self.shift = self.last_cost = 0
        self.tried_ns = now_ns
        self.said = ""
        """The kind of its last answer."""
        self.is_counted = self.is_owed = False
        """Whether its budget counts its call as a retry in flight, and a retry of it as asleep."""
        self.counters = [0] * rules.counters
        self.states = [state_of_delays(run, law) for law in range(len(rules.laws))]
        self.shared = shared_parts(run) if rules.shares else NOTHING_SHARED
        self.budget = self.shared.budget
        self.spent: Spent | None = None

    @property
    def tries(self) -> int:
        """How many tries it has begun."""
        return self.attempts

    @property
    def started_ns(self) -> int:
        """When its policy began."""
        return self.submitted_ns

    @property
    def rules(self) -> Rules:
        """Its policy."""
        return self._clients.rules

    @property
    def clock(self) -> Timeline:
        """What tells the present instant."""
        return self._clients.timeline

    @property
    def around(self) -> Around:
        """What all clients have in common."""
        return self._clients.around

    @property
    def place(self) -> Place:
        """Where its client stands."""
        return self._clients.place_of(self.client)

    @property
    def request(self) -> Self:
        """Itself: the machine of a policy and its request are one here."""
        return self

    def draw(self, stream: str, index: int) -> float:
        """Draw the number on [0, 1) of this address for this request."""
        return self._clients.choices.uniform(stream, self.number, index)


class JudgedClients(Clients):
    """Clients with such a policy."""

    def __init__(  # noqa: PLR0917  # as other clients, with the name of what they call
        self,
        rules: Rules,
        server: Server,
        timeline: Timeline,
        choices: Choices,
        asks: Asks,
        service: str,
    ) -> None:
        super().__init__(rules, server, timeline, choices, asks)
        self.around = Around(timeline.as_clock, choices, cells=Cells())
        self._place = Place("", 0, service, server.position)
        self._rings = rules.deadline is not None and rules.deadline.hard

    def place_of(self, client: int) -> Place:
        """Return where a client stands."""
        return self._place._replace(client=client)

    def _new(self, number: int, client: int) -> Asked:
        asked = Judged(self, number, client, self.timeline.now_ns)
        if asked.budget is not None:
            asked.budget.request_started(self.timeline.now_ns)
        if self.rules.deadline is not None:
            asked.spent = Spent(self.rules.deadline, self.around.clock, partial(self._end, asked))
            self._start_deadline(asked, "submitted")
        return asked

    def _start_deadline(self, asked: Judged, moment: str) -> None:
        deadline = self.rules.deadline
        if asked.spent is not None and deadline is not None and deadline.counted_from == moment:
            asked.spent.start()

    # Tries.

    def _begin(self, asked: Asked) -> None:
        assert isinstance(asked, Judged)  # noqa: S101  # these clients make no others, here and below
        budget, now_ns = asked.budget, self.timeline.now_ns
        if asked.attempts and not self._may_try_again(asked):
            self._conclude(asked, GAVE_UP)
            return
        asked.tried_ns = now_ns
        if asked.spent is not None:
            self._start_deadline(asked, "first_call")
            asked.spent.enter(CALLS)
        if budget is not None and asked.attempts:
            asked.is_counted = True
            budget.retry_started(now_ns, asleep=asked.is_owed)
            asked.is_owed = False
        super()._begin(asked)

    def _may_try_again(self, asked: Judged) -> bool:
        """Tell whether the next try starts although its sleep is over; it is paid for if that is due at its start."""
        budget, now_ns = asked.budget, self.timeline.now_ns
        if self._is_past(asked):
            return False
        if budget is not None and budget.takes_at_start:
            if not budget.allows(now_ns, asked.said):
                return False
            asked.last_cost = budget.take(now_ns, asked.said)
        return True

    def _is_past(self, asked: Judged) -> bool:
        """Tell whether a soft deadline is past, and ends the request."""
        deadline, spent = self.rules.deadline, asked.spent
        if deadline is None or spent is None or not deadline.soft or not spent.started or spent.left_ns > 0:
            return False
        return not self.rules.both_limits or judging.out_of_attempts(cast("Party", asked))

    # Answers.

    def _succeed(self, asked: Asked) -> None:
        assert isinstance(asked, Judged)  # noqa: S101  # see above
        if asked.budget is not None:
            self._call_is_over(asked)
            retried = asked.last_cost > 0 or asked.retries > 0
            asked.budget.succeeded(self.timeline.now_ns, retried=retried, last_cost=asked.last_cost)
        super()._succeed(asked)

    def _call_is_over(self, asked: Judged) -> None:
        """Let the budget know that a retry is not in flight any more."""
        if asked.is_counted and asked.budget is not None:
            asked.is_counted = False
            asked.budget.retry_ended(self.timeline.now_ns)

    def _fail(self, asked: Asked, kind: str, *, final: bool, hint_ns: int) -> None:
        assert isinstance(asked, Judged)  # noqa: S101  # see above
        answer, spent = Answer(kind, asked.attempts, final, hint_ns), asked.spent
        if asked.budget is not None:
            self._call_is_over(asked)
            is_retried = judging.is_retried(self.rules, answer)
            asked.budget.failed(self.timeline.now_ns, kind, retryable=is_retried)
        if spent is not None:
            spent.leave(CALLS)
            self._start_deadline(asked, "first_failure")
        asked.said = kind
        verdict = judging.judge(cast("Party", asked), answer, spent)
        if verdict.reason and not verdict.sleeps:
            self._conclude(asked, GAVE_UP)
            return
        asked.retries += 1
        then = self._give_up if verdict.reason else self._wake
        if not verdict.wait_ns:
            then(asked)
            return
        if asked.budget is not None and not verdict.reason:
            asked.is_owed = True
            asked.budget.retry_asleep(self.timeline.now_ns)
        if spent is not None:
            spent.enter(SLEEPS)
        self._sleep(asked, verdict.wait_ns, then)

    # Sleeps and ends.

    def _wake(self, asked: Asked) -> None:
        assert isinstance(asked, Judged)  # noqa: S101  # see above
        if asked.is_over:
            return
        if asked.spent is not None:
            asked.spent.leave(SLEEPS)
        super()._wake(asked)

    def _give_up(self, asked: Asked) -> None:
        if not asked.is_over:
            self._conclude(asked, GAVE_UP)

    def _end(self, asked: Judged) -> None:
        """End everything at a hard deadline."""
        call = asked.call
        if call is not None and call.awaited:
            self._leave(call)
            self._call_is_over(asked)
        self._conclude(asked, GAVE_UP)

    def _conclude(self, asked: Asked, outcome: Outcome) -> None:
        assert isinstance(asked, Judged)  # noqa: S101  # see above
        super()._conclude(asked, outcome)
        now_ns, budget = self.timeline.now_ns, asked.budget
        if asked.spent is not None:
            asked.spent.stop()
        if budget is not None:
            if asked.is_owed:
                asked.is_owed = False
                budget.retry_canceled(now_ns)
            budget.request_ended(now_ns)

    def _is_busy(self, asked: Asked) -> bool:
        return self._rings or super()._is_busy(asked)

    def clear(self) -> None:
        """Forget requests, calls and what they share."""
        for asked in self.asked:
            if isinstance(asked, Judged):
                asked.spent = None
                asked.shared = NOTHING_SHARED
        self.around.cells.clear()
        super().clear()
