"""Percentiles by any number, such as `time_to_effect.p95` or `attempts.p99.99`: read, refused, and guessed.

A family is what stands before `.p95`; with it comes a metric of the quantity that has percentiles.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sim.measure.quantities import PERCENTILED, Metric, Statistic

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_DECIMALS: Final = 6
"""More tell apart what no run has requests enough to tell apart."""
_EXACT: Final = re.compile(r"(?P<family>.+)\.p(?P<number>[0-9]+(?:\.[0-9]+)?)")
_LIKELY: Final = re.compile(
    r"(?P<family>.+?)[._ ]?(?:p|percentile|pct|quantile|q)?[._ ]?(?P<number>[0-9]{1,3}(?:\.[0-9]+)?)(?:%|th)?",
    re.IGNORECASE,
)
"""A percentile as people write it elsewhere: `time_to_effect.95`, `time_to_efect.P95`, `time_to_effect_p95`."""
_MEDIAN: Final = re.compile(r"(?P<family>.+?)[._ ]?(?:median|med)", re.IGNORECASE)


def families_in(known: Mapping[str, Metric]) -> Mapping[str, Metric]:
    """Return what has percentiles among metrics by their paths, each family with a metric of its quantity."""
    found = {
        path.rpartition(".p")[0] if metric.share.denominator != 1000 else path.removesuffix(".p99.9"): metric
        for path, metric in known.items()
        if metric.statistic is Statistic.quantile
    }
    return MappingProxyType(found | {name: known[path] for name, path in PERCENTILED.items() if path in known})


def percentile_of(base: str, families: Mapping[str, Metric]) -> Metric | None:
    """Return the metric of a percentile with its canonical path (`p95` for `p95.0`); None if it is none."""
    match = _EXACT.fullmatch(base)
    if match is None or match["family"] not in families or problem_with_percentile(base, families):
        return None
    family = families[match["family"]]
    share = Fraction(match["number"]) / 100
    path = f"{match['family']}.{percentile_name(share)}"
    return replace(family, path=path, statistic=Statistic.quantile, share=share)


def percentile_name(share: Fraction) -> str:
    """Return the name of a percentile: `p99.9` for 999/1000."""
    number = f"{float(100 * share):.{MOST_DECIMALS}f}".rstrip("0").rstrip(".")
    return f"p{number}"


def problem_with_percentile(base: str, families: Mapping[str, Metric]) -> str:
    """Say why there is no such percentile of a family that has some; empty if it is none of these or there is."""
    match = _EXACT.fullmatch(base)
    if match is None or match["family"] not in families:
        return ""
    whole, _, decimals = match["number"].partition(".")
    if len(decimals.rstrip("0")) > MOST_DECIMALS:
        return f"a percentile has at most {MOST_DECIMALS} decimals"
    if len(whole) > len("100") or not 0 < Fraction(match["number"]) < 100:
        return "a percentile lies above p0 and below p100, as p50 and p99.9 do"
    return ""


def near_percentile(base: str, families: Mapping[str, Metric]) -> str:
    """Return the percentile that was likely meant; empty if none is near."""
    match, number = _LIKELY.fullmatch(base), None
    if match is not None:
        number = Fraction(match["number"])
    elif (match := _MEDIAN.fullmatch(base)) is not None:
        number = Fraction(50)
    if match is None or number is None or not 0 < number < 100:
        return ""
    family = get_close_matches(match["family"].lower().rstrip("."), families, n=1, cutoff=0.7)
    return f"{family[0]}.{percentile_name(number / 100)}" if family else ""
