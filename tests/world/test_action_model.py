"""Attempts: each row of the table of outcomes, by script and by share, and what hosts are told."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from fake_choices import ByStream
from hypothesis import given
from hypothesis import strategies as st
from one_action import Seen, action_model

from sim.history.failure import Failure
from sim.history.recorder import Recorder
from sim.history.request import Request
from sim.history.vocabulary import NEVER, Cause
from sim.kernel.clock import Clock
from sim.laws.distributions import Constant, Uniform

MS = 1_000_000
IN_5_MS = Constant(value_ns=5 * MS)
FAILS = {"fail": {"share": 1.0, "latency": IN_5_MS}}
WAIT = Constant(value_ns=2000 * MS)
ALL = ("success", "fail", "ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact", "hang")


def only(outcome: str) -> dict[str, Any]:
    """Return shares by which every attempt goes this way."""
    if outcome in {"success", "hang"}:
        return {"hang": 1.0} if outcome == "hang" else {}
    says = {"final": 1.0, "retry_after": WAIT} if outcome == "fail" else {}
    return {outcome: {"share": 1.0, "latency": IN_5_MS, **says}}


def failing(**says: Any) -> dict[str, Any]:
    """Return shares by which every attempt fails, with an error that says this."""
    return {"fail": {**FAILS["fail"], **says}}


def one_attempt(
    outcome: str,
    latency_ns: int = 100 * MS,
    *,
    effect_at: float = 0.8,
    moment: float = 0.25,
    limit_ns: int | None = None,
    strike: float | None = None,
) -> tuple[list[tuple[int, str]], Any]:
    """Play one scripted attempt; returns (instant in ns, what) in the true order, and the attempt."""
    clock, recorder = Clock(), Recorder()
    script = [(outcome, latency_ns)]
    numbers = ByStream(0.25, death=moment)
    model = action_model(clock, numbers, script=script, effect_at=effect_at, recorder=recorder)
    host = Seen(clock, limit_ns, strike)
    model.begin(host, Request(0))
    clock.drain(None, 100)
    words = {"effect": "effect", "lost": "lost"}
    order = [
        (event.t_ns, event.end if event.kind == "attempt_end" else words[event.kind])
        for event in recorder.history()
        if event.kind != "attempt"
    ]
    assert host.told == [entry for entry in order if entry[1] != "effect"]
    return order, host.attempt


# The table.


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("success", [(80, "effect"), (100, "returned")]),
        ("fail", [(100, "threw")]),
        ("ack_lost", [(80, "effect"), (100, "threw")]),
        ("crash_before_effect", [(20, "died")]),
        ("crash_after_effect", [(80, "effect"), (85, "died")]),
        ("lost_contact", [(25, "lost"), (80, "effect"), (100, "returned")]),
        ("hang", []),
    ],
)
def test_what_each_outcome_does(outcome: str, expected: list[tuple[int, str]]) -> None:
    assert one_attempt(outcome)[0] == [(at_ms * MS, what) for at_ms, what in expected]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("success", [(60, "cut"), (80, "effect")]),
        ("fail", [(60, "cut")]),
        ("ack_lost", [(60, "cut"), (80, "effect")]),
        ("crash_before_effect", [(20, "died")]),
        ("crash_after_effect", [(60, "cut"), (80, "effect")]),
        ("lost_contact", [(25, "lost"), (60, "cut"), (80, "effect")]),
        ("hang", [(60, "cut")]),
    ],
)
def test_what_each_outcome_does_when_the_limit_is_shorter(outcome: str, expected: list[tuple[int, str]]) -> None:
    assert one_attempt(outcome, limit_ns=60 * MS)[0] == [(at_ms * MS, what) for at_ms, what in expected]


def test_contact_that_would_be_lost_after_the_cut_is_not() -> None:
    assert one_attempt("lost_contact", moment=0.9, limit_ns=60 * MS)[0] == [(60 * MS, "cut"), (80 * MS, "effect")]


@pytest.mark.parametrize("outcome", ["success", "ack_lost", "crash_after_effect", "lost_contact"])
def test_an_effect_precedes_the_end_of_the_same_instant(outcome: str) -> None:
    what = [name for _, name in one_attempt(outcome, effect_at=1.0)[0] if name != "lost"]
    assert what[0] == "effect"


def test_an_effect_precedes_the_cut_of_the_same_instant() -> None:
    assert one_attempt("success", limit_ns=80 * MS)[0] == [(80 * MS, "effect"), (80 * MS, "cut")]


def test_an_effect_without_delay_comes_at_the_start() -> None:
    assert one_attempt("success", effect_at=0.0)[0] == [(0, "effect"), (100 * MS, "returned")]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("success", ["effect", "returned"]),
        ("fail", ["threw"]),
        ("ack_lost", ["effect", "threw"]),
        ("crash_before_effect", ["died"]),
        ("crash_after_effect", ["effect", "died"]),
        ("lost_contact", ["effect", "returned"]),
    ],
)
def test_without_latency_all_of_it_happens_inside_one_step(outcome: str, expected: list[str]) -> None:
    clock, recorder = Clock(), Recorder()
    model = action_model(
        clock,
        ByStream(
            0.25,
        ),
        script=[(outcome, 0)],
        recorder=recorder,
    )
    model.begin(Seen(clock, None, None), Request(0))
    before_any_step = [event.word or event.kind for event in recorder.history() if event.kind != "attempt"]
    assert [name.replace("applied", "effect") for name in before_any_step] == expected


@pytest.mark.parametrize(
    ("effect_at", "latency_ns", "expected_ns"), [(0.9, 5, 4), (0.5, 3, 2), (0.5, 5, 2), (0.3, 10, 3)]
)
def test_the_moment_of_the_effect_is_rounded_to_whole_nanoseconds(
    effect_at: float, latency_ns: int, expected_ns: int
) -> None:
    assert one_attempt("success", latency_ns, effect_at=effect_at)[0][0] == (expected_ns, "effect")


@given(st.integers(0, 10**12), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_moments_lie_in_their_ranges(latency_ns: int, effect_at: float, moment: float) -> None:
    effect_ns = round(effect_at * latency_ns)

    def end_of(outcome: str) -> int:
        return one_attempt(outcome, latency_ns, effect_at=effect_at, moment=moment)[0][-1][0]

    lost = one_attempt("lost_contact", latency_ns, effect_at=effect_at, moment=moment)[0]
    lost_ns = [at_ns for at_ns, what in lost if what == "lost"]
    assert 0 <= end_of("crash_before_effect") <= max(effect_ns - 1, 0)
    assert effect_ns <= end_of("crash_after_effect") <= latency_ns
    assert all(0 <= at_ns < latency_ns for at_ns in lost_ns)
    assert len(lost_ns) == (latency_ns > 0)


# What a system error does to a running attempt.


@pytest.mark.parametrize(
    ("outcome", "strike", "expected"),
    [
        ("success", 0.5, [(50, "died"), (80, "effect")]),
        ("success", 0.9, [(80, "effect"), (90, "died")]),
        ("fail", 0.5, [(50, "died")]),
        ("crash_before_effect", 0.5, [(10, "died")]),
        ("hang", 0.5, []),
    ],
)
def test_a_strike_kills_the_attempt_and_leaves_its_effect(
    outcome: str, strike: float, expected: list[tuple[int, str]]
) -> None:
    assert one_attempt(outcome, strike=strike)[0] == [(at_ms * MS, what) for at_ms, what in expected]


# What a later duplicate will be charged to.


@pytest.mark.parametrize(
    ("outcome", "options", "expected"),
    [
        ("success", {}, Cause.report_lost),
        ("ack_lost", {}, Cause.ack_lost),
        ("crash_after_effect", {}, Cause.crash_after_effect),
        ("lost_contact", {}, Cause.timeout),
        ("success", {"limit_ns": 60 * MS}, Cause.timeout),
        ("success", {"limit_ns": 90 * MS}, Cause.timeout),
        ("ack_lost", {"limit_ns": 90 * MS}, Cause.timeout),
        ("success", {"strike": 0.5}, Cause.timeout),
        ("success", {"strike": 0.9}, Cause.crash_after_effect),
        ("lost_contact", {"strike": 0.2}, Cause.timeout),
        ("lost_contact", {"strike": 0.9}, Cause.timeout),
    ],
)
def test_what_an_attempt_is_to_blame_for(outcome: str, options: dict[str, Any], expected: Cause) -> None:
    assert one_attempt(outcome, **options)[1].blame == expected


def abandoned(outcome: str, at_ms: int, cause: Cause) -> Any:
    clock = Clock()
    script = [(outcome, 100 * MS)]
    model = action_model(
        clock,
        ByStream(
            0.25,
        ),
        script=script,
        effect_at=0.8,
    )
    host = Seen(clock, None, None)
    request = Request(0)
    model.begin(host, request)
    clock.call_after(at_ms * MS, lambda: host.attempt.abandon(clock.now_ns, cause))
    clock.drain(None, 100)
    return SimpleNamespace(request=request, attempt=host.attempt, told=host.told)


@pytest.mark.parametrize(
    ("outcome", "at_ms", "expected"),
    [
        pytest.param("success", 50, Cause.timeout, id="before its effect"),
        pytest.param("success", 90, Cause.crash_after_effect, id="after its effect"),
        pytest.param("success", 110, Cause.crash_after_effect, id="after its return, which is not recorded"),
        pytest.param("ack_lost", 110, Cause.ack_lost, id="after it reported failure itself"),
        pytest.param("crash_after_effect", 110, Cause.crash_after_effect, id="after its death"),
        pytest.param("lost_contact", 90, Cause.timeout, id="after contact was lost"),
    ],
)
def test_what_an_abandoned_attempt_is_to_blame_for(outcome: str, at_ms: int, expected: Cause) -> None:
    assert abandoned(outcome, at_ms, Cause.crash_after_effect).attempt.blame == expected


def test_an_abandoned_attempt_has_its_effect_all_the_same_and_tells_nobody() -> None:
    after = abandoned("success", 50, Cause.timeout)
    assert (after.request.first_effect_ns, after.request.last_attempt_end_ns, after.told) == (80 * MS, 50 * MS, [])


def test_a_dropped_effect_never_comes() -> None:
    clock = Clock()
    model = action_model(
        clock,
        ByStream(
            0.25,
        ),
        latency=Constant(value_ns=100 * MS),
        effect_at=0.8,
    )
    host, request = Seen(clock, None, None), Request(0)
    model.begin(host, request)
    host.attempt.drop_effect()
    clock.drain(None, 100)
    assert (request.effects, host.told) == (0, [(100 * MS, "returned")])


# Which outcome.


def all_down(sources: Sequence[Mapping[str, Any]]) -> Any:
    """Return weather in which all these sources are always down."""
    return SimpleNamespace(down=lambda _at_ns: (1 << len(sources)) - 1) if sources else None


def drawn(
    number: float, outcomes: Mapping[str, Any], *, permanent: bool = False, weather: Sequence[Mapping[str, Any]] = ()
) -> list[tuple[int, str]]:
    """Play one attempt with a given number for its outcome; returns what the host was told."""
    clock = Clock()
    latency, numbers = Constant(value_ns=100 * MS), ByStream(0.25, outcome=number)
    model = action_model(clock, numbers, latency=latency, outcomes=outcomes, weather=weather)
    host, request = Seen(clock, 500 * MS, None), Request(0)
    request.permanent = permanent
    request.weather = all_down(weather)
    model.begin(host, request)
    clock.drain(None, 100)
    return [(at_ns // MS, what) for at_ns, what in host.told]


SHARES = {"fail": {"share": 0.25, "latency": IN_5_MS}, "ack_lost": 0.0, "hang": 0.5}
BELOW_ONE = 1 - 2**-53


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, (5, "threw")),
        (0.2499, (5, "threw")),
        (0.25, (500, "cut")),
        (0.7499, (500, "cut")),
        (0.75, (100, "returned")),
        (BELOW_ONE, (100, "returned")),
    ],
)
def test_outcomes_come_by_their_shares_each_with_its_own_latency(number: float, expected: tuple[int, str]) -> None:
    assert drawn(number, SHARES) == [expected]


@pytest.mark.parametrize("number", [0.0, 0.5, BELOW_ONE])
def test_without_outcomes_every_attempt_succeeds(number: float) -> None:
    assert drawn(number, {}) == [(100, "returned")]


@pytest.mark.parametrize("number", [0.0, 0.5, 0.999999])
def test_shares_that_sum_to_one_leave_nothing_to_success(number: float) -> None:
    tenths = {outcome: {"share": share, "latency": IN_5_MS} for outcome, share in (("fail", 0.9), ("ack_lost", 0.1))}
    assert drawn(number, tenths) == [(5, "threw")]


def test_a_permanent_failure_takes_the_common_latency_whatever_failures_take() -> None:
    assert drawn(0.9, SHARES, permanent=True) == [(100, "threw")]


def test_a_permanent_failure_without_failures_takes_the_common_latency() -> None:
    assert drawn(0.9, {}, permanent=True) == [(100, "threw")]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.3, (100, "threw")),
        (0.5, (5, "threw")),
        (0.6249, (5, "threw")),
        (0.625, (500, "cut")),
        (0.9, (100, "returned")),
    ],
)
def test_weather_comes_first_and_what_is_left_is_shared_as_in_good_weather(
    number: float, expected: tuple[int, str]
) -> None:
    # Half of the attempts fail by weather, and a quarter, a half and a quarter of the others go as SHARES say.
    assert drawn(number, SHARES, weather=[{"fail": 0.5}]) == [expected]


@pytest.mark.parametrize("number", [0.0, BELOW_ONE])
def test_in_total_outage_everything_fails(number: float) -> None:
    assert drawn(number, SHARES, weather=[{}]) == [(100, "threw")]


def test_good_weather_changes_nothing() -> None:
    clock, host, request = Clock(), Seen(Clock(), None, None), Request(0)
    request.weather = SimpleNamespace(down=lambda _at_ns: 0)
    numbers = ByStream(0.25, outcome=0.1)
    action_model(clock, numbers, outcomes=SHARES, weather=[{}]).begin(host, request)
    clock.drain(None, 100)
    assert host.attempt.failure is None
    assert drawn(0.5, SHARES, weather=[{"outcomes": {}}]) == drawn(0.5, SHARES)


MIXED = [
    {"outcomes": {"fail": 0.5, "hang": 0.25}, "latency": Constant(value_ns=7 * MS)},
    {"outcomes": {"ack_lost": {"share": 0.5, "latency": Constant(value_ns=9 * MS)}}},
]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, (7, "threw")),
        (0.4999, (7, "threw")),
        (0.5, (500, "cut")),
        (0.7499, (500, "cut")),
        (0.75, (9, "threw")),
        (0.8749, (9, "threw")),
        (0.875, (5, "threw")),
        (0.90624, (5, "threw")),
        (0.90626, (500, "cut")),
        (0.99, (100, "returned")),
    ],
)
def test_each_source_takes_its_shares_of_what_those_before_it_leave(number: float, expected: tuple[int, str]) -> None:
    assert drawn(number, SHARES, weather=MIXED) == [expected]


def test_a_script_goes_attempt_by_attempt_and_its_last_entry_repeats() -> None:
    clock, recorder, request = Clock(), Recorder(), Request(0)
    script = [("fail", 1), ("hang", NEVER), ("success", 1)]
    model = action_model(
        clock,
        ByStream(
            0.25,
        ),
        script=script,
        recorder=recorder,
    )
    for _ in range(5):
        model.begin(Seen(clock, None, None), request)
    attempts = [(event.attempt, event.outcome) for event in recorder.history() if event.kind == "attempt"]
    assert attempts == [(1, "fail"), (2, "hang"), (3, "success"), (4, "success"), (5, "success")]


# Healing.


def healed(
    *starts_ms: int,
    heals_at_ms: int = 1000,
    outcomes: Mapping[str, Any] = FAILS,
    **options: Any,
) -> list[tuple[int, str]]:
    """Start an attempt at each instant; returns when each ended and how, in ms."""
    clock, request = Clock(), Request(0)
    request.permanent = options.pop("permanent", False)
    request.weather = all_down(options.get("weather", ()))
    numbers = options.pop(
        "numbers",
        ByStream(
            0.25,
        ),
    )
    latency = Constant(value_ns=100 * MS)
    heals_at_ns = heals_at_ms * MS
    model = action_model(clock, numbers, latency=latency, outcomes=outcomes, heals_at_ns=heals_at_ns, **options)
    hosts = [Seen(clock, None, None) for _ in starts_ms]
    for start_ms, host in zip(starts_ms, hosts, strict=True):
        clock.call_after(start_ms * MS, lambda host=host: model.begin(host, request))
    clock.drain(None, 100)
    return [(at_ns // MS, what) for host in hosts for at_ns, what in host.told]


def test_attempts_started_from_the_healing_on_succeed_and_earlier_ones_go_as_they_would() -> None:
    assert healed(0, 999, 1000, 1001) == [(5, "threw"), (1004, "threw"), (1100, "returned"), (1101, "returned")]


@pytest.mark.parametrize("outcome", ALL)
def test_no_outcome_outlives_the_healing(outcome: str) -> None:
    outcomes = only(outcome)
    assert healed(1000, outcomes=outcomes) == [(1100, "returned")]


def test_an_attempt_that_hangs_is_not_woken_by_the_healing() -> None:
    assert healed(0, 1000, outcomes={"hang": 1.0}) == [(1100, "returned")]


def test_no_weather_outlives_the_healing() -> None:
    assert healed(999, 1000, outcomes={}, weather=[{}]) == [(1099, "threw"), (1100, "returned")]


def test_a_permanent_failure_never_heals() -> None:
    assert healed(1000, permanent=True) == [(1100, "threw")]


def test_a_script_keeps_its_latencies_when_it_heals() -> None:
    script = [("fail", 7 * MS), ("lost_contact", 9 * MS)]
    assert healed(999, 1000, outcomes={}, script=script) == [(1006, "threw"), (1009, "returned")]


def test_what_has_healed_asks_for_no_outcome() -> None:
    numbers = ByStream(
        0.25,
    )
    healed(1000, numbers=numbers)
    assert numbers.asked == [("latency", 0, 1, 0)]


# What errors say.


def told_by_errors(attempts: int = 1, *, limit_ns: int | None = None, **options: Any) -> list[Any]:
    """Play attempts one after the other; returns what the history has of their ends: (how, what the error says)."""
    clock, recorder, request = Clock(), Recorder(), Request(0)
    numbers = options.pop(
        "numbers",
        ByStream(
            0.25,
        ),
    )
    request.permanent = options.pop("permanent", False)
    latency = Constant(value_ns=100 * MS)
    model = action_model(clock, numbers, latency=latency, recorder=recorder, **options)
    for _ in range(attempts):
        model.begin(Seen(clock, limit_ns, None), request)
        clock.drain(None, 100)
    return [(event.end, event.failure) for event in recorder.history() if event.kind == "attempt_end"]


def test_an_error_says_nothing_unless_the_scenario_lets_it() -> None:
    assert told_by_errors(outcomes=FAILS) == [("threw", None)]


@pytest.mark.parametrize(("number", "final"), [(0.0, True), (0.29, True), (0.3, False), (0.9, False)])
def test_a_share_of_the_failures_is_final(number: float, final: bool) -> None:  # noqa: FBT001
    numbers = ByStream(0.25, final=number)
    assert told_by_errors(outcomes=failing(final=0.3), numbers=numbers) == [("threw", Failure(final, -1))]


def test_every_failure_names_a_wait_where_there_is_a_law_for_it() -> None:
    assert (
        told_by_errors(2, outcomes=failing(retry_after=WAIT))
        == [("threw", Failure(final=False, retry_after_ns=2000 * MS))] * 2
    )


def test_what_an_error_says_comes_by_the_number_of_its_attempt() -> None:
    numbers = ByStream(
        0.25,
    )
    told_by_errors(2, outcomes=failing(final=0.5, retry_after=WAIT), numbers=numbers)
    said = [address for address in numbers.asked if address[0] in {"final", "retry_after"}]
    assert said == [(stream, 0, attempt, 0) for attempt in (1, 2) for stream in ("final", "retry_after")]


def test_the_errors_of_a_script_say_what_is_written_and_the_last_repeats() -> None:
    says: list[dict[str, Any]] = [{}, {"retry_after": 5}, {"final": True}]
    errors = [None, Failure(False, 5), Failure(True, -1)]  # noqa: FBT003  # as the history has them
    said = [failure for _, failure in told_by_errors(4, script=[{"outcome": "fail", **one} for one in says])]
    assert said == [*errors, errors[-1]]


@pytest.mark.parametrize("outcome", ["success", "ack_lost", "crash_before_effect", "crash_after_effect", "hang"])
def test_only_failures_say_anything(outcome: str) -> None:
    outcomes = only(outcome)
    said = told_by_errors(outcomes=outcomes, limit_ns=500 * MS)
    assert [failure for _, failure in said] == [None]


def test_permanent_failures_say_nothing_whatever_failures_say() -> None:
    assert told_by_errors(permanent=True, outcomes=failing(final=1.0)) == [("threw", None)]


KINDS = {
    "fail": [
        {"kind": "throttled", "share": 0.5, "retry_after": WAIT, "latency": IN_5_MS},
        {"kind": "invalid", "share": 0.25, "final": 1.0},
        {"kind": "odd", "share": 0.25},
    ]
}


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (0.4, Failure(False, 2000 * MS, "failed.throttled")),  # noqa: FBT003  # as the history has it
        (0.6, Failure(True, -1, "failed.invalid")),  # noqa: FBT003  # as above
        (0.8, Failure(False, -1, "failed.odd")),  # noqa: FBT003  # as above
    ],
)
def test_each_kind_of_failure_speaks_for_itself(number: float, failure: Failure) -> None:
    assert told_by_errors(outcomes=KINDS, numbers=ByStream(0.25, outcome=number)) == [("threw", failure)]


def test_each_kind_of_failure_has_a_latency_of_its_own() -> None:
    assert [drawn(number, KINDS) for number in (0.4, 0.6)] == [[(5, "threw")], [(100, "threw")]]


def test_a_failure_that_is_cut_off_says_nothing() -> None:
    assert told_by_errors(outcomes=failing(final=1.0), limit_ns=3 * MS) == [("cut", None)]


# Addresses.


def test_draws_come_by_the_number_of_the_attempt() -> None:
    clock, request, numbers = Clock(), Request(7), ByStream(0.25, outcome=0.1)
    law = Uniform(low_ns=1, high_ns=9)
    model = action_model(clock, numbers, latency=law, outcomes={"crash_before_effect": 0.2})
    for _ in range(2):
        model.begin(Seen(clock, None, None), request)
    expected = [(stream, 7, attempt, 0) for attempt in (1, 2) for stream in ("outcome", "latency", "death")]
    assert numbers.asked == expected


@pytest.mark.parametrize("outcome", ALL)
def test_recording_changes_nothing(outcome: str) -> None:
    def told(recorder: Recorder | None) -> list[tuple[int, str]]:
        clock = Clock()
        script = [(outcome, 100)]
        model = action_model(
            clock,
            ByStream(
                0.25,
            ),
            script=script,
            recorder=recorder,
        )
        host = Seen(clock, 1000, None)
        model.begin(host, Request(0))
        clock.drain(None, 100)
        return host.told

    assert told(None) == told(Recorder())
