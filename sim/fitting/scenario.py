"""The scenario that a fit makes: plain values for the parts of the file, and the rows of the columns beside it.

Each request stands alone in an isolated world, so that its own numbers come out again: what the log's calls meet
together, above all load, is not in it. In a shared world requests come as they came in the log.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.fitting.findings import P50, P99
from sim.fitting.intervals import Found, share_of
from sim.fitting.latencies import MOST_WRITTEN, sampled
from sim.kernel.durations import NS_PER_MS, format_duration, format_rate
from sim.measure.estimates import interval_ranks
from sim.scenario.names import LONGEST_NAME
from sim.tabular.words import LONGEST_CELL, Words
from sim.world.arrivals import MOST_RATES
from sim.world.outcomes import RESERVED_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

    from sim.fitting.findings import Findings
    from sim.fitting.latencies import StatusLatencies
    from sim.fitting.weather import FoundWeather

SUCCESS: Final = "success"
LEAST_REQUESTS, MOST_REQUESTS = 10_000, 1_000_000
TIMES_LOG: Final = 10
"""A scenario has so many times the requests of the log, so that its own intervals are narrow beside the log's."""
SHARED_REQUESTS: Final = 20_000
REPLICATIONS: Final = 10
ONE_TRY: Final = {"kind": "policy", "attempts": 1}
"""What `none` is outside of a deployment, whose numbers would matter in a shared world."""
LEAST_OF_STATUS: Final = 2_000
MOST_KINDS: Final = 20
EVEN: Final = 0.3
"""Twelve exponential times hardly ever vary less than this, by their quartiles over their median."""
EXPONENTIAL_QUARTILES: Final = math.log(3) / math.log(2)
"""How far those of an exponential law are apart, over its median."""
ALL_ALIKE: Final = 0.1
OTHER: Final = "other"
"""The rarest failing statuses go together if there are more."""
LATENCY, STATUS = "latency_ms", "status"
STARTED: Final = "started_ms"


def kinds_of(fitted: Findings) -> Mapping[str, str]:
    """Return for each failing status the name of its kind of failure in the scenario, `failed.NAME`."""
    return _kinds(tuple(one.status for one in fitted.ends))


@lru_cache(maxsize=8)
def _kinds(statuses: tuple[str, ...]) -> Mapping[str, str]:
    names: dict[str, str] = {}
    taken: set[str] = set()
    for place, status in enumerate(statuses):
        name = re.sub(r"[^a-z0-9._-]+", "-", status.lower()).strip("-._")[: LONGEST_NAME - 8] or "blank"
        if place >= MOST_KINDS - 1:
            names[status] = OTHER
            continue
        if name in RESERVED_KINDS or name == OTHER:
            name = f"status-{name}"
        if name in taken:
            name = next(longer for number in count(2) if (longer := f"{name}-{number}") not in taken)
        taken.add(name)
        names[status] = name
    return MappingProxyType(names)


def words_of(fitted: Findings) -> Mapping[str, str]:
    """Return for each status its word in the column beside the scenario: that of the log if a law needs one status."""
    return _words(
        tuple(one.status for one in fitted.statuses),
        tuple(one.status for one in fitted.successes),
        tuple(one.status for one in fitted.ends),
    )


@lru_cache(maxsize=8)
def _words(statuses: tuple[str, ...], successes: tuple[str, ...], failures: tuple[str, ...]) -> Mapping[str, str]:
    kinds = _kinds(failures)
    words = dict.fromkeys(successes, SUCCESS) if len(successes) > 1 or successes == ("",) else {}
    together = sum(name == OTHER for name in kinds.values()) > 1
    for status in statuses:
        if status in words:
            continue
        kind = kinds.get(status, "")
        is_plain = status.isprintable() and status.strip() == status != "" and not (together and kind == OTHER)
        words[status] = status if is_plain and len(status) <= LONGEST_CELL else kind
    # `Timeout` also means `timeout`, and `5xx` also 503: such words would take the rows of others.
    different = {*words.values()}
    for status, word in list(words.items()):
        meant = Words([word])
        if status in kinds and any(other != word and other in meant for other in different):
            words[status] = f"failed.{kinds[status]}"
    return MappingProxyType(words)


def latency_rows(fitted: Findings) -> Iterator[tuple[str, str]]:
    """Yield (latency in ms, word of the status) of the column beside the scenario: all rows, or evenly spread ones."""
    total = sum(len(one.values_ns) for one in fitted.statuses)
    words = words_of(fitted)
    for one in fitted.statuses:
        rows = known = len(one.values_ns)
        if total > MOST_WRITTEN:
            rows = min(known, max(LEAST_OF_STATUS, MOST_WRITTEN * known // total))
        for value_ns in sampled(one.values_ns, rows).tolist():
            yield ms_text(value_ns), words[one.status]


def is_thinned(fitted: Findings) -> bool:
    """Whether the columns have fewer rows than the log."""
    return sum(len(one.values_ns) for one in fitted.statuses) > MOST_WRITTEN


def ms_text(duration_ns: int) -> str:
    """Write nanoseconds as milliseconds, exactly."""
    whole, rest = divmod(duration_ns, NS_PER_MS)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") if rest else str(whole)


def column_of(fitted: Findings, file: str, one: StatusLatencies) -> dict[str, Any] | None:
    """Return the law that draws from the rows of a status; None if the log has none."""
    word = words_of(fitted)[one.status]
    if not len(one.values_ns):
        return None
    return {"empirical": {"file": file, "column": LATENCY, "where": {STATUS: word}}}


def success_latency(fitted: Findings, file: str) -> dict[str, Any] | None:
    """Return the law of successful calls; None if the log has none with a latency."""
    for one in fitted.successes:
        if len(one.values_ns):
            return column_of(fitted, file, one)
    return None


def failures_of(fitted: Findings, file: str, shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the kinds of failures with these shares by status, as an outcome `fail` lists them."""
    kinds, latencies = kinds_of(fitted), {one.status: one for one in fitted.statuses}
    entries: dict[str, dict[str, Any]] = {}
    for end in fitted.ends:
        share = shares[end.status]
        if share < 1e-9:
            continue
        name = kinds[end.status]
        if name in entries:
            entries[name]["share"] = _share(entries[name]["share"] + share)
            continue
        entry: dict[str, Any] = {"kind": name, "share": _share(share)}
        if end.final >= 0.005:
            entry["final"] = round(end.final, 3)
        column = column_of(fitted, file, latencies[end.status])
        if column is not None:
            entry["latency"] = column
        entries[name] = entry
    total = sum(entry["share"] for entry in entries.values())
    if total > 1:  # rounded up
        largest = max(entries.values(), key=lambda entry: entry["share"])
        largest["share"] = _share(largest["share"] - (total - 1))
    return list(entries.values())


def _share(share: float) -> float:
    return float(f"{min(1.0, max(0.0, share)):.6g}")


def up_of(fitted: Findings, weather: FoundWeather) -> float:
    """Return the mean time up in ns with which as many calls fail in the long run as do in the log.

    The most likely time leaves the long run free; within its interval the log's own share is taken. If that would leave
    the interval the end of it is.
    """
    firsts = fitted.clustering
    if firsts is None:
        return weather.up.value
    share = firsts.failures / firsts.calls
    up, down = weather.fail_up.value, weather.fail_down.value
    in_down = (share - up) / (down - up)
    if not 0 < in_down < 1:
        return weather.up.value
    wanted = weather.down.value * (1 - in_down) / in_down
    return min(max(wanted, weather.up.low), weather.up.high, 1000.0 * weather.up.value)


def action_of(fitted: Findings, file: str) -> dict[str, Any]:
    """Return the action: latency, outcomes and weather."""
    action: dict[str, Any] = {}
    latency = success_latency(fitted, file)
    if latency is not None:
        action["latency"] = latency
    elif fitted.statuses and fitted.failures:
        # Nothing succeeds in this log; the law only stands for what may come.
        longest = max(fitted.failures, key=lambda one: len(one.values_ns))
        column = column_of(fitted, file, longest)
        action.update({} if column is None else {"latency": column})
    weather = fitted.weather
    stays = fitted.policy.stays if fitted.policy is not None and weather is None else 0.0
    shares = {end.status: end.share.value if weather is None else end.up for end in fitted.ends}
    if stays:
        shares = _without(fitted, shares, stays)
    failing = failures_of(fitted, file, shares)
    if failing:
        action["outcomes"] = {"fail": failing}
    if stays:
        action["permanent_failure"] = round(stays, 5)
    if weather is not None:
        bad = failures_of(fitted, file, _of_source(fitted))
        of_up, of_down = weather.variations
        turns = {
            "up": time_law(up_of(fitted, weather), of_up),
            "down": time_law(weather.down.value, of_down),
        }
        action["weather"] = [{"on_off": {**turns, "outcomes": {"fail": bad}}}]
    return action


def time_law(mean_ns: float, variation: float | None) -> dict[str, Any]:
    """Return the law of times up or down that vary so much; exponential ones if that is not known or not far from 1."""
    mean = _of_digits(mean_ns)
    if variation is None or variation >= EVEN:
        return {"exponential": {"mean": mean}}
    if variation < ALL_ALIKE:
        return {"constant": mean}
    # The quartiles of a narrow law are those of a normal one: 1.35 standard deviations apart.
    deviation = variation * EXPONENTIAL_QUARTILES / 1.349
    return {"gamma": {"shape": float(f"{deviation**-2:.3g}"), "mean": mean}}


def _of_source(fitted: Findings) -> dict[str, float]:
    """Return the shares that bad weather takes: of what it leaves, the action's own outcomes take theirs.

    If bad weather takes W in all, and calls fail with U while it is up and with D while it is down, then
    1 - D = (1 - W) (1 - U).
    """
    up, down = (
        min(1.0, math.fsum(shares)) for shares in zip(*((one.up, one.down) for one in fitted.ends), strict=True)
    )
    left = (1 - down) / (1 - up) if up < 1 else 0.0
    return {one.status: max(0.0, one.down - left * one.up) for one in fitted.ends}


def _without(fitted: Findings, shares: Mapping[str, float], stays: float) -> dict[str, float]:
    """Take the failures of requests that always fail from the shares of those that are retried."""
    policy = fitted.policy
    if policy is None or policy.again is None:
        return dict(shares)
    first = policy.again[0].value
    chance = max(0.0, (first - stays) / (1 - stays)) / first if first else 0.0
    return {end.status: shares[end.status] * (chance if end.final < 0.5 else 1.0) for end in fitted.ends}


def _of_digits(duration_ns: float) -> str:
    return format_duration(round(float(f"{duration_ns:.6g}")))


def retrier_of(fitted: Findings) -> Any:
    """Return the retrier: `none`, or the policy that the log's attempts show."""
    policy = fitted.policy
    if policy is None:
        return "none"
    retrier: dict[str, Any] = {"kind": "policy", "attempts": policy.attempts}
    if policy.delay is not None and policy.delay.written != "none":
        retrier["delay"] = policy.delay.written
    return retrier


def requests_of(fitted: Findings) -> dict[str, Any]:
    """Return how many requests an isolated world has."""
    return {"count": min(MOST_REQUESTS, max(LEAST_REQUESTS, TIMES_LOG * fitted.whole.requests))}


def arrivals_written(fitted: Findings, file: str) -> Any:
    """Return `requests.arrivals` of a shared world; None if the log has no times."""
    arrivals = fitted.arrivals
    if arrivals is None:
        return None
    rate = format_rate(float(f"{arrivals.rate.value:.5g}"))
    match arrivals.kind:
        case "poisson" | "constant":
            return {arrivals.kind: {"rate": rate}}
        case "schedule":
            pieces = [
                {
                    "from": format_duration(from_ns),
                    "rate": format_rate(float(f"{per_second:.4g}")) if per_second else "0/s",
                }
                for from_ns, per_second in arrivals.pieces[:MOST_RATES]
            ]
            end = {"from": format_duration(arrivals.span_ns), "rate": "0/s"}
            return {"schedule": [*pieces, end]}
        case _:
            return {"file": {"file": file, "column": STARTED}}


def shared_requests(fitted: Findings, file: str) -> dict[str, Any]:
    """Return the requests of a shared world, as they came in the log."""
    arrivals = arrivals_written(fitted, file)
    return {
        "count": min(SHARED_REQUESTS, fitted.whole.requests),
        **({} if arrivals is None else {"arrivals": arrivals}),
    }


def expectations_of(fitted: Findings) -> tuple[list[str], bool]:
    """Return what a run of the isolated scenario is held to, and whether its intervals are wider than the log's.

    The log's own intervals of success, p50 and p99; those of a tenth of the scenario's requests if the log has more
    than that, as the scenario cannot be surer of a number than its own requests make it.
    """
    whole, requests = fitted.whole, requests_of(fitted)["count"]
    independent = whole.requests / whole.effect
    allowed = min(independent, requests / TIMES_LOG)
    success = whole.success
    if allowed < independent:
        around = share_of(success.value * allowed, allowed)
        success = Found(success.value, min(success.low, around.low), max(success.high, around.high))
    lines = []
    if success.low > 0:
        lines.append(f"success.rate >= {_down(success.low):.6g}")
    if success.high < 1:
        lines.append(f"success.rate <= {_up(success.high):.6g}")
    for name, share, found in (("p50", P50, whole.p50), ("p99", P99, whole.p99)):
        if found is None:
            continue
        limits = found if allowed == independent else _wider(fitted, share, found, allowed)
        if limits.low > 0:
            lines.append(f"time_to_known.{name} >= {format_duration(math.floor(limits.low / 1000) * 1000)}")
        if math.isfinite(limits.high):
            lines.append(f"time_to_known.{name} <= {format_duration(math.ceil(limits.high / 1000) * 1000)}")
    return lines, allowed < independent


def _wider(fitted: Findings, share: Fraction, found: Found, allowed: float) -> Found:
    """Return the interval of a quantile that so many requests give, or the log's own if that is wider."""
    ascending = fitted.whole.known_ns
    known, few = len(ascending), max(1, math.floor(allowed))
    if few >= known:
        return found
    lower, upper = interval_ranks(few, share)
    low = math.floor(lower / few * known)
    high = math.ceil(upper / few * known)
    least = float(ascending[low - 1]) if low >= 1 else 0.0
    most = float(ascending[high - 1]) if upper <= few else math.inf
    return Found(found.value, min(found.low, least), max(found.high, most))


def _down(share: float) -> float:
    return math.floor(share * 1e6) / 1e6


def _up(share: float) -> float:
    return math.ceil(share * 1e6) / 1e6


def arrival_rows(fitted: Findings) -> Iterator[str]:
    """Yield the starts of the requests in ms, exactly."""
    origin = int(fitted.arrived_ns[0]) if len(fitted.arrived_ns) else 0
    return (ms_text(int(one) - origin) for one in np.asarray(fitted.arrived_ns).tolist())
