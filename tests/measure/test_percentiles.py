"""Percentiles by any number."""

from collections.abc import Callable
from fractions import Fraction

import pytest

from sim.measure.metrics import CellMetrics
from sim.measure.paths import UnknownMetric, metric_of

MakeMetrics = Callable[..., CellMetrics]
MS = 1_000_000


@pytest.mark.parametrize(
    ("path", "canonical", "share"),
    [
        ("time_to_effect.p95", "time_to_effect.p95", Fraction(95, 100)),
        ("time_to_effect.p95.0", "time_to_effect.p95", Fraction(95, 100)),
        ("time_to_effect.p99.90", "time_to_effect.p99.9", Fraction(999, 1000)),
        ("time_to_known.success.p97.5", "time_to_known.success.p97.5", Fraction(975, 1000)),
        ("attempts.p99.999999", "attempts.p99.999999", Fraction(99999999, 100000000)),
        ("class.web.cost.money.p05", "class.web.cost.money.p5", Fraction(5, 100)),
        ("service.pay.queue_wait.p95", "service.pay.queue_wait.p95", Fraction(95, 100)),
    ],
)
def test_a_percentile_goes_by_any_number_and_has_one_path(path: str, canonical: str, share: Fraction) -> None:
    metric = metric_of(path)
    assert (metric.path, metric.share) == (canonical, share)


def test_a_percentile_that_reports_have_is_the_same_by_either_spelling() -> None:
    assert metric_of("time_to_effect.p99.900") == metric_of("time_to_effect.p99.9")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("time_to_effect.p0", "above p0 and below p100"),
        ("time_to_effect.p100", "above p0 and below p100"),
        ("time_to_effect.p" + "9" * 100, "above p0 and below p100"),
        ("time_to_effect.p99.99999999", "at most 6 decimals"),
        ("time_to_efect.p95", "did you mean 'time_to_effect.p95'?"),
        ("time_to_effect.95", "did you mean 'time_to_effect.p95'?"),
        ("time_to_effect_P97.5", "did you mean 'time_to_effect.p97.5'?"),
        ("time_to_known.success.median", "did you mean 'time_to_known.success.p50'?"),
        ("service.pay.queue_wiat.p95", "did you mean 'service.pay.queue_wait.p95'?"),
    ],
)
def test_a_path_that_is_no_percentile_is_refused_with_what_is_right(path: str, words: str) -> None:
    with pytest.raises(UnknownMetric, match=words.replace("?", r"\?")):
        metric_of(path)


def test_a_percentile_is_between_those_beside_it(make_metrics: MakeMetrics) -> None:
    rows = [{"first_effect_ns": ms * MS, "settled_ns": ms * MS} for ms in range(1, 1001)]
    metrics = make_metrics(rows)
    got = [metrics.value(f"time_to_effect.{name}").value for name in ("p90", "p95", "p97.5", "p99")]
    assert got == [900 * MS, 950 * MS, 975 * MS, 990 * MS]


def test_attempts_have_percentiles(make_metrics: MakeMetrics) -> None:
    metrics = make_metrics([{"attempts": 1}] * 98 + [{"attempts": 7}] * 2)
    assert [metrics.value(f"attempts.{name}").value for name in ("p97", "p99")] == [1, 7]
