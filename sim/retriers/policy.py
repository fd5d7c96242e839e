"""`policy`: a retrier at the client that is all data, and that an engine plays without calling code for it.

What a policy can say stands in `sim.clients.policy.options`, how it is played in `sim.clients.policy.machine`.
"""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

from sim.clients.policy.delay_waits import wait_of
from sim.clients.policy.machine import Run
from sim.clients.policy.options import PolicyOptions
from sim.clients.policy.rules import NO_LIMIT, Rules, rules_of
from sim.kernel.durations import NS_PER_MS
from sim.promises.promises import Promises
from sim.retriers.base import ClientRetrier

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.history.request import Request
    from sim.options.model import Options
    from sim.promises.promises import Backoff
    from sim.world.hosts import External


class Policy(ClientRetrier):
    """Tries until one succeeds, or a rule of the policy says that it is enough."""

    kind: ClassVar[str] = "policy"
    Options: ClassVar[type[Options]] = PolicyOptions
    stateless: ClassVar[bool] = True
    options: PolicyOptions

    @cached_property
    def rules(self) -> Rules:
        """The policy as numbers and tables."""
        return rules_of(self.options)

    def client(
        self,
        around: Around,
        action: External,
        request: Request,
        place: Place,
        concluded: Callable[[bool], None] | None = None,
    ) -> Run:
        """Return the machine that plays this policy for one request."""
        return Run(around, action, self.rules, request, place, concluded)

    def promises(self) -> Promises:
        """State the tries, the timeout, the deadline and the law of the delays, as far as the policy fixes them."""
        options, rules = self.options, self.rules
        copies = 1 if rules.hedge is None else 1 + rules.hedge.at_most
        deadline = rules.deadline
        hard_ns = (
            deadline.after_ns
            if deadline is not None
            and deadline.hard
            and deadline.counted_from == "submitted"
            and deadline.counts == "all"
            and rules.request_gates[0].name == "deadline"
            else None
        )
        most = max((case.attempts for case in rules.cases), default=rules.attempts)
        limited = all(case.attempts != NO_LIMIT and case.counter == 0 for case in rules.cases)
        return Promises(
            attempts_at_most=most * copies if limited and not rules.both_limits else None,
            backoff_ms=self._backoff(),
            timeout_ms=rules.timeout_ns / NS_PER_MS if rules.timeout_ns != NO_LIMIT and rules.copy_times_out else None,
            deadline_ns=hard_ns,
            obeys_retry_after=rules.hint is not None and options.retry_after is not None and rules.hint.code is None,
            hedges=rules.hedge is not None or rules.redeliver_ns != NO_LIMIT,
        )

    def _backoff(self) -> Backoff | None:
        """Return the law of the delays; None if something else than the number of the retry decides, too."""
        rules = self.rules
        law = rules.laws[0]
        gates = rules.bulkhead, rules.rate_limit, rules.breaker
        others = rules.hint, rules.pickup_every, rules.deadline, rules.hedge, *gates
        shifts = rules.delay_from_start or rules.due_floor_ns > 1 or rules.redeliver_ns != NO_LIMIT
        if len(rules.laws) > 1 or len(rules.cases) > 1 or shifts or any(other is not None for other in others):
            return None

        def backoff(failure: int) -> Any:
            found = wait_of(law, failure)
            return (0.0, inf) if found is None else found

        return backoff
