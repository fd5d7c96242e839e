"""A fit told in sentences: what was found, how sure it is, and how it was tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.fitting.laws import words_for
from sim.fitting.scenario import EVEN
from sim.fitting.units import duration, interval_text, p_text, percent, rate_text, share_text, status_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.fitting.arrivals import FoundArrivals
    from sim.fitting.findings import Findings
    from sim.fitting.latencies import StatusLatencies
    from sim.fitting.policies import FoundPolicy

MOST_STATUSES = 6
"""Of the rarer statuses only the shares are told."""


def sentences_of(fitted: Findings) -> tuple[str, ...]:
    """Return what was found, a sentence or two each; intervals are 95 %."""
    return (
        *fitted.told,
        *_whole(fitted),
        *_latencies(fitted),
        *_failures(fitted),
        *_clustering(fitted),
        *_arrivals(fitted.arrivals),
        *_policy(fitted.policy, has_weather=fitted.weather is not None),
        *_load(fitted),
    )


def _whole(fitted: Findings) -> Iterator[str]:
    whole = fitted.whole
    of_what = (
        f"{whole.requests:,} requests in {fitted.calls:,} attempts" if fitted.policy else f"{fitted.calls:,} calls"
    )
    text = f"Of {of_what}, {share_text(whole.success)} succeed."
    if whole.p50 is not None and whole.p99 is not None:
        text += f" The end is known after {interval_text(whole.p50)} (p50) and {interval_text(whole.p99)} (p99)."
    yield text
    if whole.p50 is None:
        what = "requests take with their retries" if fitted.policy else "calls take in all"
        yield f"How long {what} cannot be told: the log lacks times, or too many latencies."
    if fitted.policy is not None and whole.left_out:
        yield f"{whole.left_out:,} requests are left out of this: the log may end before them, or lacks a latency."
    if whole.effect > 1:
        yield (
            f"These intervals count the log as {whole.requests / whole.effect:,.0f} independent requests, because its "
            "successes vary that much over time."
        )


def _latencies(fitted: Findings) -> Iterator[str]:
    for one in fitted.statuses[:MOST_STATUSES]:
        if not one.points:
            yield f"The log has no latency of calls with '{one.named}'."
            continue
        middle, _, p99, _ = one.points
        text = f"Calls with '{one.named}' take {interval_text(middle)} at the median and {interval_text(p99)} at p99"
        yield f"{text}{_law(one)}."
        for spike in one.spikes:
            if one.law is None or one.law.kind != "constant":
                beyond = ", and hardly any longer" if spike.is_last else ""
                yield (
                    f"{percent(spike.share)} of the calls with '{one.named}' end after {duration(spike.at_ns)}"
                    f"{beyond}: a clock ended them, such as a timeout."
                )


def _law(one: StatusLatencies) -> str:
    law = one.law
    if law is None:
        return "; there are too few for a law"
    if law.kind == "constant":
        return ", always the same"
    words = {"close": "is close", "roughly": "has their shape roughly", "not close": "is not close"}[words_for(law)]
    return f"; the best law, {law.kind}, {words} (at most {percent(law.distance)} off)"


def _failures(fitted: Findings) -> Iterator[str]:
    for end in fitted.ends[:MOST_STATUSES]:
        yield f"{share_text(end.share)} of the calls fail with '{end.named}'."
    if len(fitted.ends) > MOST_STATUSES:
        yield f"{len(fitted.ends) - MOST_STATUSES} rarer kinds of failures are in the scenario."
    if not fitted.ends:
        yield "No call fails in this log, so the scenario knows no failure."


def _clustering(fitted: Findings) -> Iterator[str]:
    found, weather = fitted.clustering, fitted.weather
    firsts = "first attempts" if fitted.policy else "calls"
    if found is None:
        yield "The log has no times, so whether failures hang together was not tested."
        return
    if found.failures == 0:
        return
    if found.failures == found.calls:
        yield f"All {firsts} fail, so the log cannot tell whether failures hang together."
        return
    tested = (
        f"{found.failures:,} of {found.calls:,} {firsts} fail, in {found.runs:,} runs of equal ends where independent "
        f"failures give {found.runs_expected:,.0f} ({p_text(found.runs_p)}"
    )
    tested += f"; shares of {found.stretches} stretches: {p_text(found.stretches_p)})" if found.stretches else ")"
    if weather is not None:
        yield (
            f"Failures hang together: {tested}. The weather is up for {interval_text(weather.up)} in the mean, when "
            f"{share_text(weather.fail_up)} fail, and down for {interval_text(weather.down)}, when "
            f"{share_text(weather.fail_down)} fail."
        )
        for name, variation in zip(("up", "down"), weather.variations, strict=True):
            if variation is not None and variation < EVEN:
                share = percent(variation)
                yield f"Times {name} vary only {share} as much as exponential ones do; the scenario has that."
        spells = len(weather.spells)
        if spells < 5:
            times = "time" if spells == 1 else "times"
            yield f"The log has only {spells} such {times}, so how often they come is hardly known."
        if spells < 3 and weather.fail_down.value < 0.5:
            yield (
                "The share that fails may as well have changed slowly, or once: see the picture of failures over time "
                "before you take this for weather."
            )
    elif found.is_found:
        yield (
            f"Failures hang together: {tested}. But times of good and bad weather do not explain it; look for a rate "
            "that changes slowly, or for requests that always fail."
        )
    else:
        yield f"Failures do not hang together: {tested}. So there is no weather."


def _arrivals(arrivals: FoundArrivals | None) -> Iterator[str]:
    if arrivals is None:
        return
    rate = rate_text(arrivals.rate)
    tested = f"dispersion of counts {arrivals.dispersion:.2g}, {p_text(arrivals.dispersion_p)}"
    if arrivals.gaps_distance:
        tested += f"; gaps at most {percent(arrivals.gaps_distance)} off the exponential law"
    match arrivals.kind:
        case "poisson":
            text = f"Requests arrive like independent callers at {rate} ({tested})."
        case "constant":
            text = f"Requests arrive evenly, at {rate} (gaps vary by {percent(arrivals.variation)} of their mean)."
        case "schedule":
            rates = [per_second for _, per_second in arrivals.pieces]
            text = (
                f"Requests arrive at {rate} in the mean, but the rate changes from {min(rates):.3g}/s to "
                f"{max(rates):.3g}/s ({tested}); a shared world can have it as a schedule."
            )
        case _:
            text = (
                f"Requests arrive at {rate}, neither evenly nor like independent callers ({tested}); their times are "
                "kept as a column."
            )
    yield text


def _policy(policy: FoundPolicy | None, *, has_weather: bool) -> Iterator[str]:  # one branch a sentence
    if policy is None:
        return
    text = f"Requests are tried up to {policy.attempts} times"
    if policy.at_limit is not None:
        text += f"; {share_text(policy.at_limit)} of those that give up after a retry had so many tries"
    yield f"{text}."
    for status, found in policy.retried:
        yield f"Failures with '{status_text(status)}' are retried in {share_text(found)}."
    if policy.delay is None:
        why = "the log lacks times, tells them too coarsely, or has too few retries"
        yield f"The delays before retries cannot be told: {why}."
    else:
        numbers = []
        for name, found, is_duration in policy.delay.found:
            told = interval_text(found) if is_duration else f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"
            numbers.append(f"{name} {told}")
        yield f"The delays before retries: {policy.delay.form}{': ' if numbers else ''}{', '.join(numbers)}."
    if policy.overlapping > 0.01:
        yield (
            f"{percent(policy.overlapping)} of the retries begin before the attempt before them has ended: hedging, or "
            "a timeout of the client that the log does not show. They are left out of the delays."
        )
    if policy.after_success > 0.01:
        share = percent(policy.after_success)
        yield f"{share} of the attempts after the first follow a success; the model has none such."
    if policy.stays and policy.again is not None and not has_weather:
        first, second = policy.again
        yield (
            f"Second attempts fail more often ({share_text(second)}) than first ones ({share_text(first)}): "
            f"{percent(policy.stays)} of the requests seem to fail however often they are tried."
        )


def _load(fitted: Findings) -> Iterator[str]:
    load = fitted.load
    if load is None:
        return
    rank = f"rank correlation {load.correlation:.2f}, {p_text(load.p_value)} by circular shifts"
    if load.is_found:
        yield (
            f"Load slows calls: after the busiest tenth of windows of {duration(load.window_ns)} the median latency is "
            f"{load.ratio:.2g} times that after the idlest ({rank}). The scenario has a service that slows down as a "
            "comment."
        )
    elif load.in_progress > 0.2 and load.p_value > 0.001:
        yield (
            f"More calls are in progress beside slow calls (rank correlation {load.in_progress:.2f}), but latency does "
            f"not follow the arrivals before it ({rank}): slow times make calls pile up, not the other way round."
        )
    else:
        yield f"Load does not slow calls as far as this log shows ({rank})."
