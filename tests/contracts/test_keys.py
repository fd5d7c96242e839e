"""Repeated keys, each rule on histories told by hand: good ones, which keep it, and bad ones, which do not."""

from typing import Any

import pytest

from sim.contracts.platform import effects, keys
from sim.history.failure import Failure
from sim.promises.terms import KeyRules

MS = 1_000_000
WINDOW = 100 * MS
FIRST = KeyRules(WINDOW, first=True)
REJECTS = KeyRules(WINDOW, rejects=True)
IN_USE = Failure(final=False, retry_after_ns=-1, kind="rejected.in_use")
FINAL = Failure(final=True, retry_after_ns=-1)


def broken(story: Any, rules: KeyRules) -> list[str]:
    found: list[str] = story.broken(keys.keys_are_known, keys=rules)
    return [text.partition(", which starts at ")[2].partition(", ")[2] for text in found]


def failed(tale: Any, says: Failure | None = FINAL) -> Any:
    return tale.submit().attempt(1, "fail", latency=10).at(10).ends(1, "threw", says)


def again(story: Any, at: float, outcome: str, says: Failure | None = None, *, by_key: str = "first") -> Any:
    story.at(at).attempt(2, outcome, latency=10)
    if by_key:
        story.add("by_key", 2, by_key)
    return story.at(at + 10).ends(2, "threw" if outcome == "fail" else "returned", says)


def test_the_first_failure_comes_again(tale: type) -> None:
    assert broken(again(failed(tale()), 20, "fail", FINAL), FIRST) == []
    assert broken(again(failed(tale(), None), 20, "fail"), FIRST) == []


@pytest.mark.parametrize(
    ("at", "outcome", "says", "by_key", "complaint"),
    [
        (20, "fail", None, "first", "gets another error than the first"),
        (20, "success", None, "first", "gets another answer than the first"),
        (20, "success", None, "", "does its work although the first answer is known"),
        (20, "fail", FINAL, "", "does its work although the first answer is known"),
        (110, "fail", FINAL, "first", "gets a first answer although there is none"),
        (20, "fail", IN_USE, "in_use", "is rejected although no other call has its key"),
    ],
)
def test_another_answer_than_the_first_is_seen(  # noqa: PLR0917  # a call
    tale: type, at: float, outcome: str, says: Failure | None, by_key: str, complaint: str
) -> None:
    assert broken(again(failed(tale()), at, outcome, says, by_key=by_key), FIRST) == [complaint]


def test_an_answer_is_known_until_its_window_is_over(tale: type) -> None:
    assert broken(again(failed(tale()), 110, "success", by_key=""), FIRST) == []


def at_work(tale: Any) -> Any:
    return tale.submit().attempt(1, "success", latency=50, effect=50)


def test_a_key_in_use_is_rejected(tale: type) -> None:
    story = at_work(tale()).at(20).attempt(2, "fail", latency=0).add("by_key", 2, "in_use").ends(2, "threw", IN_USE)
    assert broken(story, REJECTS) == []


@pytest.mark.parametrize(
    ("at", "by_key", "says", "complaint"),
    [
        (20, "", None, "does its work although another call has its key"),
        (49, "", None, "does its work although another call has its key"),
        (50, "in_use", IN_USE, "is rejected although no other call has its key"),
        (20, "in_use", FINAL, "is rejected with another answer than 'rejected.in_use'"),
    ],
)
def test_a_key_in_use_that_is_not_told_rightly_is_seen(  # a call
    tale: type, at: float, by_key: str, says: Failure | None, complaint: str
) -> None:
    story = at_work(tale()).at(at).attempt(2, "fail", latency=0)
    if by_key:
        story.add("by_key", 2, by_key)
    assert broken(story.ends(2, "threw", says), REJECTS) == [complaint]


def came(tale: Any, *effects_at: tuple[float, str]) -> Any:
    story = tale.submit()
    for number, (at, effect) in enumerate(effects_at, 1):
        story.at(at).attempt(number, "success", effect=at, latency=0).add("effect", number, effect)
        story.ends(number, "returned")
    return story


@pytest.mark.parametrize(("renews", "third"), [(True, "suppressed"), (False, "repeated")])
def test_a_window_is_renewed_by_what_it_suppresses_only_if_it_counts_from_there(
    tale: type, *, renews: bool, third: str
) -> None:
    terms = {"idempotency_ns": WINDOW, "keys": KeyRules(WINDOW, renews=renews)}
    for effect in ("suppressed", "repeated"):
        story = came(tale(), (0, "applied"), (60, "suppressed"), (120, effect))
        assert len(story.broken(effects.duplicates_have_causes, **terms)) == (effect != third)
