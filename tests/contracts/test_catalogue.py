"""The machinery: what an invariant is, and what a check of a history makes of it."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.chance.overall import Overall
from sim.contracts.catalogue import (
    INVARIANTS,
    PLATFORM,
    POLICY,
    POOL,
    RETRIER,
    STRICTER,
    Invariant,
    Terms,
    View,
    Violation,
    breach,
    check,
    invariant,
)
from sim.history.events import Submitted
from sim.history.recorder import History
from sim.promises.promises import Promises

Told = Callable[[], Any]


@invariant()
def no_sleep(view: View) -> Iterator[Violation]:
    """Nobody sleeps.

    A made-up claim.
    """
    for request in view.requests.values():
        for _, sleep in request.sleeps:
            yield breach(request.number, f"{request} sleeps", request.submit, sleep)


@invariant("eventually", name="wakes-up", owed_by="platform")
def wakes(view: View) -> Iterator[Violation]:
    """Whoever sleeps wakes up."""
    yield breach(-1, f"{len(view.events)} events", view.events[-1])


@invariant("sometimes")
def sleeps(view: View) -> Iterator[Violation]:
    """Somebody sleeps."""
    yield breach(0, "seen", *view.events[:1])


@pytest.fixture
def asleep(tale: Told) -> History:
    return History(tale().submit().at(5).sleep(3).raw)


def test_a_violation_names_the_invariant_and_quotes_its_events(asleep: History) -> None:
    assert check(asleep, Terms(), (no_sleep,)) == [
        Violation("no-sleep", 0, "request 0 sleeps", tuple(asleep.events)),
    ]


def test_an_invariant_checks_a_view_by_itself(asleep: History) -> None:
    assert [found.invariant for found in no_sleep.check(View(asleep))] == ["no-sleep"]


def test_an_invariant_is_what_its_decorator_and_docstring_say() -> None:
    assert (no_sleep.name, no_sleep.kind, no_sleep.owed_by, no_sleep.doc) == (
        "no-sleep",
        "always",
        "retrier",
        "Nobody sleeps.",
    )
    assert (wakes.name, wakes.kind, wakes.owed_by) == ("wakes-up", "eventually", "platform")


def test_an_invariant_without_a_claim_is_refused() -> None:
    def nameless(_view: View) -> Iterator[Violation]:
        yield breach(0, "")

    with pytest.raises(ValueError, match="needs a docstring"):
        invariant()(nameless)


@pytest.mark.parametrize(("drained", "expected"), [(True, ["wakes-up"]), (False, [])])
def test_eventually_is_asked_only_of_what_is_drained(asleep: History, *, drained: bool, expected: list[str]) -> None:
    found = check(asleep, Terms(drained=drained), (wakes,))
    assert [violation.invariant for violation in found] == expected


def test_sometimes_is_never_broken_by_one_history_and_tells_of_sightings(asleep: History) -> None:
    assert check(asleep, Terms(), (sleeps,)) == []
    assert [found.text for found in sleeps.check(View(asleep))] == ["seen"]


def test_terms_are_drained_and_promise_nothing_unless_they_say_so() -> None:
    assert (Terms().promises, Terms().drained, Terms().end_ns) == (Promises(), True, None)


def test_a_breach_leaves_out_events_that_there_are_not() -> None:
    event = Submitted(1, 0, "")
    assert breach(0, "text", None, event).events == (event,)


@pytest.mark.parametrize("one", [*INVARIANTS, *STRICTER, no_sleep], ids=lambda one: one.name)
def test_an_invariant_can_be_handed_to_another_process(one: Invariant) -> None:
    if one is not no_sleep:  # the module of a test is not found by its name
        assert pickle.loads(pickle.dumps(one)) is one  # noqa: S301  # what it has just written


def test_the_contracts_are_complete_and_told_apart() -> None:
    names = [one.name for one in (*INVARIANTS, *STRICTER)]
    assert (*RETRIER, *PLATFORM, *POLICY, *POOL) == INVARIANTS
    assert len(set(names)) == len(names)
    assert {one.owed_by for one in (*RETRIER, *POLICY, *STRICTER)} == {"retrier"}
    assert {one.owed_by for one in PLATFORM} == {"platform"}
    assert {one.name for one in INVARIANTS if one.kind == "eventually"} == {
        "settles",
        "callback-comes",
        "calls-are-served",
        "nothing-left",
        "pool-tables-are-empty",
        "reports-come",
    }


@pytest.mark.parametrize("one", [*INVARIANTS, *STRICTER], ids=lambda one: one.name)
def test_a_claim_is_one_sentence(one: Invariant) -> None:
    assert one.doc.endswith(".")
    assert one.doc[0].isupper()


@pytest.mark.parametrize("one", POLICY, ids=lambda one: one.name)
def test_a_history_told_by_hand_breaks_each_invariant_of_policies(one: Invariant) -> None:
    stories = Path(__file__).parent / "policy" / "test_recounts.py"
    assert f'"{one.name}"' in stories.read_text()


@pytest.mark.parametrize("one", [*RETRIER, *PLATFORM, *STRICTER], ids=lambda one: one.name)
def test_the_stories_ask_for_each_invariant(one: Invariant) -> None:
    home = one.gather if isinstance(one, Overall) else one.search
    module = home.__module__.rpartition(".")[2]
    tests = Path(__file__).parents[1]
    stories = (tests / "chance" if isinstance(one, Overall) else tests / "contracts").glob("test_*.py")
    assert any(f"{module}.{one.name.replace('-', '_')}" in path.read_text() for path in stories)


def test_nothing_breaks_an_empty_history() -> None:
    assert check(History([]), Terms(Promises(callback=True, deadline_ns=1))) == []


# What is past in a history that was cut.


@pytest.mark.parametrize(
    ("terms", "at_ms", "expected"),
    [
        (Terms(), 9, True),
        (Terms(drained=False), 4, True),
        (Terms(drained=False), 5, False),
        (Terms(drained=False, end_ns=5_000_000), 5, True),
        (Terms(drained=False, end_ns=8_000_000), 8, True),
        (Terms(drained=False, end_ns=8_000_000), 9, False),
    ],
)
def test_what_was_due_by_the_cut_has_happened(asleep: History, terms: Terms, at_ms: int, *, expected: bool) -> None:
    assert View(asleep, terms).is_past(at_ms * 1_000_000) is expected
