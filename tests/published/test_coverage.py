"""The 95 % intervals contain the truth as often as they say, in worlds whose truth is known.

At least 93 % of a thousand samples, and at most 98 % unless the data are discrete or the limits of a quantile are:
Thompson's interval goes from rank to rank, and covers what the exact binomial law of these ranks says. An interval that
is not given needs a reason. Runs for ten to twenty minutes: `pytest -m slow tests/published/test_coverage.py`; the
same numbers as a table: `python benchmarks/coverage.py`.
"""

import math
import statistics
from functools import cache

import pytest
from known_truths import TRUTHS, Coverage, Truth, coverage, exact_width
from scipy.special import bdtr

from sim.measure.estimates import interval_ranks
from sim.measure.quantities import METRICS, Statistic, Unit

SAMPLES = 1000
NOISE = 3 * math.sqrt(0.02 * 0.98 / SAMPLES)
"""Three standard deviations of a share of 98 % in a thousand samples."""

FEW_BEYOND = 25

pytestmark = pytest.mark.slow
each_world = pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)


@cache
def measured(truth: Truth) -> dict[str, Coverage]:
    return coverage(truth, SAMPLES)


def most(truth: Truth, path: str, kept: Coverage) -> float:
    """Return the share of samples that an interval of this metric may cover."""
    metric = METRICS[path]
    if kept.is_discrete or kept.truth == 0 or len(kept.widths) < kept.given or statistics.median(kept.widths) == 0:
        return 1.0  # constants are discrete too, and an interval without an upper end has one side to miss
    if truth.other is not None and truth.size * float(1 - metric.share) < FEW_BEYOND:
        return 1.0  # so few values lie beyond the quantile that its limits go from one to the next
    if metric.statistic is Statistic.quantile and truth.other is None and "replications" not in truth.name:
        lower, upper = interval_ranks(truth.size, metric.share)
        share = float(metric.share)
        return max(0.98, float(bdtr(upper - 1, truth.size, share) - bdtr(lower - 1, truth.size, share)))
    return 0.98


@each_world
def test_intervals_contain_the_truth_often_enough(truth: Truth) -> None:
    found = measured(truth)
    low = {
        path: (kept.share, kept.wrong)
        for path, kept in found.items()
        # Of intervals that are seldom given few may be wrong among all samples.
        if kept.given and kept.share < 0.93 and kept.wrong > 0.07 * min(1.0, 2 * kept.given / kept.samples)
    }
    assert low == {}


@each_world
def test_intervals_are_not_wider_than_they_need_to_be(truth: Truth) -> None:
    found = measured(truth)
    wide = {
        path: kept.share for path, kept in found.items() if kept.given and kept.share > most(truth, path, kept) + NOISE
    }
    assert wide == {}


@each_world
def test_an_interval_that_is_not_given_has_a_reason(truth: Truth) -> None:
    assert [path for path, kept in measured(truth).items() if kept.given < kept.samples and "" in kept.reasons] == []


@pytest.mark.parametrize("truth", TRUTHS[:3], ids=lambda truth: truth.name)
def test_intervals_of_rare_losses_are_no_wider_than_exact_ones(truth: Truth) -> None:
    kept = measured(truth)["duplicates.effects"]
    assert statistics.median(kept.widths) <= exact_width(kept.truth, truth.size) * (1 + 1e-9)


def test_worlds_are_from_rare_to_heavy_isolated_shared_and_paired() -> None:
    kinds = {(truth.scenario.get("world", "isolated"), truth.other is not None) for truth in TRUTHS}
    assert (len(TRUTHS) >= 12, len(kinds)) == (True, 4)


def test_durations_and_counts_are_both_judged() -> None:
    units = {METRICS[path].unit for path in measured(TRUTHS[0])}
    assert units == set(Unit)
