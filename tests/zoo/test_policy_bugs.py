"""Bugs planted in the machine of policies: `--check` of a scenario that fits catches each by the invariant for it."""

from typing import Any

import pytest

from sim.api.check import check
from sim.clients.policy import judging, machine, sharing
from sim.clients.policy.answer_windows import _LastAnswers, _RecentAnswers
from sim.clients.policy.breakers import Breaker
from sim.clients.policy.call import Call
from sim.clients.policy.gates import Bulkhead, CallerRateLimit
from sim.clients.policy.machine import Run
from sim.clients.policy.passage import Passage
from sim.clients.policy.share_budgets import ActiveBudget
from sim.clients.policy.spent import Spent
from sim.clients.policy.token_budget import TokenBudget
from sim.clients.policy.trying import Trying
from sim.clients.policy.window_budget import Recent, WindowBudget, _OfOneRequest, _Slots
from sim.contracts.catalogue import POLICY
from sim.retriers import policy as policy_retrier
from sim.scenario.load import from_dict

Place = tuple[Any, str, tuple[str, str]]

JITTERED = {"exponential": {"initial": "10ms", "cap": "15ms", "jitter": {"spread": 0.5}}}
RETRIES: dict[str, Any] = {"attempts": 4, "delay": "10ms", "timeout": "45ms"}
POLICIES: dict[str, dict[str, Any]] = {
    "plain": RETRIES,
    "jittered": {"attempts": 4, "delay": JITTERED},
    "decorrelated": {"attempts": 4, "delay": {"decorrelated": {"base": "5ms", "cap": "40ms"}}},
    "tokens": {**RETRIES, "budget": {"tokens": {"capacity": 3, "cost": 1, "on_success": 0.5}}},
    "slots": {
        **RETRIES,
        "budget": {"window": {"share": 0.3, "of": "100ms", "at_least": "10/s", "slots": 5, "slot_rule": "tower"}},
    },
    "a fifth": {
        **RETRIES,
        "budget": {"window": {"share": 0.4, "of": "200ms", "at_least": "20/s", "slots": 5, "per_request": 0.2}},
    },
    "window": {**RETRIES, "budget": {"window": {"share": 0.3, "of": "100ms", "at_least": "10/s"}}},
    "active": {**RETRIES, "budget": {"active": {"share": 0.3, "at_least": 1}}},
    "breaker": {**RETRIES, "breaker": {"window": {"calls": 4}, "open": "50ms", "half_open": {"calls": 2}}},
    "sliding": {**RETRIES, "breaker": {"window": {"time": "100ms"}, "at_least": 3, "open": "50ms"}},
    "bulkhead": {**RETRIES, "bulkhead": {"at_most": 2, "queue": 3, "max_wait": "5ms"}},
    "rate": {**RETRIES, "rate_limit": {"rate": "40/s", "burst": 2}},
    "hedge": {**RETRIES, "hedge": {"after": "15ms", "at_most": 2, "at_failure": "wait"}},
    "next": {**RETRIES, "hedge": {"after": "15ms", "at_most": 2}},
    "hard": {**RETRIES, "deadline": "90ms"},
    "soft": {**RETRIES, "deadline": {"after": "60ms", "kind": "soft"}},
    "cut": {"attempts": 6, "delay": "35ms", "deadline": {"after": "100ms", "kind": ["cut_sleep"]}},
    "hint": {
        **RETRIES,
        "retry_after": {"at_most": "20ms", "as": "lower_bound"},
        "deadline": {"after": "80ms", "kind": "before_sleep"},
    },
    "own": {
        "attempts": 5,
        "delay": "5ms",
        "timeout": "30ms",
        "cases": [{"on": "timed_out", "attempts": 2, "counter": "own"}],
    },
    "late": {"attempts": 2, "deadline": {"after": "50ms", "kind": "after_attempt"}},
    "again": {"attempts": 3, "redeliver": {"after": "25ms"}},
}

BUGS: dict[str, tuple[str, str, list[Place]]] = {
    # what is wrong: (the invariant meant for it, the policy, the changed functions)
    "tokens come back as a request starts, not as it succeeds": (
        "budgets-recounted",
        "tokens",
        [(TokenBudget, "request_started", ("self._bring(self._rules.on_request)", "self._bring(self._rules.clean)"))],
    ),
    "all clients have one budget": (
        "budgets-recounted",
        "tokens",
        [(sharing, "_address", ("{CLIENT: place.client, SERVICE", "{CLIENT: 0, SERVICE"))],
    ),
    "what is as old as the window still counts": (
        "budgets-recounted",
        "window",
        [(Recent, "count", ("times[0] <= now_ns", "times[0] < now_ns - 10_000_000"))],
    ),
    "a window allows a retry too many": (
        "budgets-recounted",
        "window",
        [(WindowBudget, "allows", ("< self._allowed(requests)", "< self._allowed(requests) + self._rules.unit"))],
    ),
    "an open slot never ends": (
        "budgets-recounted",
        "slots",
        [(_Slots, "_come_to", ("if passed_ns < slot_ns:", "if passed_ns < 3 * slot_ns:"))],
    ),
    "slots in which nothing happened are forgotten": (
        "budgets-recounted",
        "slots",
        [(_Slots, "_come_to", ("min(lengths - 1, self._rules.slots_kept)", "0"))],
    ),
    "one request has a retry too many": (
        "budgets-recounted",
        "a fifth",
        [(_OfOneRequest, "allows", ("self._used < self._most", "self._used <= self._most"))],
    ),
    "a retry is in flight for ever": (
        "budgets-recounted",
        "active",
        [(ActiveBudget, "retry_ended", ("self._flying -= 1", "self._flying -= 0"))],
    ),
    "half open, a breaker never closes": (
        "breakers-recounted",
        "breaker",
        [(Breaker, "answered", ("if counts.answers >= self._rules.half_open_at_least:", "if counts.failures:"))],
    ),
    "the window of a breaker is one answer too long": (
        "breakers-recounted",
        "breaker",
        [(_LastAnswers, "add", ("len(self._answers) > self._size", "len(self._answers) > self._size + 1"))],
    ),
    "the window of a breaker reaches too far back": (
        "breakers-recounted",
        "sliding",
        [(_RecentAnswers, "counts", ("now_ns - self._size_ns", "now_ns - 2 * self._size_ns"))],
    ),
    "a breaker is half open too soon": (
        "breakers-recounted",
        "breaker",
        [(Breaker, "ask", ("now_ns >= self._until_ns", "now_ns >= self._until_ns - 20_000_000"))],
    ),
    "a bulkhead has one place more": (
        "bulkheads-hold",
        "bulkhead",
        [(Bulkhead, "enter", ("self.in_use < self._rules.at_most", "self.in_use <= self._rules.at_most"))],
    ),
    "the last who waits has the place": (
        "bulkheads-hold",
        "bulkhead",
        [(Bulkhead, "leave", ("popitem(last=False)", "popitem(last=True)"))],
    ),
    "a wait at a bulkhead has no end": (
        "bulkheads-hold",
        "bulkhead",
        [(Passage, "_waited_too_long", ("self._alarm = None\n", "self._alarm = None\n        return\n"))],
    ),
    "a token is there too soon": (
        "caller-rate-limits-hold",
        "rate",
        [
            (
                CallerRateLimit,
                "take",
                ("self._bucket.reserve(now_ns)", "max(self._bucket.reserve(now_ns) - 5_000_000, 0)"),
            )
        ],
    ),
    "a copy is sent after the success": (
        "no-copy-after-answer",
        "hedge",
        [
            (
                Run,
                "succeeded",
                (
                    "self.waiting.remove(call)\n",
                    "self.waiting.remove(call)\n        if self.more:\n            self._send()\n",
                ),
            )
        ],
    ),
    "a copy is sent after a final error": (
        "no-copy-after-answer",
        "next",
        [(Trying, "_answered", ("and judging.is_retried(self.rules, answer)", "and True"))],
    ),
    "the next copy goes too late": (
        "copies-as-stated",
        "hedge",
        [(Trying, "_plan_copy", ("Alarm(self.clock, after_ns,", "Alarm(self.clock, after_ns + 1,"))],
    ),
    "a failure sends no copy": (
        "copies-as-stated",
        "next",
        [(Trying, "_answered", ('if hedge.at_failure == "next":', "if False:"))],
    ),
    "a try has a copy too many": (
        "copies-as-stated",
        "hedge",
        [(Run, "_begin_try", ("rules.hedge.at_most", "rules.hedge.at_most + 1"))],
    ),
    "the cap bounds what the jitter leaves": (
        "own-delays-follow-law",
        "jittered",
        [
            (
                policy_retrier,
                "rules_of",
                (
                    "laws = [delay_law(options.delay)]",
                    'laws = [delay_law(options.delay.model_copy(update={"cap_applies": "after"}))]',
                ),
            )
        ],
    ),
    "all requests share the delay before": (
        "own-delays-follow-law",
        "decorrelated",
        [(machine, "state_of_delays", ("if found.state == REQUEST:", "if False:"))],
    ),
    "the number of a retry is one too high": (
        "own-delays-follow-law",
        "jittered",
        [(judging, "judge", ("run.counters[case.counter] + 1 -", "run.counters[case.counter] + 2 -"))],
    ),
    "a final error is retried": (
        "only-listed-answers-retried",
        "plain",
        [
            (judging, "is_retried", ("if answer.final and not rules.final_retried:", "if False:")),
            (judging, "judge", ("if answer.final and not rules.final_retried:", "if False:")),
        ],
    ),
    "a Retry-After leads beyond the deadline": (
        "policy-deadlines-hold",
        "hint",
        [(judging, "_within_deadline", ("if deadline.before_sleep and counted_ns > left_ns:", "if False:"))],
    ),
    "a Retry-After is obeyed beyond what it may ask for": (
        "waits-as-stated",
        "hint",
        [(judging, "_obeyed_ns", ("hint_ns = rules.at_most_ns", "hint_ns = hint_ns"))],
    ),
    "a sleep is cut to what the deadline was": (
        "waits-as-stated",
        "cut",
        [
            (
                judging,
                "_within_deadline",
                ("return min(wait_ns, left_ns) if", "return min(wait_ns, deadline.after_ns) if"),
            )
        ],
    ),
    "a deadline starts anew with each try": (
        "policy-deadlines-hold",
        "soft",
        [
            (
                Spent,
                "leave",
                ("if phase == self._counts", "self._since_ns = self._clock.now_ns\n        if phase == self._counts"),
            )
        ],
    ),
    "a hard deadline ends no call": (
        "policy-deadlines-hold",
        "hard",
        [(Run, "_deadline_passed", ("self._end(judging.DEADLINE)", "return"))],
    ),
    "a sleep is a moment too long": (
        "sleeps-as-decided",
        "plain",
        [(Run, "_sleep", ("clock.set_timer(self, wait_ns)", "clock.set_timer(self, wait_ns + 1)"))],
    ),
    "a timeout counts from the end of the try before": (
        "timeouts-on-time",
        "plain",
        [
            (
                Call,
                "limit",
                ("set_timer(self, timeout_ns)", "set_timer(self, max(timeout_ns - max(self.slept_ns, 0), 1))"),
            )
        ],
    ),
    "there is a try too many": (
        "tries-within-attempts",
        "plain",
        [(judging, "_is_out", ("else 0) >= case.attempts", "else 0) > case.attempts"))],
    ),
    "a delivery does not count": (
        "tries-within-attempts",
        "again",
        [(judging, "_is_out", ("(run.deliveries if run.rules.redeliver_counts else 0)", "0"))],
    ),
    "a delivery comes at once": (
        "deliveries-on-time",
        "again",
        [(Trying, "_plan_delivery", ("since_ns + self.rules.redeliver_ns", "since_ns + self.rules.redeliver_ns // 2"))],
    ),
    "a counter of its own is shared": (
        "reasons-in-order",
        "own",
        [(policy_retrier, "rules_of", ('if case.counter == "own":', "if False:"))],
    ),
    "the deadline is asked before the tries": (
        "reasons-in-order",
        "late",
        [
            (
                judging,
                "judge",
                (
                    "out = _is_out(run, case)\n",
                    "out = _is_out(run, case) and not (spent is not None and spent.left_ns <= 0)\n",
                ),
            )
        ],
    ),
}


def broken_in(name: str) -> set[str]:
    """Return what a check of a policy finds broken."""
    scenario = from_dict(
        {
            "name": "zoo",
            "seed": 3,
            "world": "shared",
            "requests": {"count": 60, "arrivals": {"constant": {"rate": "60/s"}}},
            "clients": {"count": 2},
            "action": {
                "latency": {"uniform": {"low": "10ms", "high": "50ms"}},
                "outcomes": {
                    "fail": {"share": 0.45, "final": 0.1, "retry_after": {"uniform": {"low": "1ms", "high": "60ms"}}}
                },
            },
            "retrier": {"kind": "policy", **POLICIES[name]},
        }
    )
    checked = check(scenario, invariants=POLICY)
    return {broken for cell in checked.cells for broken in cell.broken}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught_by_the_invariant_meant_for_it(zoo: Any, name: str) -> None:
    meant, policy, places = BUGS[name]
    with zoo.planted(*places):
        assert meant in broken_in(policy)


@pytest.mark.parametrize("name", POLICIES)
def test_the_original_breaks_nothing_with_the_same_policies(name: str) -> None:
    assert broken_in(name) == set()


def test_every_invariant_of_policies_catches_a_bug() -> None:
    assert {meant for meant, _, _ in BUGS.values()} == {one.name for one in POLICY}
