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
from sim.clients.policy.token_budget import TokensOptions
from sim.kernel.durations import NS_PER_MS
from sim.promises.promises import Promises
from sim.promises.retry_budget import RetryBudget
from sim.retriers.base import ClientRetrier

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.clients.around import Around
    from sim.clients.place import Place
    from sim.history.request import Request
    from sim.options.model import Options
    from sim.promises.promises import Backoff, RetryAfter
    from sim.promises.retry_budget import Scope
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
        rules = self.rules
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
        said, at_most_ms = self._retry_after()
        most = max((case.attempts for case in rules.cases), default=rules.attempts)
        limited = all(case.attempts != NO_LIMIT and case.counter == 0 for case in rules.cases) and (
            rules.redeliver_ns == NO_LIMIT or rules.redeliver_counts
        )
        return Promises(
            attempts_at_most=most * copies if limited and not rules.both_limits else None,
            backoff_ms=self._backoff(),
            timeout_ms=rules.timeout_ns / NS_PER_MS if rules.timeout_ns != NO_LIMIT and rules.copy_times_out else None,
            deadline_ns=hard_ns,
            retry_after=said,
            retry_after_at_most_ms=at_most_ms,
            soft_deadline_ns=self._soft_deadline_ns(),
            retry_budget=self._retry_budget(),
            hedges=rules.hedge is not None or rules.redeliver_ns != NO_LIMIT,
        )

    def _retry_after(self) -> tuple[RetryAfter, float | None]:
        """Return what it makes of an error that asks to wait, and the longest wait that counts."""
        hint = self.rules.hint
        if hint is None:
            return "ignored", None
        if hint.code is not None or hint.above == "ignore":
            return "capped", 0.0  # a formula may make any wait of it
        if hint.at_most_ns == NO_LIMIT or hint.above == "give_up":
            return "obeyed", None
        return "capped", hint.at_most_ns / NS_PER_MS

    def _soft_deadline_ns(self) -> int | None:
        """Return from when on no try starts, if that counts from the submission and ends the request for sure."""
        rules, deadline = self.rules, self.rules.deadline
        plain = deadline is not None and deadline.soft and deadline.counted_from == "submitted"
        if not plain or deadline is None or deadline.counts != "all" or rules.both_limits:
            return None
        starts_first = rules.request_gates and rules.request_gates[0].name == "deadline"
        return deadline.after_ns if starts_first and rules.redeliver_ns == NO_LIMIT else None

    def _retry_budget(self) -> RetryBudget | None:
        """Return how many retries its budget lets go at most; None if it counts otherwise, or others share it."""
        budget, options = self.options.budget, self.options
        if budget is None or options.name is not None or self.rules.redeliver_ns != NO_LIMIT:
            return None
        scope = budget.scope or options.scope or "client"
        counted: Scope = scope if scope in {"request", "client"} else "world"
        if isinstance(budget, TokensOptions):
            cost = min(amount for _, amount in budget.cost)
            if not cost:
                return None
            most = max(amount for _, amount in budget.cost)
            after_retry = most if budget.on_success.retried == "last_cost" else budget.on_success.retried
            return RetryBudget(
                burst=budget.capacity / cost,
                per_request=budget.on_request / cost,
                per_success=max(budget.on_success.clean, after_retry) / cost,
                per_second=budget.per_second / cost,
                scope=counted,
            )
        return None

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
