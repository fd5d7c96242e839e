import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.expect.expectations import ExpressionError, Ruling, Verdict, parse
from sim.measure.estimates import quantile, rate
from sim.measure.metrics import CellMetrics
from sim.measure.possible import Possible
from sim.measure.quantities import METRICS, Unit

S = 1_000_000_000
Row = dict[str, object]
MakeMetrics = Callable[..., CellMetrics]
BOUNDS = {Unit.duration: "1m30s", Unit.share: "12.5%", Unit.count: "3", Unit.money: "0.1 USD"}


def rulings(metrics: CellMetrics, *texts: str) -> list[str]:
    return [parse(text).judge(metrics).ruling.value for text in texts]


def successes(good: int, bad: int) -> list[Row]:
    return [{}] * good + [{"outcome": "gave_up"}] * bad


@pytest.mark.parametrize(
    ("text", "path", "operator", "bound"),
    [
        ("success.rate >= 99.9%", "success.rate", ">=", 0.999),
        ("success.rate>=0.999", "success.rate", ">=", 0.999),
        ("  duplicates.rate  <  1 %  ", "duplicates.rate", "<", 0.01),
        ("stuck.rate == 1e-3", "stuck.rate", "==", 0.001),
        ("time_to_effect.p99 <= 30s", "time_to_effect.p99", "<=", 30.0 * S),
        ("time_to_known.success.p99.9 > 1m30s", "time_to_known.success.p99.9", ">", 90.0 * S),
        ("attempts.mean <= 1.5", "attempts.mean", "<=", 1.5),
    ],
)
def test_an_expectation_is_a_metric_an_operator_and_a_bound(text: str, path: str, operator: str, bound: float) -> None:
    got = parse(text)
    assert (got.metric.path, got.operator, got.bound, got.text) == (path, operator, bound, text.strip())


@pytest.mark.parametrize("path", METRICS)
def test_every_metric_can_be_expected(path: str) -> None:
    assert parse(f"{path} <= {BOUNDS[METRICS[path].unit]}").metric is METRICS[path]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "write METRIC OPERATOR BOUND"),
        ("<= 3", 1, "write METRIC OPERATOR BOUND"),
        ("  sucess.rate >= 1", 3, "did you mean 'success.rate'"),
        ("success >= 1", 1, "did you mean 'success.rate'"),
        ("latency <= 5ms", 1, "the metrics are success.rate"),
        ("success.rate 99%", 14, "after the metric comes one of <= < >= > =="),
        ("success.rate => 99%", 14, "did you mean '>='"),
        ("success.rate = 99%", 14, "did you mean '=='"),
        ("success.rate != 99%", 14, "is not an operator"),
        ("success.rate >=", 16, "is compared with a rate"),
        ("success.rate >= 99.9", 17, "did you mean 99.9%"),
        ("success.rate >= 101%", 17, "a rate lies from 0 to 1"),
        ("success.rate >= -1", 17, "'-1' is not a bound"),
        ("success.rate >= nan", 17, "'nan' is not a bound"),
        ("success.rate >= 1e-99999999", 17, "is not a bound"),
        ("success.rate >= 30s", 17, "'30s' is not a bound"),
        ("attempts.mean <= 5%", 18, "a plain number"),
        ("time_to_effect.p99 <= 30", 23, "a number with a unit"),
        ("time_to_effect.p99 <= -1s", 23, "cannot be negative"),
        ("time_to_effect.p99 <= 1s <= 2s", 23, "not a duration"),
        ("a" * 201, 201, "at most 200 characters"),
    ],
)
def test_a_wrong_text_is_refused_with_the_column_of_what_is_wrong(text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert (caught.value.column, words in caught.value.reason) == (column, True)
    assert "\n" not in str(caught.value)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(max_size=250) | st.from_regex(r"(success\.rate|p99)? ?[<>=]{0,3} ?[0-9e.%+-]{0,9}", fullmatch=True))
def test_any_text_is_read_or_refused_but_never_breaks(text: str) -> None:
    try:
        bound = parse(text).bound
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017 - either way must hold
    else:
        assert math.isfinite(bound)


def test_a_verdict_needs_the_whole_interval_on_one_side(make_metrics: MakeMetrics) -> None:
    metrics = make_metrics(successes(950, 50))
    texts = [f"success.rate {operator} {bound}%" for operator in ("<=", "<", ">=", ">", "==") for bound in (90, 95, 99)]
    assert rulings(metrics, *texts) == [
        *("missed", "inconclusive", "met"),
        *("missed", "inconclusive", "met"),
        *("met", "inconclusive", "missed"),
        *("met", "inconclusive", "missed"),
        *("missed", "inconclusive", "missed"),
    ]


def test_operators_differ_exactly_on_the_bound(make_metrics: MakeMetrics) -> None:
    metrics = make_metrics([{"attempts": 2}] * 5, possible=Possible(certain=True))
    texts = [f"attempts.mean {operator} 2" for operator in ("<=", "<", ">=", ">", "==")]
    assert rulings(metrics, *texts) == ["met", "missed", "met", "missed", "met"]


def test_a_quantile_that_never_comes_misses_every_upper_bound(make_metrics: MakeMetrics, stuck: Row) -> None:
    metrics = make_metrics([{}] * 900 + [stuck] * 100)
    assert rulings(metrics, "time_to_effect.p99 <= 100d", "time_to_effect.p99 > 100d") == ["missed", "met"]


def test_a_sample_too_small_for_an_upper_bound_is_inconclusive(make_metrics: MakeMetrics) -> None:
    verdict = parse("time_to_effect.p99 <= 1s").judge(make_metrics([{}] * 300))
    assert (verdict.ruling, verdict.requests_needed is not None) == (Ruling.inconclusive, True)


def test_a_maximum_is_judged_by_the_largest_value_seen_and_says_so(make_metrics: MakeMetrics) -> None:
    verdict = parse("attempts.max <= 4").judge(make_metrics([{"attempts": 4}, {}]))
    assert (verdict.ruling, verdict.reason) == (
        Ruling.met,
        "judged by the largest value seen: a maximum has no interval",
    )


def test_without_requests_nothing_is_settled(make_metrics: MakeMetrics) -> None:
    verdict = parse("success.rate >= 50%").judge(make_metrics([]))
    assert (verdict.ruling, verdict.requests_needed, verdict.reason) == (
        Ruling.inconclusive,
        None,
        "no request counts for it",
    )


def test_one_replication_asks_for_a_second(make_metrics: MakeMetrics) -> None:
    verdict = parse("success.rate >= 50%").judge(make_metrics([{}] * 10, shared=True))
    assert (verdict.ruling, verdict.replications_needed, verdict.requests_needed) == (Ruling.inconclusive, 2, 20)
    assert "at least 2 replications are needed" in verdict.reason


def test_the_requests_needed_for_a_rate_settle_it_if_the_value_stays(make_metrics: MakeMetrics) -> None:
    needed = parse("success.rate >= 94%").judge(make_metrics(successes(950, 50))).requests_needed
    assert needed is not None
    low = rate(round(0.95 * needed), needed).low
    assert low is not None
    assert (needed > 1000, low > 0.94) == (True, True)


def test_the_requests_needed_for_a_quantile_settle_it_if_the_shares_stay(make_metrics: MakeMetrics) -> None:
    rows = [{"first_effect_ns": S * (1 + number % 100)} for number in range(200)]
    verdict = parse("time_to_effect.p90 <= 94s").judge(make_metrics(rows))
    needed = verdict.requests_needed
    assert needed is not None
    metrics = make_metrics([{"first_effect_ns": S * (1 + number % 100)} for number in range(needed)])
    assert (verdict.ruling, rulings(metrics, "time_to_effect.p90 <= 94s")) == (Ruling.inconclusive, ["met"])


def test_the_requests_needed_for_a_mean_settle_it_if_the_spread_stays(make_metrics: MakeMetrics) -> None:
    needed = parse("attempts.mean <= 1.6").judge(make_metrics([{}, {"attempts": 2}] * 25)).requests_needed
    assert needed is not None
    metrics = make_metrics([{}, {"attempts": 2}] * math.ceil(needed / 2))
    assert (needed > 50, rulings(metrics, "attempts.mean <= 1.6")) == (True, ["met"])


def test_the_replications_needed_settle_it_if_the_spread_stays(make_metrics: MakeMetrics) -> None:
    def rows(replications: int) -> list[Row]:
        return [{"replication": number, "attempts": 1 + number % 2} for number in range(replications)]

    verdict = parse("attempts.mean <= 1.8").judge(make_metrics(rows(4), shared=True))
    assert verdict.replications_needed is not None
    metrics = make_metrics(rows(2 * math.ceil(verdict.replications_needed / 2)), shared=True)
    assert (verdict.ruling, rulings(metrics, "attempts.mean <= 1.8")) == (Ruling.inconclusive, ["met"])


def test_a_value_on_the_bound_cannot_be_settled(make_metrics: MakeMetrics) -> None:
    verdict = parse("success.rate >= 95%").judge(make_metrics(successes(95, 5)))
    assert (verdict.ruling, verdict.requests_needed) == (Ruling.inconclusive, None)


def test_a_rate_of_exactly_zero_cannot_be_proved_and_the_reason_says_what_to_write(make_metrics: MakeMetrics) -> None:
    verdict = parse("stuck.rate <= 0%").judge(make_metrics([{}] * 1000))
    assert (verdict.ruling, verdict.requests_needed) == (Ruling.inconclusive, None)
    assert "allow a small share" in verdict.reason


@pytest.mark.parametrize("shared", [False, True])
def test_one_stuck_request_refutes_a_rate_of_zero(make_metrics: MakeMetrics, stuck: Row, shared: bool) -> None:  # noqa: FBT001
    rows = [{**row, "replication": number // 50} for number, row in enumerate([{}] * 99 + [stuck])]
    metrics = make_metrics(rows, shared=shared)
    assert rulings(metrics, "stuck.rate <= 0", "stuck.rate == 0", "success.rate >= 100%") == ["missed"] * 3


def test_a_verdict_goes_to_the_summary_in_ms(make_metrics: MakeMetrics) -> None:
    got = parse("time_to_effect.p50 <= 1s").judge(make_metrics([{}] * 100)).summary()
    assert got == {
        "expect": "time_to_effect.p50 <= 1s",
        "verdict": "met",
        "value": 100.0,
        "low": 100.0,
        "high": 100.0,
        "unit": "ms",
        "requests_needed": None,
        "replications_needed": None,
        "reason": "",
    }


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(0, 30), min_size=1, max_size=80),
    bound=st.integers(0, 30),
    operator=st.sampled_from(["<=", "<", ">=", ">", "=="]),
)
def test_met_and_missed_agree_with_the_value_seen(
    make_metrics: MakeMetrics, values: list[int], bound: int, operator: str
) -> None:
    metrics = make_metrics([{"first_effect_ns": S * value} for value in values])
    verdict: Verdict = parse(f"time_to_effect.p50 {operator} {bound}s").judge(metrics)
    value = quantile(metrics.sample("time_to_effect.p50"), METRICS["time_to_effect.p50"].share).value
    assert value is not None
    limit = bound * S
    holds = {"<=": value <= limit, "<": value < limit, ">=": value >= limit, ">": value > limit, "==": value == limit}
    if verdict.ruling is not Ruling.inconclusive:
        assert (verdict.ruling is Ruling.met) == holds[operator]
