"""The contracts, over generated worlds: the platform keeps its own always, each port all but its known findings.

A known finding says which invariant a port breaks, why, and how to see in the history that this is the reason: a
violation that no finding explains is news. Each finding is shown to occur.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sim.testing.strategies import as_yaml

Explains = Callable[[Any, Any], bool]
"""Whether a history (`Seen`) and a violation show this finding."""


@dataclass(frozen=True)
class Finding:
    """A known fault of a port."""

    reason: str
    breaks: tuple[str, ...]
    explains: Explains


def always(_seen: Any, _violation: Any) -> bool:
    return True


def a_call_hangs(seen: Any, violation: Any) -> bool:
    attempts = seen.view.requests[violation.request].attempts
    return any(attempt.outcome == "hang" and attempt.end is None for attempt in attempts)


def last_poll(seen: Any, violation: Any, name: str) -> Any:
    return [job for job in seen.view.requests[violation.request].jobs if job.name == name][-1]


def poll_canceled(name: str) -> Explains:
    return lambda seen, violation: last_poll(seen, violation, name).state == "canceled"


def poll_threw(seen: Any, violation: Any) -> bool:
    threw = last_poll(seen, violation, "retry").threw
    return any("not found" in event.error for _, event in threw)


def cancel_found_nothing(seen: Any, violation: Any) -> bool:
    """Return whether no cancel of the request has canceled a job."""
    commits = seen.view.requests[violation.request].cancel_commits
    return all(not commit.event.writes for commit in commits)


# The component.


def last_heartbeat_repaired(seen: Any, violation: Any) -> bool:
    """Return whether the last heartbeat has scheduled an attempt, but no heartbeat."""
    heartbeat = last_poll(seen, violation, "heartbeat")
    created = [job.name for commit in seen.view.commits if commit.event.job == heartbeat.id for job in commit.created]
    return created == ["execute"]


def on_complete_threw(seen: Any, violation: Any) -> bool:
    return bool(seen.view.requests[violation.request].callbacks_lost)


def run_read(commit: Any) -> Any:
    return next((value for row, value in commit.event.reads if str(row).startswith("runs:")), None)


def stale_report(seen: Any, violation: Any) -> bool:
    """Return whether the run has taken the report of an attempt that was not its newest."""
    return any(
        commit.event.function == "finishExecution"
        and commit.event.request == violation.request
        and commit.event.writes
        and run_read(commit)["state"]["schedulerId"] != commit.event.caller
        for commit in seen.view.commits
    )


def row_gone(seen: Any, violation: Any) -> bool:
    """Return whether a heartbeat has found no row of an attempt that an operator had canceled."""
    return any(
        commit.event.function == "heartbeat"
        and commit.event.request == violation.request
        and any(isinstance(row, int) and value is None for row, value in commit.event.reads)
        for commit in seen.view.commits
    )


def report_lost(seen: Any, violation: Any) -> bool:
    """Return whether a report of the request was given up, or struck by a system error."""
    most = seen.scenario.platform.occ_reruns
    return any(
        event.request == violation.request
        and (
            (event.kind == "conflict" and event.function == "finishExecution" and event.rerun > most)
            or (event.kind == "system_error" and event.struck == "mutation finishExecution")
        )
        for event in seen.view.events
    )


def cut_while_reporting(seen: Any, violation: Any) -> bool:
    """Return whether the time limit has ended the job of an attempt of the request that had returned."""
    limit_ns = seen.view.terms.action_time_limit_ns
    jobs = seen.view.jobs
    return any(
        attempt.how == "returned"
        and (job := jobs[attempt.job]).end_at > attempt.end_at
        and job.state == "failed"
        and job.end.t_ns == job.started.t_ns + limit_ns
        for attempt in seen.view.requests[violation.request].attempts
    )


DEAF = [
    Finding("it never looks at the error", ("no-retry-of-final-error",), always),
    Finding("it never looks at the wait that the error asks for", ("retry-after-honored",), always),
]
POLLING = [
    *DEAF,
    Finding("after a canceled poll no other follows", ("settles",), poll_canceled("retry")),
    Finding("a poll that finds the row collected throws, and no other follows", ("settles",), poll_threw),
    Finding(
        "a cancel between a failure and the poll that sees it, or before the first, finds nothing to cancel",
        ("cancel-obeyed",),
        cancel_found_nothing,
    ),
]
COMPONENT = [
    *DEAF,
    Finding("onComplete that throws is not called again", ("callback-once",), on_complete_threw),
    Finding(
        "with its heartbeat canceled, a crash is never noticed",
        ("settles", "callback-comes"),
        poll_canceled("heartbeat"),
    ),
    Finding(
        "an action that an operator cancels runs on; once its row is collected it counts as failed and is repeated",
        ("newest-attempt-decides",),
        row_gone,
    ),
    Finding(
        "a report that loses against other commits too often is not made again: a finished attempt is repeated",
        ("no-retry-after-success", "result-is-true"),
        report_lost,
    ),
    Finding(
        "an execution that is cut off while it reports counts as crashed, even if it was to report success",
        ("no-retry-after-success", "result-is-true"),
        cut_while_reporting,
    ),
]
KNOWN: dict[str, list[Finding]] = {
    "none": [Finding("it waits for ever for a call that hangs", ("settles",), a_call_hangs)],
    "article": POLLING,
    "helpers": POLLING,
    "component": [
        *COMPONENT,
        Finding(
            "after a repair no heartbeat comes again: a second crash is never noticed",
            ("settles", "callback-comes"),
            last_heartbeat_repaired,
        ),
        Finding(
            "a report carries no number: that of an attempt given up counts for the newest",
            ("newest-attempt-decides", "no-overlapping-attempts", "budget-used"),
            stale_report,
        ),
    ],
    "component-repaired": COMPONENT,
    "workpool": [],
}


def news(kind: str, seen: Any) -> list[Any]:
    """Return the violations in a history that no finding explains."""
    return [
        violation
        for violation in seen.violations
        if not any(violation.invariant in known.breaks and known.explains(seen, violation) for known in KNOWN[kind])
    ]


def no_news(kind: str, seen: Any) -> None:
    for violation in news(kind, seen):
        pytest.fail(f"{violation.invariant}: {violation.text}\n\n{as_yaml(seen.scenario)}")


def test_nothing_but_known_findings_is_broken(port: Any) -> None:
    for seen in port.histories:
        no_news(port.kind, seen)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KNOWN))
def test_nothing_but_known_findings_is_broken_in_many_worlds(see_many: Callable[..., None], kind: str) -> None:
    see_many(kind, lambda seen: no_news(kind, seen))


def occurs(finding: Finding, invariant: str, histories: list[Any]) -> bool:
    return any(
        violation.invariant == invariant and finding.explains(seen, violation)
        for seen in histories
        for violation in seen.violations
    )


def test_every_known_finding_occurs(port: Any) -> None:
    findings = [(invariant, finding) for finding in KNOWN[port.kind] for invariant in finding.breaks]
    absent = [
        (invariant, finding.reason) for invariant, finding in findings if not occurs(finding, invariant, port.histories)
    ]
    assert absent == []
