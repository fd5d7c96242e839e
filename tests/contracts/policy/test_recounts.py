"""Invariants of policies on histories told by hand: good ones break nothing, bad ones break what is meant for them."""

from fractions import Fraction
from typing import Any

import pytest
from handmade import MS, Tale

from sim.contracts.catalogue import POLICY, Terms, check
from sim.history.failure import Failure
from sim.history.recorder import History
from sim.promises.policy import (
    BreakerTerms,
    BulkheadTerms,
    CallerRateTerms,
    CaseTerms,
    DeadlineTerms,
    DelayTerms,
    HedgeTerms,
    HintTerms,
    PolicyTerms,
    TokensTerms,
)

TEN_MS = DelayTerms(of=(10.0,))
DEFAULT_GATES = (("deadline",), ("bulkhead", "rate_limit", "breaker"), ("timeout",))


def policy(attempts: int = 3, delay: DelayTerms = TEN_MS, **more: Any) -> PolicyTerms:
    """Return a policy with the gates of the usual order that it has parts for."""
    gates = tuple(tuple(gate for gate in level if more.get(gate) is not None) for level in DEFAULT_GATES)
    return PolicyTerms(attempts=attempts, cases=(CaseTerms(attempts=attempts),), delays=(delay,), gates=gates, **more)


class Told(Tale):
    """Tells of one attempt after the other, and of decisions; times are ms."""

    def decides(  # as a history has them
        self,
        reason: str,
        attempt: int = 1,
        n: int = 0,
        own: float = -1,
        wait: float = 0,
        *,
        hint: float = -1,
        level: tuple[float, float, str] = (-1, -1, ""),
        answer: str = "failed",
        moment: str = "answer",
        request: int = 0,
    ) -> "Told":
        own_ns, hint_ns = (-1 if ms < 0 else round(ms * MS) for ms in (own, hint))
        detail = (n, own_ns, hint_ns, round(wait * MS), *level, answer, moment)
        self.add("decided", attempt, reason, detail, request)
        if reason == "retry" and wait:
            self.add("sleep", detail=round(wait * MS), request=request)
        return self

    def fails(self, number: int, failure: Failure | None = None, request: int = 0) -> "Told":
        self.ends(number, "threw", failure, request)
        return self


def broken(tale: Tale, terms: PolicyTerms, **more: Any) -> set[str]:
    return {one.invariant for one in check(History(tale.raw), Terms(policy=terms, **more), POLICY)}


def retried(wait: float = 10, own: float = 10, n: int = 1, **more: Any) -> Told:
    """A try fails, the next one succeeds."""
    tale = Told()
    tale.submit().attempt(1, "fail")
    tale.at(5)
    tale.fails(1).decides("retry", 1, n, own, wait, **more)
    tale.at(5 + wait).attempt(2)
    tale.at(20 + wait).ends(2, "returned").settles("success")
    return tale


def given_up(reason: str, failure: Failure | None = None, **more: Any) -> Told:
    """A try fails, and there is no other."""
    tale = Told()
    tale.submit().attempt(1, "fail")
    tale.at(5)
    tale.fails(1, failure).decides(reason, 1, **more)
    tale.settles("gave_up")
    return tale


TOKENS = TokensTerms(capacity=Fraction(2), start=Fraction(1), costs={"else": Fraction(1)}, clean=Fraction(1, 2))
FINAL = Failure(final=True, retry_after_ns=-1)
ASKS = Failure(final=False, retry_after_ns=30 * MS)
SOON = DeadlineTerms(after_ns=12 * MS, kinds=frozenset({"before_sleep"}))


def hinted(wait: float) -> Told:
    tale = Told()
    tale.submit().attempt(1, "fail")
    tale.at(5)
    tale.fails(1, ASKS).decides("retry", 1, 1, 10, wait, hint=30)
    tale.at(5 + wait).attempt(2).ends(2, "returned").settles("success")
    return tale


def hedged(first: float = 20, second: float | None = None) -> Told:
    """A copy is sent, and another one; the first succeeds at 50 ms."""
    tale = Told()
    tale.submit().attempt(1, "success", latency=50)
    tale.at(first).add("copy", 2, detail=2).attempt(2)
    if second is not None:
        tale.at(second).add("copy", 3, detail=3).attempt(3)
    tale.at(50).ends(1, "returned").settles("success")
    return tale


def two_at_once(*, waits: bool) -> Told:
    """Two requests come to a bulkhead for one."""
    tale = Told()
    tale.submit().attempt(1)
    tale.submit(1)
    if waits:
        tale.add("gate_wait", 1, "bulkhead", (-1, 0), 1)
    else:
        tale.attempt(1, request=1)
    tale.at(10).ends(1, "returned")
    if waits:
        tale.attempt(1, request=1)
    tale.settles("success")
    tale.at(20).ends(1, "returned", None, 1).settles("success", 1)
    return tale


def breaking(second: str, at: float = 20) -> Told:
    """A failure opens a breaker for 100 ms; then another request comes."""
    tale = Told()
    tale.submit().attempt(1, "fail")
    tale.at(5)
    tale.fails(1)
    tale.add("breaker", name="open", detail=("", "breaker", "client", 0, 5 * MS), request=-1)
    tale.decides("attempts")
    tale.settles("gave_up")
    tale.at(at).submit(1)
    if second == "refused":
        tale.add("refused", -1, "breaker", (1, 0), 1)
        tale.decides("retry_on", -1, answer="refused", request=1)
        tale.settles("gave_up", 1)
    else:
        tale.attempt(1, request=1)
        tale.at(at + 5).ends(1, "returned", None, 1).settles("success", 1)
    return tale


BREAKER = BreakerTerms(window="consecutive", opens_at=Fraction(1), open=DelayTerms(of=(100.0,)), counts=("failed",))
HEDGE = HedgeTerms(after_ns=20 * MS)
ONE = BulkheadTerms(at_most=1, queue=None)


def limited(second: float) -> Told:
    """Two requests come to a rate limit of one in 50 ms."""
    tale = Told()
    tale.submit().attempt(1).ends(1, "returned").settles("success")
    tale.at(10).submit(1).add("gate_wait", 1, "rate_limit", (round((second - 10) * MS), 0), 1)
    tale.at(second).attempt(1, request=1).ends(1, "returned", None, 1).settles("success", 1)
    return tale


def timed_out(after: float) -> Told:
    tale = Told()
    tale.submit().attempt(1, "hang")
    tale.at(after).add("timed_out", 1, "", round(after * MS))
    tale.decides("attempts", 1, answer="timed_out")
    tale.settles("gave_up")
    return tale


def delivered(again: float) -> Told:
    tale = Told()
    tale.submit().attempt(1, latency=60)
    tale.at(again).add("redelivered", detail=2).add("copy", 2, detail=2).attempt(2)
    tale.at(60).ends(1, "returned").settles("success")
    return tale


ONE_TRY, TOKEN_LEFT, NONE_LEFT = policy(1), (1.0, 2.0, "tokens"), (0.0, 2.0, "tokens")
GOOD: dict[str, tuple[Tale, PolicyTerms]] = {
    "a retry": (retried(), policy()),
    "the last try": (given_up("attempts"), ONE_TRY),
    "a final error": (given_up("final", FINAL), policy()),
    "a token is there": (retried(level=TOKEN_LEFT), policy(budget=TOKENS)),
    "a hint": (hinted(30), policy(hint=HintTerms())),
    "a hint that is capped": (hinted(20), policy(hint=HintTerms(at_most_ns=20 * MS))),
    "no time for a sleep": (given_up("deadline", n=1, own=10, wait=10), policy(deadline=SOON)),
    "a copy": (hedged(), policy(1, hedge=HEDGE)),
    "a place is waited for": (two_at_once(waits=True), policy(1, bulkhead=ONE)),
    "an open breaker": (breaking("refused"), policy(1, breaker=BREAKER)),
    "a token comes": (limited(50), policy(1, rate_limit=CallerRateTerms(rate=Fraction(20)))),
    "a timeout": (timed_out(30), policy(1, timeout=DelayTerms(of=(30.0,)))),
    "a delivery": (delivered(40), policy(2, redeliver_ns=40 * MS)),
}
BAD: dict[str, tuple[str, Tale, PolicyTerms]] = {
    "a try too many": ("tries-within-attempts", retried(), ONE_TRY),
    "a try too few": ("tries-within-attempts", given_up("attempts"), policy()),
    "a final error is retried": ("only-listed-answers-retried", retried(), policy(retry_on=("timed_out",))),
    "the wrong reason": ("reasons-in-order", given_up("deadline"), ONE_TRY),
    "the delay of another retry": ("own-delays-follow-law", retried(n=2), policy()),
    "a delay that is too long": ("own-delays-follow-law", retried(own=11, wait=11), policy()),
    "a wait that nothing asks for": ("waits-as-stated", retried(wait=12), policy()),
    "a hint beyond its cap": ("waits-as-stated", hinted(30), policy(hint=HintTerms(at_most_ns=20 * MS))),
    "a sleep beyond the deadline": ("policy-deadlines-hold", retried(), policy(deadline=SOON)),
    "a token that is not there": ("budgets-recounted", retried(level=NONE_LEFT), policy(budget=TOKENS)),
    "a copy too soon": ("copies-as-stated", hedged(15), policy(1, hedge=HEDGE)),
    "a copy too many": ("copies-as-stated", hedged(20, 40), policy(1, hedge=HEDGE)),
    "no place": ("bulkheads-hold", two_at_once(waits=False), policy(1, bulkhead=ONE)),
    "a call through an open breaker": ("breakers-recounted", breaking("passes"), policy(1, breaker=BREAKER)),
    "a breaker that is open for too long": ("breakers-recounted", breaking("refused", 200), policy(1, breaker=BREAKER)),
    "a token too soon": (
        "caller-rate-limits-hold",
        limited(40),
        policy(1, rate_limit=CallerRateTerms(rate=Fraction(20))),
    ),
    "a timeout too late": ("timeouts-on-time", timed_out(31), policy(1, timeout=DelayTerms(of=(30.0,)))),
    "a delivery too soon": ("deliveries-on-time", delivered(30), policy(2, redeliver_ns=40 * MS)),
    "a delivery too many": ("tries-within-attempts", delivered(40), policy(1, redeliver_ns=40 * MS)),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_breaks_nothing(name: str) -> None:
    tale, terms = GOOD[name]
    assert broken(tale, terms) == set()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_breaks_nothing_wherever_it_is_cut(name: str) -> None:
    tale, terms = GOOD[name]
    for length in range(len(tale.raw)):
        assert check(History(tale.raw[:length]), Terms(policy=terms, drained=False), POLICY) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_breaks_what_is_meant_for_it(name: str) -> None:
    meant, tale, terms = BAD[name]
    assert meant in broken(tale, terms)


def test_a_sleep_of_another_length_is_not_as_decided() -> None:
    tale = retried()
    tale.raw = [(*raw[:5], 12 * MS) if raw[1] == "sleep" else raw for raw in tale.raw]
    assert "sleeps-as-decided" in broken(tale, policy())


def test_a_copy_after_the_answer_is_found() -> None:
    tale = hedged()
    tale.at(60).add("copy", 3, detail=3).attempt(3)
    assert "no-copy-after-answer" in broken(tale, policy(1, hedge=HEDGE))
