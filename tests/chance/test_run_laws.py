"""Laws of a whole run, each on histories told by hand: good ones, which follow it, and bad ones, which do not."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from sim.chance import attempts, backoffs, waits
from sim.chance.evidence import Evidence
from sim.chance.overall import Overall, struck
from sim.chance.stated import BEHIND_AN_ERROR, Source, Stated, Way
from sim.contracts.catalogue import Terms, View
from sim.history.failure import Failure
from sim.history.recorder import History
from sim.kernel.draws import Draws
from sim.laws.distributions import Constant, Exponential
from sim.laws.distributions import Uniform as UniformNs
from sim.promises.promises import Promises
from sim.promises.waits import Uniform, full_jitter

MS = 1_000_000
COUNT = 400
RUN = range(COUNT)


def chance(stream: str = "test", count: int = COUNT) -> Any:
    return Draws(7).uniforms(stream, np.arange(count, dtype=np.int64))


def broken(tales: Sequence[Any], one: Overall, stated: Stated | None = None, **promised: Any) -> bool:
    """Whether these histories together break an invariant."""
    gatherer, evidence = one.gather(Stated() if stated is None else stated), Evidence()
    promises = Promises(**{"action_jobs": ("action",), "poll_jobs": ("retry",), **promised})
    for tale in tales:
        gatherer.look(View(History(tale.raw), Terms(promises)))
    gatherer.close(evidence)
    trials = list(evidence.trials())
    return one.name in struck(trials, len(trials))


def slept(tale: Any, first_ms: float, second_ms: float) -> Any:
    """A client that fails twice and waits after each failure."""
    story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw").sleep(first_ms)
    story.at(10 + first_ms).attempt(2, "fail").at(20 + first_ms).ends(2, "threw").sleep(second_ms)
    return story.at(20 + first_ms + second_ms).attempt(3).at(5000).ends(3, "returned").settles("success")


Wait = Callable[[float, float], tuple[float, float]]
LAW = {"backoff_ms": full_jitter(100, 2), "attempts_at_most": 3}


@pytest.mark.parametrize(
    ("wait", "law", "fresh"),
    [
        (lambda u, v: (100 * u, 200 * v), False, False),
        (lambda u, v: (100 * (1 - u), 200 * v), False, False),
        (lambda u, v: (100 * u * u, 200 * v), True, False),
        (lambda u, v: (100 * u, 100 + 100 * v), True, False),
        (lambda u, v: (50 + 0 * u, 200 * v), True, True),
        (lambda u, _: (100 * u, 200 * u), False, True),
        (lambda u, _: (100 * u, 200 * (1 - u)), False, True),
        (lambda u, v: (100 * u, 100 * v), True, False),
        (lambda u, v: (100 * min(u, 0.9), 200 * v), True, False),
    ],
    ids=[
        "full jitter",
        "from the other end",
        "u squared",
        "equal jitter",
        "no jitter",
        "one number for both",
        "one number for both, from the other end",
        "does not grow",
        "an end is cut off",
    ],
)
def test_the_waits_of_a_run_follow_their_law(tale: Any, wait: Wait, *, law: bool, fresh: bool) -> None:
    tales = [slept(tale, *wait(u, v)) for u, v in zip(chance("u").tolist(), chance("v").tolist(), strict=True)]
    assert broken(tales, waits.waits_follow_law, **LAW) is law
    assert broken(tales, waits.waits_drawn_anew, **LAW) is fresh


def test_bounds_alone_say_nothing_of_what_lies_between(tale: Any) -> None:
    tales = [slept(tale, 50, 50) for _ in RUN]
    assert not broken(tales, waits.waits_follow_law, backoff_ms=lambda failure: (0, 100 * 2**failure))


def test_a_law_of_one_wait_has_nothing_to_follow(tale: Any) -> None:
    tales = [slept(tale, 100, 100) for _ in RUN]
    assert not broken(tales, waits.waits_follow_law, backoff_ms=lambda _: Uniform(100, 100))


def test_a_few_waits_prove_nothing(tale: Any) -> None:
    assert not broken([slept(tale, 50, 50) for _ in range(5)], waits.waits_follow_law, **LAW)


def looked(tale: Any, wait_ms: float) -> Any:
    story = tale().submit().commit("submit", jobs=[(0, "action"), (1, "retry")]).starts(0).attempt(1, job=0)
    return story.at(10).commit(own=1, reads=[(0, "inProgress")], jobs=[(2, "retry", 10 + wait_ms)])


def test_the_waits_before_looks_follow_their_law(tale: Any) -> None:
    law = {"polls_ms": lambda _waits, _failure: Uniform(100, 200)}
    assert not broken([looked(tale, 100 + 100 * u) for u in chance().tolist()], waits.waits_follow_law, **law)
    assert broken([looked(tale, 100 + 100 * u**2) for u in chance().tolist()], waits.waits_follow_law, **law)


def test_a_wait_that_an_error_asked_for_is_no_draw(tale: Any) -> None:
    def asked(u: float) -> Any:
        says = Failure(final=False, retry_after_ns=90 * MS)
        story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw", says).sleep(max(90, 100 * u))
        return story.at(200).attempt(2).at(210).ends(2, "returned").settles("success")

    assert not broken([asked(u) for u in chance().tolist()], waits.waits_follow_law, **LAW)


def test_waits_that_a_deadline_chooses_are_no_draws(tale: Any) -> None:
    def chosen(u: float) -> Any:
        story = tale().submit().attempt(1, "fail").at(10).ends(1, "threw")
        if 100 * u > 50:
            return story.settles("gave_up")
        return story.sleep(100 * u).at(10 + 100 * u).attempt(2).at(80).ends(2, "returned").settles("success")

    tales = [chosen(u) for u in chance().tolist()]
    assert not broken(tales, waits.waits_follow_law, backoff_ms=full_jitter(100), deadline_ns=60 * MS)
    assert not broken(tales, waits.waits_follow_law, backoff_ms=full_jitter(100))


# Attempts.


def attempted(
    tale: Any, outcome: str = "success", latency_ms: float | None = 10, at: float = 0, request: int = 0
) -> Any:
    return tale().at(at).submit(request).attempt(1, outcome, latency=latency_ms, request=request)


QUARTER = Stated(latency=Constant(value_ns=10 * MS), outcomes=(Way("fail", 0.25, Constant(value_ns=10 * MS)),))


@pytest.mark.parametrize(("share", "expected"), [(0.25, False), (0.1, True), (0.5, True), (0.0, True)])
def test_outcomes_come_as_often_as_stated(tale: Any, share: float, *, expected: bool) -> None:
    tales = [attempted(tale, "fail" if u < share else "success") for u in chance().tolist()]
    assert broken(tales, attempts.outcomes_as_stated, QUARTER) is expected


def test_what_is_not_stated_does_not_come(tale: Any) -> None:
    tales = [attempted(tale, "hang", None), *(attempted(tale) for _ in range(5))]
    assert broken(tales, attempts.outcomes_as_stated, QUARTER)


def test_attempts_go_by_the_script(tale: Any) -> None:
    stated = Stated(script=("fail", "success"))
    assert not broken([attempted(tale, "fail")], attempts.outcomes_as_stated, stated)
    assert broken([attempted(tale, "success")], attempts.outcomes_as_stated, stated)


def test_attempts_after_the_world_has_healed_succeed(tale: Any) -> None:
    stated = Stated(heals_at_ns=5 * MS, latency=Constant(value_ns=10 * MS))
    assert not broken([attempted(tale, at=6)], attempts.outcomes_as_stated, stated)
    assert broken([attempted(tale, "fail", at=6)], attempts.outcomes_as_stated, stated)


@pytest.mark.parametrize(("power", "expected"), [(1, False), (2, True)])
def test_latencies_follow_their_law(tale: Any, power: int, *, expected: bool) -> None:
    stated = Stated(latency=Exponential(mean_ns=50 * MS))
    tales = [attempted(tale, latency_ms=-50 * float(np.log1p(-(u**power)))) for u in chance().tolist()]
    assert broken(tales, attempts.latencies_as_stated, stated) is expected


def test_a_constant_latency_is_what_is_stated(tale: Any) -> None:
    assert not broken([attempted(tale, latency_ms=10)], attempts.latencies_as_stated, QUARTER)
    assert broken([attempted(tale, latency_ms=11)], attempts.latencies_as_stated, QUARTER)


def test_what_takes_no_time_follows_no_law_of_latencies(tale: Any) -> None:
    at_once = [attempted(tale, latency_ms=0) for _ in RUN]
    assert broken(at_once, attempts.latencies_as_stated, QUARTER)
    assert not broken(at_once, attempts.latencies_as_stated, QUARTER, takes_no_time=True)


@pytest.mark.parametrize(("every", "expected"), [(1, False), (2, True)])
def test_the_latencies_of_requests_have_nothing_to_do_with_each_other(tale: Any, every: int, *, expected: bool) -> None:
    stated = Stated(latency=UniformNs(low_ns=0, high_ns=100 * MS))
    uniforms = chance().tolist()
    tales = [attempted(tale, latency_ms=100 * uniforms[number // every]) for number in RUN]
    assert broken(tales, attempts.streams_apart, stated) is expected


@pytest.mark.parametrize(("every", "expected"), [(1, False), (2, True)])
def test_requests_meet_weather_of_their_own(tale: Any, every: int, *, expected: bool) -> None:
    turn, latency = Constant(value_ns=1000 * MS), Constant(value_ns=10 * MS)
    down = Source((Way("fail", 1.0, latency),), turns=(turn, turn))
    stated = Stated(latency=latency, weather=(down,))
    uniforms = chance().tolist()
    tales = [attempted(tale, "fail" if uniforms[number // every] < 0.5 else "success") for number in RUN]
    assert broken(tales, attempts.weather_apart, stated) is expected


@pytest.mark.parametrize(("shift", "expected"), [(1, False), (0, True)])
def test_replications_differ(tale: Any, shift: int, *, expected: bool) -> None:
    stated = Stated(alone=False, latency=QUARTER.latency, outcomes=QUARTER.outcomes)

    def replication(first: int) -> Any:
        told = tale()
        for request, u in enumerate(chance(f"of {first}", 60).tolist()):
            told.submit(request).attempt(1, "fail" if u < 0.25 else "success", latency=10, request=request)
        return told

    assert (
        broken([replication(number * shift) for number in range(2)], attempts.replications_differ, stated) is expected
    )


# Backoffs of the platform.


def put_back(tale: Any, *waits_ms: float) -> Any:
    told = tale().submit().commit("submit", jobs=[(0, "action")])
    for wait_ms in waits_ms:
        told.add("system_error", 0, "action", "start").add(
            "backoff", 0, "action", ("system_backoff", round(wait_ms * MS))
        )
        told.at(told.t_ns / MS + wait_ms)
    return told


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (lambda u, v: (500 * u, 600 * v), False),
        (lambda u, v: (500 * u, 500 * v), True),
        (lambda u, v: (500 * u, 1000 * v), True),
        (lambda u, _: (500 * u, 600 * u), True),
        (lambda u, v: (500 * u**2, 600 * v), True),
        (lambda _u, v: (500, 600 * v), True),
    ],
    ids=["full jitter", "does not grow", "no cap", "one number for both", "u squared", "no jitter"],
)
def test_backoffs_are_full_jitter(tale: Any, wait: Any, *, expected: bool) -> None:
    stated = Stated(backoffs_ns=((BEHIND_AN_ERROR, (500 * MS, 600 * MS)),))
    tales = [put_back(tale, *wait(u, v)) for u, v in zip(chance("u").tolist(), chance("v").tolist(), strict=True)]
    assert broken(tales, backoffs.backoffs_follow_law, stated) is expected
