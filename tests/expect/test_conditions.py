"""Conditions on differences: what they mean, and what is said about those that are none."""

from collections.abc import Callable, Sequence

import pytest

from sim.expect.conditions import parse_condition
from sim.expect.expectations import ExpressionError, Ruling
from sim.history.records import Requests
from sim.measure.differences import Differences
from sim.measure.metrics import measure

MS = 1_000_000
Row = dict[str, object]


@pytest.mark.parametrize(
    ("text", "factor", "amount"),
    [
        ("time_to_effect.p99 > +10%", 1.1, 0),
        ("time_to_effect.p99 > -12.5%", 0.875, 0),
        ("time_to_effect.p99>+1m30s", 1, 90_000 * MS),
        ("time_to_effect.p99 <= -500ms", 1, -500 * MS),
        ("time_to_effect.p99 > x1.1", 1.1, 0),
        ("duplicates.rate > +0.1%", 1, 0.001),
        ("duplicates.rate > + 0.1 pp", 1, 0.001),
        ("duplicates.rate >= +0.001", 1, 0.001),
        ("duplicates.rate > x2", 2, 0),
        ("success.rate < -1%", 1, -0.01),
        ("attempts.mean > +0.5", 1, 0.5),
        ("amplification > +5%", 1.05, 0),
        ("polls.mean < x 0.5", 0.5, 0),
    ],
)
def test_a_difference_is_an_amount_a_share_or_a_multiple(text: str, factor: float, amount: float) -> None:
    read = parse_condition(text)
    assert (read.factor, read.amount) == (factor, amount)


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, "write METRIC OPERATOR DIFFERENCE, such as time_to_effect.p99 > +10%"),
        ("time_to_efect.p99 > +10%", 1, "unknown metric 'time_to_efect.p99'; did you mean 'time_to_effect.p99'?"),
        ("time_to_effect.p99 => +10%", 20, "'=>' is not an operator; did you mean '>='?"),
        ("time_to_effect.p99 +10%", 20, "after the metric comes one of <= < >= > =="),
        (
            "time_to_effect.p99 > 10%",
            22,
            "'10%' has no sign, so it is not a difference between A and B: write +500ms, +10% (of A's value) or x1.1",
        ),
        (
            "time_to_effect.p99 >",
            21,
            "a difference of time_to_effect.p99 is missing: write +500ms, +10% (of A's value) or x1.1",
        ),
        (
            "time_to_effect.p99 > +10",
            22,
            "not a duration; write a number with a unit, such as 250ms, 1.5s or 1m30s",
        ),
        ("time_to_effect.p99 > -110%", 22, "a value cannot fall by more than 100%"),
        ("time_to_effect.p99 > x-2", 22, "'x-2' is not a multiple: write it as in x1.1"),
        ("duplicates.rate > +110%", 19, "two rates differ by at most 100%"),
        (
            "duplicates.rate > +1s",
            19,
            "'+1s' is not a difference of duplicates.rate: write +0.1% (percentage points) or x1.5 (times A's value)",
        ),
        (
            "attempts.mean > +1s",
            17,
            "'+1s' is not a difference of attempts.mean: write +0.5, +10% (of A's value) or x1.1",
        ),
    ],
)
def test_what_is_no_condition_is_told_with_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse_condition(text)
    assert (told.value.column, told.value.reason) == (column, reason)


@pytest.fixture
def differences(make_requests: Callable[[Sequence[Row]], Requests]) -> Differences:
    """B takes 20 % longer than A, 100 ms and more, and repeats 1 % of its effects."""
    a = make_requests([{"first_effect_ns": (100 + number % 10) * MS} for number in range(1000)])
    b = make_requests(
        [
            {
                "first_effect_ns": (120 + 1.2 * (number % 10)) * MS,
                "duplicates": {"ack_lost": 1} if number % 100 == 0 else {},
            }
            for number in range(1000)
        ]
    )
    return Differences(measure(a, shared=False), measure(b, shared=False), (a, b))


@pytest.mark.parametrize(
    ("text", "ruling"),
    [
        ("time_to_effect.mean > +10%", Ruling.met),
        ("time_to_effect.mean > +30%", Ruling.missed),
        ("time_to_effect.mean > x1.21", Ruling.missed),
        ("time_to_effect.mean >= x1.2", Ruling.inconclusive),
        ("time_to_effect.mean > +20ms", Ruling.met),
        ("time_to_effect.p90 > +10%", Ruling.met),
        ("time_to_effect.p90 > +50ms", Ruling.missed),
        ("duplicates.rate > +0%", Ruling.met),
        ("duplicates.rate > +1%", Ruling.inconclusive),
        ("duplicates.rate > +5%", Ruling.missed),
        ("success.rate < -1%", Ruling.missed),
        ("success.rate < +0%", Ruling.inconclusive),
        ("time_to_effect.max > +10%", Ruling.met),
        ("time_to_known.gave_up.p50 > +10%", Ruling.inconclusive),
    ],
)
def test_conditions_are_judged_by_the_interval(differences: Differences, text: str, ruling: Ruling) -> None:
    assert parse_condition(text).judge(differences).ruling is ruling


def test_a_maximum_is_judged_by_what_was_seen_and_says_so(differences: Differences) -> None:
    judged = parse_condition("time_to_effect.max > +10%").judge(differences)
    assert judged.reason == "judged by the largest values seen: a maximum has no interval"
