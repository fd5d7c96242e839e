"""The two contracts, and the check of a history against them.

`RETRIER` is owed by any retrier to its caller, `PLATFORM` by the platform to its users. An invariant sees a history and
its terms, nothing else, so the same ones judge a simulation, a property test, an exploration and a recording.

What the platform owes whatever a retrier provokes (write skew, phantoms, reads of sub-transactions that throw, order
and limits of ranges) is judged in the worlds of its own probe (`PROBED`, `sim.experiment.probe`).

Not judged, each for its reason:

- Jitter of a retrier that promises bounds and no law (`sim.promises.waits`), since any wait between them will do:
  `delays-reach-low` and its like, held over a whole property run by `sim.testing.sightings`.
- At which address a number of the platform or the world was drawn: histories hold what the numbers did. Numbers used
  twice show as draws that depend on each other, in a run with enough of them; a test of this project's own holds every
  address besides.
- How long a mutation takes to its snapshot and its commit, and a job from its slot to its start: longer ones are
  refused and cut off more often, so those that are seen do not follow the law.
- How long weather lasts: histories hold what it did.
- Which share of calls a service sheds, if not all of them, and how long changes of capacity last that come at random
  beside others: only the ends of their laws are held, where one is alone.
- What a retrier of its own does between the calls that a service makes, and which of two things is first that come in
  one instant, an answer and a timeout.
- Order of starts if dispatch takes time: it is random by design.
- What a query answers its caller (the component's `status`), except that of the probe's own queries.
- Errors that a mutation throws behind an end that no caller waits for: they change nothing that a caller is told.
- Rows kept too long if the collector pauses between batches, or the server was down.
- What a retrier does for a request that its caller submits again: submissions go on side by side, and a history does
  not say of which a call, a sleep or a draw is. What the platform does for it is judged, its record included.
- The shares and laws of attempts in a class of callers with an action of its own, and those of waits in a class with a
  retrier of its own, over a whole run: too few of each number to be told apart. Each attempt and wait is judged alone.
- What a loop returns that is no whole number, and an answer of another request with the same number.
- To which of the tasks of a guest a call, a sleep or a timer belongs, and timers that it calls off: histories do not
  say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.chance import attempts as run_attempts
from sim.chance import backoffs as run_backoffs
from sim.chance import waits as run_waits
from sim.contracts import stricter
from sim.contracts.platform import (
    backoffs,
    effects,
    executions,
    guests,
    jobs,
    keys,
    moments,
    numbers,
    plans,
    probe,
    records,
    store,
)
from sim.contracts.policy import breakers, budgets, copies, decisions, times
from sim.contracts.policy import gates as policy_gates
from sim.contracts.pool import loops, works
from sim.contracts.retrier import attempts, leaks, limits, polls, results
from sim.contracts.retrier import budgets as retry_budgets
from sim.contracts.services import calls, cancels, capacity, gates, layers, queues, rows, work
from sim.contracts.services import effects as service_effects
from sim.promises.invariant import EVENTUALLY, OVERALL, SOMETIMES, Invariant, Kind, Violation, breach, invariant
from sim.promises.terms import Terms
from sim.promises.view import View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sim.history.recorder import History

__all__ = [
    "INVARIANTS",
    "PLATFORM",
    "POLICY",
    "POOL",
    "PROBED",
    "RETRIER",
    "STRICTER",
    "Invariant",
    "Kind",
    "Terms",
    "View",
    "Violation",
    "breach",
    "check",
    "check_view",
    "invariant",
]

RETRIER: tuple[Invariant, ...] = (
    attempts.attempts_within_budget,
    attempts.no_attempt_after_settled,
    attempts.no_retry_after_success,
    attempts.no_retry_of_final_error,
    attempts.no_overlapping_attempts,
    attempts.first_attempt_in_law,
    attempts.delays_in_law,
    attempts.polls_in_law,
    polls.looks_one_by_one,
    polls.looking_ends,
    polls.ends_acted_on,
    polls.errors_taken,
    polls.draws_are_fresh,
    attempts.no_sleep_after_last_attempt,
    attempts.retry_after_honored,
    polls.timeouts_in_law,
    limits.deadline_holds,
    limits.soft_deadline_holds,
    retry_budgets.retries_within_budget,
    limits.cancel_obeyed,
    limits.budget_used,
    results.newest_attempt_decides,
    results.result_is_true,
    results.result_never_changes,
    results.settles_once,
    results.settles_at_its_commit,
    results.callback_once,
    leaks.no_leak,
    run_waits.waits_follow_law,
    run_waits.waits_drawn_anew,
    results.settles,
    results.callback_comes,
)
"""What any retrier owes its caller."""

PLATFORM: tuple[Invariant, ...] = (
    jobs.clock_monotone,
    jobs.legal_job_steps,
    jobs.mutations_exactly_once,
    jobs.actions_at_most_once,
    jobs.children_of_canceled,
    jobs.nothing_starts_early,
    jobs.slots_respected,
    jobs.rows_kept,
    numbers.rows_collected,
    executions.ends_as_attempted,
    executions.deaths_take_all,
    executions.starts_in_order,
    executions.operators_cancel,
    numbers.restarts_last,
    numbers.reruns_in_law,
    moments.steps_take_their_time,
    numbers.crashes_detected,
    numbers.clients_wait,
    guests.guests_go_on,
    store.atomic_commits,
    store.serializable,
    effects.attempts_end_once,
    effects.attempts_go_as_drawn,
    effects.time_limit_holds,
    effects.effects_happen,
    numbers.effects_at_their_moment,
    moments.attempts_last_as_drawn,
    numbers.outages_strike,
    plans.requests_arrive_as_planned,
    plans.cancels_come_as_planned,
    plans.deaths_come_as_planned,
    plans.healed_worlds_stay_well,
    plans.attempts_do_what_is_planned,
    plans.errors_say_what_is_stated,
    keys.keys_are_known,
    plans.batches_pause,
    effects.duplicates_have_causes,
    backoffs.backoffs_come,
    backoffs.backoffs_last,
    run_backoffs.backoffs_follow_law,
    run_attempts.outcomes_as_stated,
    run_attempts.latencies_as_stated,
    run_attempts.streams_apart,
    run_attempts.weather_apart,
    run_attempts.replications_differ,
    backoffs.reports_come,
    records.records_tell_the_history,
    records.limits_stop_what_runs_away,
    plans.calls_are_served,
    jobs.nothing_left,
    calls.calls_arrive,
    calls.calls_go_one_way,
    calls.calls_answered,
    cancels.cancels_stop_calls,
    queues.calls_served_in_order,
    queues.servers_respected,
    queues.no_server_idles,
    queues.queue_limits_hold,
    queues.waits_end_in_time,
    queues.arrivals_count_calls,
    queues.only_abandoned_dropped,
    gates.rate_limits_hold,
    gates.load_shed_as_stated,
    capacity.servers_change_as_planned,
    capacity.work_slows_as_stated,
    work.work_goes_as_stated,
    work.work_takes_its_time,
    service_effects.service_effects_happen,
    service_effects.repeated_calls_recognized,
    rows.row_versions_hold,
    layers.layers_called_in_turn,
)
"""What the platform, and the world around it, owe their users."""

POLICY: tuple[Invariant, ...] = (
    decisions.reasons_in_order,
    decisions.only_listed_answers_retried,
    decisions.tries_within_attempts,
    decisions.own_delays_follow_law,
    decisions.waits_as_stated,
    decisions.policy_deadlines_hold,
    times.sleeps_as_decided,
    times.timeouts_on_time,
    times.deliveries_on_time,
    budgets.budgets_recounted,
    breakers.breakers_recounted,
    policy_gates.bulkheads_hold,
    policy_gates.caller_rate_limits_hold,
    copies.copies_as_stated,
    copies.no_copy_after_answer,
)
"""What a policy owes besides: that it does what it states. Of a whole history, since requests share its parts."""

POOL: tuple[Invariant, ...] = (
    works.pool_slots_hold,
    works.pool_starts_in_segment,
    works.pool_retries_in_law,
    works.pool_retries_in_budget,
    works.pool_attempts_counted,
    works.pool_works_end_once,
    works.pool_callbacks_once,
    works.pool_cancels_hold,
    loops.pool_loop_runs_alone,
    loops.pool_sleeps_only_if_nothing_is_due,
    loops.pool_tables_are_empty,
)
"""What a pool owes besides. Of a whole history, since requests share its slots and its loop."""

INVARIANTS: tuple[Invariant, ...] = (*RETRIER, *PLATFORM, *POLICY, *POOL)

BY_CLASS: tuple[Invariant, ...] = (
    executions.operators_cancel,
    numbers.clients_wait,
    numbers.effects_at_their_moment,
    numbers.outages_strike,
    moments.attempts_last_as_drawn,
    effects.duplicates_have_causes,
    plans.healed_worlds_stay_well,
    plans.attempts_do_what_is_planned,
    backoffs.reports_come,
    keys.keys_are_known,
)
"""What the platform owes by the action and the retrier of a request, which its class of callers may have of its own."""

# In a tuple each invariant would be compared with all before it, field by field, for each history.
_OF_RETRIER, _OF_CLASS = frozenset(RETRIER), frozenset(BY_CLASS)

PROBED: tuple[Invariant, ...] = (
    *PLATFORM,
    polls.draws_are_fresh,
    results.settles_at_its_commit,
    results.result_never_changes,
    probe.probe_is_told_the_truth,
)
"""What the histories of the platform's own probe are checked against."""

STRICTER: tuple[Invariant, ...] = (
    stricter.effect_once,
    stricter.no_runaway,
    stricter.delays_reach_low,
    stricter.delays_reach_high,
    stricter.polls_reach_low,
    stricter.polls_reach_high,
)
"""Invariants no retrier can always keep, or that need many histories. Checked only when named."""


def check(
    history: History, terms: Terms | None = None, invariants: Iterable[Invariant] = INVARIANTS
) -> list[Violation]:
    """Check a history against invariants; returns what breaks them, in their order.

    An invariant of kind `eventually` is asked only of a history that is drained. One of kind `sometimes` or `overall`
    needs many histories and is not asked; the `check` of a `sometimes` yields sightings.
    """
    return check_view(View(history, terms), invariants)


def check_view(view: View, invariants: Iterable[Invariant] = INVARIANTS) -> list[Violation]:
    """Check a history that has been indexed already; see `check`."""
    drained = view.terms.drained
    found: list[Violation] = []
    for one in invariants:
        if one.kind in {SOMETIMES, OVERALL} or (one.kind == EVENTUALLY and not drained):
            continue
        for part in _parts(view, one):
            for violation in one.search(part):
                found.append(violation._replace(invariant=one.name))  # noqa: PERF401  # mostly there is none
    return found


def _parts(view: View, one: Invariant) -> list[View]:
    """Return the views in which an invariant is looked for: of each class of callers, if it is about their terms."""
    if one in _OF_RETRIER:
        return view.submitted_once()
    return view.by_class() if one in _OF_CLASS else [view]
