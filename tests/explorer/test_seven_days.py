"""Seven days after its end a run may be deleted and the rows of its jobs are: what a late heartbeat makes of that.

The server can die at any point and stay down for seven days, so heartbeats, reports of attempts, the caller's cleanup,
the daily cleanup of expired runs and the collection of rows meet in every order.
"""

from collections.abc import Iterator
from functools import cache

import pytest

from sim.contracts.catalogue import INVARIANTS, View, Violation, breach, invariant
from sim.explorer.explore import Explored, explore
from sim.scenario.load import parse
from sim.scenario.parts.course import Bounds

pytestmark = pytest.mark.slow  # searches of long courses

BOUNDS = Bounds.model_validate({"attempts": 2, "crashes": 2, "down": "7d"})
WORLD = """
retrier: {{kind: {kind}, max_failures: 1, daily_cleanup: true{more}}}
action: {{latency: {{constant: 15s}}, outcomes: {{fail: 0.1, lost_contact: 0.1}}}}
platform: {{retention: 7d}}
"""


def sightings(view: View, name: str, kind: str = "commit", text: str = "") -> Iterator[Violation]:
    for event in view.events:
        if event.kind == kind and event.word == name and text in str(event):
            yield breach(event.request, f"{name} at {event.t_ns} ns", event)


def reads_nothing(view: View, name: str, of: type) -> Iterator[Violation]:
    for event in view.events:
        reads = event.reads if event.kind == "commit" and event.function == name else ()
        if any(isinstance(row, of) and value is None for row, value in reads):
            yield breach(event.request, f"{name} at {event.t_ns} ns finds nothing", event)


@invariant("sometimes")
def a_heartbeat_finds_the_run_deleted(view: View) -> Iterator[Violation]:
    """A heartbeat comes to a run that is gone."""
    yield from reads_nothing(view, "heartbeat", str)


@invariant("sometimes")
def a_heartbeat_finds_the_jobs_row_collected(view: View) -> Iterator[Violation]:
    """A heartbeat comes to a run whose job has no row any more."""
    yield from reads_nothing(view, "heartbeat", int)


@invariant("sometimes")
def an_attempt_reports_to_a_deleted_run(view: View) -> Iterator[Violation]:
    """The report of an attempt comes to a run that is gone, and throws."""
    yield from sightings(view, "finishExecution", "rolled_back", "not found")


@invariant("sometimes")
def the_daily_cleanup_deletes_a_run(view: View) -> Iterator[Violation]:
    """A run that completed more than seven days ago is deleted."""
    for event in view.events:
        if event.kind == "commit" and event.function == "cleanupExpiredRuns" and event.writes:
            yield breach(-1, "a run is deleted", event)


@invariant("sometimes")
def the_callers_cleanup_comes_too_late(view: View) -> Iterator[Violation]:
    """The caller cleans up a run that the daily cleanup has deleted, and is told so."""
    yield from sightings(view, "cleanUp", "rolled_back", "not found")


SIGHTS = (
    a_heartbeat_finds_the_run_deleted,
    a_heartbeat_finds_the_jobs_row_collected,
    an_attempt_reports_to_a_deleted_run,
    the_daily_cleanup_deletes_a_run,
    the_callers_cleanup_comes_too_late,
)


@cache
def searched(kind: str, clean_up_after: str = "") -> Explored:
    more = f", clean_up_after: {clean_up_after}" if clean_up_after else ""
    scenario = parse(WORLD.format(kind=kind, more=more))
    return explore(scenario, BOUNDS, invariants=(*INVARIANTS, *SIGHTS))


CLEANING = ("", "0s", "8d")


@pytest.mark.parametrize("clean_up_after", CLEANING)
def test_whatever_is_cleaned_up_when_the_component_breaks_what_it_breaks_anyway(clean_up_after: str) -> None:
    found = searched("component", clean_up_after)
    assert set(found.broken) == {"newest-attempt-decides", "settles", "callback-comes"}
    assert found.complete


@pytest.mark.parametrize("clean_up_after", CLEANING)
def test_with_its_two_faults_mended_no_race_is_left(clean_up_after: str) -> None:
    found = searched("component-repaired", clean_up_after)
    assert set(found.broken) == set()
    assert found.complete


def test_every_meeting_takes_place_somewhere() -> None:
    unseen = [set(searched("component", clean_up_after).unseen) for clean_up_after in CLEANING]
    assert set.intersection(*unseen) == set()
