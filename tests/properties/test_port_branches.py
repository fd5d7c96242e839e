"""Every outcome, fault and branch of every port is reached: each is seen at least once in the generated worlds.

A predicate here is a sighting in one history. If one is never seen, then the test fails with its name: either the
strategies have lost it, or it cannot happen any more.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sim.history.entities import Commit, Job
from sim.history.vocabulary import Cause
from sim.promises.view import View

Sighting = Callable[[Any], bool]
"""Whether one history (`Seen`: scenario, view, violations) shows it."""


def any_event(kind: str, name: str | None = None, **more: Any) -> Sighting:
    """Look for an event of a kind with these fields; without `name`, of any name."""

    def sighted(seen: Any) -> bool:
        return any(
            event.kind == kind
            and name in {None, event.word}
            and all(getattr(event, field) == value for field, value in more.items())
            for event in seen.view.events
        )

    return sighted


def any_attempt(wanted: Callable[[Any], bool]) -> Sighting:
    return lambda seen: any(wanted(a) for request in seen.view.requests.values() for a in request.attempts)


def any_request(wanted: Callable[[Any], bool]) -> Sighting:
    return lambda seen: any(wanted(request) for request in seen.view.requests.values())


def any_job(wanted: Callable[[Job], bool]) -> Sighting:
    return lambda seen: any(wanted(job) for job in seen.view.jobs.values())


# What the world does to every port.

OUTCOMES = ("success", "fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang")
WORLD: dict[str, Sighting] = {
    **{f"an attempt of outcome {name}": any_event("attempt", name) for name in OUTCOMES},
    **{f"an attempt that {how}": any_event("attempt_end", how) for how in ("returned", "threw", "died")},
    "an attempt that is lost": any_event("lost"),
    "an error that is final": any_attempt(lambda attempt: attempt.failure is not None and attempt.failure.final),
    "an error that names a wait": any_attempt(
        lambda attempt: attempt.failure is not None and attempt.failure.retry_after_ns >= 0
    ),
    "an effect": any_event("effect", "applied"),
    "a request that succeeds": any_event("settled", "success"),
    "a request that is given up": any_event("settled", "gave_up"),
    "a request that is canceled": any_event("settled", "canceled"),
    "a request that never settles": any_request(lambda request: request.settled is None),
    "a cancel after the end": any_request(lambda request: any(at > request.settled_at for at, _ in request.cancels)),
    "requests that arrive one by one": lambda seen: any(r.submitted_ns > 0 for r in seen.view.requests.values()),
}


def threw(function: str, text: str) -> Sighting:
    return lambda seen: any(
        event.kind == "rolled_back" and event.function == function and text in event.error for event in seen.view.events
    )


# What happens to a deployment.


def struck(place: str) -> Sighting:
    return lambda seen: any(event.kind == "system_error" and event.struck == place for event in seen.view.events)


def restart_during_an_action(seen: Any) -> bool:
    jobs = seen.view.jobs.values()
    return any(job.started_at < at < job.end_at for at, _ in seen.view.restarts for job in jobs)


DEPLOYMENT: dict[str, Sighting] = {
    "an attempt after the world has healed": lambda seen: any(
        event.kind == "attempt" and event.t_ns >= seen.scenario.heals_at
        for event in (seen.view.events if seen.scenario.heals_at is not None else ())
    ),
    "an attempt that is cut off": any_event("attempt_end", "cut"),
    "a conflict of a scheduled mutation": lambda seen: any(
        event.kind == "conflict" and event.job >= 0 for event in seen.view.events
    ),
    "a system error at the start of an action": struck("start"),
    "a system error in an execution": struck("execution"),
    "a system error at the end of an action": struck("end"),
    "a system error in a poll": lambda seen: any(
        event.kind == "system_error" and str(event.struck).startswith("mutation") and event.job >= 0
        for event in seen.view.events
    ),
    "a restart while an action runs": restart_during_an_action,
    "a restart that keeps effects to come": any_event("restart", "continues"),
    "a restart that loses effects to come": any_event("restart", "lost"),
    "an effect that a restart has lost": any_attempt(
        lambda attempt: attempt.effect_ns >= 0 and not attempt.effects and attempt.outcome != "hang"
    ),
    "an effect after the death of its execution": any_attempt(
        lambda attempt: attempt.how == "died" and any(at > attempt.end_at for at, _ in attempt.effects)
    ),
    "an effect after the cut of its execution": any_attempt(
        lambda attempt: attempt.how == "cut" and any(at > attempt.end_at for at, _ in attempt.effects)
    ),
    "a job that waits for a slot": lambda seen: (
        seen.scenario.platform.parallelism is not None
        and seen.scenario.platform.dispatch_latency is None
        and not seen.view.restarts
        and any(
            job.started is not None and job.started.t_ns > job.asked_ns and not job.errors
            for job in seen.view.jobs.values()
        )
    ),
    "a death that is detected late": lambda seen: (
        seen.scenario.platform.crash_detection > 0
        and any(
            attempt.how == "died" and attempt.job >= 0 and seen.view.jobs[attempt.job].end_at > attempt.end_at + 1
            for request in seen.view.requests.values()
            for attempt in request.attempts
        )
    ),
    "a collected row": any_event("collected"),
    "an effect that is recognized": any_event("effect", "suppressed"),
    **{
        f"a duplicate by {cause.name}": any_event("effect", cause.name)
        for cause in (Cause.ack_lost, Cause.crash_after_effect, Cause.timeout)
    },
    "a cancel that stops a pending action": lambda seen: any(
        job.name in seen.view.terms.promises.action_jobs and job.end_at < job.started_at and job.state == "canceled"
        for job in seen.view.jobs.values()
    ),
    "a cancel of an action that runs": lambda seen: any(
        job.name in seen.view.terms.promises.action_jobs and job.started is not None and job.state == "canceled"
        for job in seen.view.jobs.values()
    ),
    "a poll that is canceled": any_job(lambda job: job.name in {"retry", "heartbeat"} and job.state == "canceled"),
}

# What the polls of article and helpers see and do.


def polls(view: View) -> Iterator[tuple[Commit, Job, str]]:
    """Yield the polls that found a job: the commit, the job of the action, and its state."""
    for commit in view.commits:
        if commit.event.function != "retry":
            continue
        for row, value in commit.event.reads:
            job = view.jobs.get(row) if isinstance(row, int) else None
            if job is not None and job.name == "action" and value is not None:
                yield commit, job, value


def poll(state: str, *schedules: str) -> Sighting:
    """Look for a poll that sees the action's job in a state and then schedules functions of these names."""

    def sighted(seen: Any) -> bool:
        return any(
            value == state and sorted(job.name for job in commit.created) == sorted(schedules)
            for commit, _, value in polls(seen.view)
        )

    return sighted


def first_look_before_the_retried_job_starts(seen: Any) -> bool:
    firsts = {min(job.id for job in request.jobs if job.name == "action") for request in seen.view.requests.values()
              if any(job.name == "action" for job in request.jobs)}  # fmt: skip
    return any(value == "pending" and job.id not in firsts for _, job, value in polls(seen.view))


def cancel_that_finds_nothing(seen: Any) -> bool:
    return any(not commit.event.writes for request in seen.view.requests.values() for commit in request.cancel_commits)


POLLING: dict[str, Sighting] = {
    "poll sees pending and comes again": poll("pending", "retry"),
    "poll sees in progress and comes again": poll("inProgress", "retry"),
    "poll sees failed and retries": poll("failed", "action", "retry"),
    "poll sees failed and gives up": lambda seen: poll("failed")(seen) and any_event("settled", "gave_up")(seen),
    "poll sees success": poll("success"),
    "poll sees canceled": poll("canceled"),
    "poll finds the row gone and throws": threw("retry", "not found"),
    "poll comes before the retried job has started": first_look_before_the_retried_job_starts,
    "cancel finds nothing to cancel": cancel_that_finds_nothing,
}
HELPERS = {
    "the first poll schedules the action": lambda seen: any(
        commit.event.function == "retry"
        and sorted(job.name for job in commit.created) == ["action", "retry"]
        and not any(commit is other for other, _, _ in polls(seen.view))
        for commit in seen.view.commits
    ),
}

# What the component's functions do.


def heartbeats(view: View) -> Iterator[tuple[Commit, str, str | None, list[str]]]:
    """Yield committed heartbeats: the commit, the states of the run and of its job (gone: None), new jobs' names."""
    for commit in view.commits:
        if commit.event.function != "heartbeat":
            continue
        run: Any = next((value for row, value in commit.event.reads if isinstance(row, str)), None)
        looked = [value for row, value in commit.event.reads if isinstance(row, int) and row != commit.event.job]
        state = "gone" if run is None else run["state"]["type"]
        yield commit, state, looked[0] if looked else "not looked at", [job.name for job in commit.created]


def heartbeat(state: str, job: str | None, *schedules: str, settles: str | None = None) -> Sighting:
    def sighted(seen: Any) -> bool:
        for commit, run, status, names in heartbeats(seen.view):
            if (run, status, names) == (state, job, list(schedules)):
                completed = [event for event in written(seen.view, commit) if event["state"]["type"] == "completed"]
                if settles is None or [run["state"]["result"]["type"] for run in completed] == [settles]:
                    return True
        return False

    return sighted


def written(view: View, commit: Commit) -> list[Any]:
    """Return the documents that a commit has written."""
    found = []
    for at in range(commit.at - 1, -1, -1):
        event = view.events[at]
        if event.kind == "commit":
            break
        if event.kind == "write" and event.document_id.startswith("runs:"):
            found.append(event.document)
    return found


def reports(view: View) -> Iterator[Commit]:
    return (commit for commit in view.commits if commit.event.function == "finishExecution")


def report(settles: str | None = None, *schedules: str) -> Sighting:
    """Look for a report of `execute` that settles the run as something, or schedules functions of these names."""

    def sighted(seen: Any) -> bool:
        for commit in reports(seen.view):
            types = [run["state"].get("result", {}).get("type") for run in written(seen.view, commit)]
            if settles in types and [job.name for job in commit.created] == list(schedules):
                return True
        return False

    return sighted


def cron(*, deletes: bool) -> Sighting:
    return lambda seen: any(
        commit.event.function == "cleanupExpiredRuns" and bool(commit.event.writes) is deletes
        for commit in seen.view.commits
    )


def exhausted(seen: Any) -> bool:
    most = seen.scenario.platform.occ_reruns
    return any(
        event.kind == "conflict" and event.function == "finishExecution" and event.rerun > most
        for event in seen.view.events
    )


def execute_without_attempt(seen: Any) -> bool:
    tried = {attempt.job for request in seen.view.requests.values() for attempt in request.attempts}
    return any(
        job.name == "execute" and job.state == "success" and job.id not in tried for job in seen.view.jobs.values()
    )


def born_canceled(seen: Any) -> bool:
    return any(job.name == "execute" and job.born == "canceled" for job in seen.view.jobs.values())


def answered(answer: object) -> Sighting:
    return lambda seen: any(event.kind == "cancel_answer" and event.answer is answer for event in seen.view.events)


COMPONENT: dict[str, Sighting] = {
    "heartbeat sees pending and comes again": heartbeat("inProgress", "pending", "heartbeat"),
    "heartbeat sees in progress and comes again": heartbeat("inProgress", "inProgress", "heartbeat"),
    "heartbeat sees the run completed and stops": heartbeat("completed", "not looked at"),
    "heartbeat repairs a crash with the last attempt": heartbeat("inProgress", "failed", settles="failed"),
    "heartbeat finds the job canceled": heartbeat("inProgress", "canceled", settles="canceled"),
    "report of a success": report("success"),
    "report of a failure that is retried": report(None, "execute"),
    "report of the last failure": report("failed"),
    "report that is dropped": lambda seen: any(not commit.event.writes for commit in reports(seen.view)),
    "report that is refused and made again": lambda seen: any(
        event.kind == "conflict" and event.function == "finishExecution" for event in seen.view.events
    ),
    "report that has lost against others too often": exhausted,
    "report that a system error strikes": struck("mutation finishExecution"),
    "retry of an action canceled behind the back is born canceled": born_canceled,
    "onComplete runs": any_event("callback"),
    "cleanup deletes the run": lambda seen: any(
        event.kind == "write" and event.document_id.startswith("runs:") and event.document is None
        for event in seen.view.events
    ),
    "heartbeat finds the run gone": heartbeat("gone", "not looked at"),
    "report finds the run gone and throws": threw("finishExecution", "not found"),
    "cron deletes expired runs": cron(deletes=True),
    "cron finds nothing to delete": cron(deletes=False),
    "onComplete throws": any_event("callback_lost"),
    "cancel answers true": answered(answer=True),
    "cancel answers false": answered(answer=False),
    "a duplicate by report_lost": any_event("effect", "report_lost"),
    "a run that starts later": lambda seen: (
        seen.scenario.retrier.options.run_after > 0
        and any(job.name == "execute" and job.asked_ns > job.created.t_ns for job in seen.view.jobs.values())
    ),
}
UPSTREAM = {
    "execute finds the run completed": execute_without_attempt,
    "heartbeat repairs a crash": heartbeat("inProgress", "failed", "execute"),
    "heartbeat finds the job gone": heartbeat("inProgress", None, "execute"),
}
REPAIRED = {
    "heartbeat repairs a crash and comes again": heartbeat("inProgress", "failed", "execute", "heartbeat"),
    "report of an attempt that was given up is dropped while another runs": lambda seen: any(
        not commit.event.writes
        and any(value["state"]["type"] == "inProgress" for row, value in commit.event.reads if isinstance(row, str))
        for commit in reports(seen.view)
    ),
}

BRANCHES: dict[str, dict[str, Sighting]] = {
    "none": WORLD,
    "article": {**WORLD, **DEPLOYMENT, **POLLING},
    "helpers": {**WORLD, **DEPLOYMENT, **POLLING, **HELPERS},
    "component": {**WORLD, **DEPLOYMENT, **COMPONENT, **UPSTREAM},
    "component-repaired": {**WORLD, **DEPLOYMENT, **COMPONENT, **REPAIRED},
}
"""Each port with all that can happen to it.

The component's heartbeat never finds the job of a run in progress succeeded: `execute` succeeds only after a report, or
if the run had completed before.
"""


@pytest.mark.slow
def test_every_branch_of_a_port_is_reached(port: Any) -> None:
    branches = BRANCHES[port.kind]
    assert [name for name, sighting in branches.items() if not any(map(sighting, port.histories))] == []
