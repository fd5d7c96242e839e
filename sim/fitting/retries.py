"""Retries as they were: which answers are retried, how often, and after what delays.

The delay before a retry is the gap from the end of an attempt to the start of the next one of the same request. Gaps
are compared with the delays that a policy can write: constant, linear, exponential with a cap, each with a jitter, and
decorrelated jitter. The jitter is told by the ends between which the gaps of one retry spread evenly: from 0 to the
delay (full), from half of it (equal), about it (spread). What fits none of these is written as a table of medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.fitting.intervals import Found
from sim.fitting.laws import duration_text
from sim.kernel.durations import format_duration
from sim.measure.estimates import TAIL, Z

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sim.laws.elementary import Floats

LEAST_GAPS: Final = 5
"""A retry of this number must have been seen so often to say something of its delay."""
MOST_GAPS: Final = 20_000
"""Of each retry number so many gaps are looked at, evenly chosen."""
MOST_NUMBERS: Final = 20
EXACT: Final = 0.03
"""Gaps that spread by so small a part of the delay have no jitter; a clock and a scheduler blur them."""
MISFIT: Final = 0.05
"""The largest Kolmogorov distance of gaps from a form, less what luck gives, for the form to be taken."""
LUCK: Final = 1.63
"""The Kolmogorov distance of n values from their own law, times the root of n, lies above this once in a hundred."""
SETTLES: Final = 0.05
"""A form's delays may miss those seen by such a part."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps before the retries of one number, from 1."""

    number: int
    count: int
    values_ns: Floats
    """Ascending, perhaps evenly chosen ones; shape (gaps,)."""
    low: float
    """The ends between which they spread if they spread evenly, in ns."""
    high: float

    @property
    def median(self) -> float:
        """The median in ns."""
        return float(np.median(self.values_ns))

    @property
    def middle(self) -> Found:
        """The mean of what lies between the ends, without outliers beyond them, with its interval (Student's t)."""
        from scipy.special import stdtrit

        width = self.high - self.low
        inside = self.values_ns[
            (self.values_ns >= self.low - 0.1 * width - 1) & (self.values_ns <= self.high + 0.1 * width + 1)
        ]
        mean = float(inside.mean())
        # Of a handful of gaps a normal interval would be too narrow, and luck would look like a cap.
        free = max(1, len(inside) - 1)
        half = float(stdtrit(free, 1 - TAIL)) * float(inside.std()) / math.sqrt(free)
        return Found(mean, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Delay:
    """A delay before retries, as a policy writes it, and how well it fits."""

    written: Any
    """The value of `retrier.delay`."""
    found: tuple[tuple[str, Found, bool], ...]
    """(name, interval, whether it is a duration in ns) of each number of the form."""
    distance: float
    """The largest Kolmogorov distance of gaps of one number from the form, less what luck gives; 1 for a table."""
    form: str
    """In words."""


def gaps_of(values_ns: NDArray[np.int64], numbers: NDArray[np.int32]) -> tuple[Gaps, ...]:
    """Sort gaps by the number of their retry, from 1; shapes (retries,). Negative ones must be left out."""
    found = []
    for number in range(1, min(MOST_NUMBERS, int(numbers.max(initial=0))) + 1):
        chosen = values_ns[numbers == number]
        count = len(chosen)
        if count < LEAST_GAPS:
            break
        ascending = np.sort(chosen[:: -(-count // MOST_GAPS)]).astype(np.float64)
        found.append(Gaps(number, count, ascending, *_ends(ascending)))
    return tuple(found)


def _ends(ascending: Floats) -> tuple[float, float]:
    """Return the ends of an even spread, from the quantiles at 5 and 95 %, which a few outliers do not move."""
    fifth, last = np.quantile(ascending, [0.05, 0.95])
    beyond = (last - fifth) / 18
    return max(0.0, float(fifth - beyond)), float(last + beyond)


_JITTERS: Final = ("none", "full", "equal", "spread")


def delay_of(gaps: Sequence[Gaps], pairs: tuple[Floats, Floats], resolution_ns: int) -> Delay:
    """Return the delay that gaps of retries 1, 2, ... come from, at least those of one.

    `pairs` are gaps of the first and of the second retry of the same requests, shape (requests with both,).
    """
    kept = [one for one in gaps if one.number <= len(gaps)]
    forms = [form for jitter in _JITTERS if (form := _form(kept, jitter, resolution_ns)) is not None]
    decorrelated = _decorrelated(kept, pairs, resolution_ns)
    if decorrelated is not None and decorrelated.distance <= MISFIT:
        return decorrelated
    forms = [form for form in forms if form.distance <= MISFIT]
    if forms:
        return min(forms, key=lambda form: form.distance + 0.002 * len(form.found))
    return _table(kept)


def _form(gaps: Sequence[Gaps], jitter: str, resolution_ns: int) -> Delay | None:
    """Return the form with this jitter that comes closest to the delays seen; None if none is near."""
    share, factor = _spread_of(gaps) if jitter == "spread" else (0.0, {"full": 2.0, "equal": 4 / 3}.get(jitter, 1.0))
    if jitter == "spread" and not EXACT < share < 1.0:
        return None
    bases = [one.middle.scaled(factor) for one in gaps]
    if jitter == "none":
        # Most of what blurs an exact delay makes it longer, so the median of the gaps is nearer to it than their mean.
        bases = [_about_median(one, resolution_ns) for one in gaps]
        if any(one.high - one.low > EXACT * one.median + 4 * resolution_ns + 2e6 for one in gaps):
            return None
    if not any(one.value > 2 * resolution_ns + 5e5 for one in bases):
        return Delay("none", (), 0.0, "no delay at all")
    shape = _shape(bases, resolution_ns)
    if shape is None:
        return None
    kind, options, found, delays = shape
    keys: dict[str, Any] = {} if jitter == "none" else {"jitter": jitter}
    if jitter == "spread":
        share = _nice(Found(share, share * 0.93, min(1.0, share * 1.07)))
        keys = {"jitter": {"spread": share}}
        found = (*found, ("spread", Found(share, share * 0.93, share * 1.07), False))
    low, high = {"none": (1.0, 1.0), "full": (0.0, 1.0), "equal": (0.5, 1.0)}.get(jitter, (1 - share, 1 + share))
    if jitter == "none":
        distance = max(abs(one.median - delay) / max(delay, 1.0) for one, delay in zip(gaps, delays, strict=True))
    else:
        distance = max(_misfit(one, low * delay, high * delay) for one, delay in zip(gaps, delays, strict=True))
    written: Any = {kind: {**options, **keys}}
    if kind == "constant":
        written = {"constant": {"delay": options["delay"], **keys}} if keys else options["delay"]
    words = {"none": "without jitter", "full": "with full jitter", "equal": "with equal jitter"}
    return Delay(written, found, distance, f"{kind} {words.get(jitter, f'with jitter of {share:.0%} less or more')}")


def _about_median(gaps: Gaps, resolution_ns: int) -> Found:
    half = max(Z * 1.2533 * float(gaps.values_ns.std()) / math.sqrt(gaps.count), resolution_ns, 1e-3 * gaps.median)
    return Found(gaps.median, gaps.median - half, gaps.median + half)


def _spread_of(gaps: Sequence[Gaps]) -> tuple[float, float]:
    """Return the share by which gaps lie about their middle, weighed by their numbers."""
    weights = np.array([one.count for one in gaps], dtype=np.float64)
    shares = np.array([(one.high - one.low) / max(one.high + one.low, 1.0) for one in gaps])
    return float((weights * shares).sum() / weights.sum()), 1.0


def _misfit(gaps: Gaps, low: float, high: float) -> float:
    """Return the Kolmogorov distance of gaps from an even spread."""
    values, count = gaps.values_ns, len(gaps.values_ns)
    below = np.clip((values - low) / max(high - low, 1.0), 0.0, 1.0)
    number = np.arange(count)
    distance = float(np.maximum(below - number / count, (number + 1) / count - below).max())
    return max(0.0, distance - LUCK / math.sqrt(count))


_Shape = tuple[str, dict[str, Any], tuple[tuple[str, Found, bool], ...], list[float]]


def _shape(bases: Sequence[Found], resolution_ns: int) -> _Shape | None:
    """Return how delays change from retry to retry: kind, options, intervals, and the delays that follow from them."""
    values = np.array([one.value for one in bases])
    widths = np.array([max((one.high - one.low) / (2 * Z), resolution_ns / 2, 0.002 * one.value) for one in bases])
    numbers = np.arange(len(bases), dtype=np.float64)
    found: list[_Shape | None] = [_constant(values, widths)]
    if len(bases) >= 2:
        found += [_linear(values, widths, numbers), *_exponentials(values, widths, numbers)]
    shapes = [one for one in found if one is not None]
    # Of two delays nothing tells a step from a factor; factors are what people write.
    scored = [
        (_misses(values, widths, shape[3]) + 4 * len(shape[2]) + 2 * (shape[0] == "linear"), shape) for shape in shapes
    ]
    near = [
        (score, shape)
        for score, shape in scored
        if max(abs(np.array(shape[3]) - values) / np.maximum(values, 1.0) - 4 * widths / np.maximum(values, 1.0))
        <= SETTLES
    ]
    return min(near, key=lambda one: one[0])[1] if near else None


def _misses(values: Floats, widths: Floats, delays: Sequence[float]) -> float:
    return float((((values - np.array(delays)) / widths) ** 2).sum())


def _constant(values: Floats, widths: Floats) -> _Shape:
    weights = widths**-2.0
    mean = float((values * weights).sum() / weights.sum())
    found = _found(mean, 1 / math.sqrt(float(weights.sum())))
    delay = _nice_ns(found)
    return "constant", {"delay": format_duration(delay)}, (("delay", found, True),), [float(delay)] * len(values)


def _linear(values: Floats, widths: Floats, numbers: Floats) -> _Shape | None:
    (initial, step), covariance = _line(values, widths, numbers)
    if step <= 0 or initial < 0:
        return None
    first, each = _found(initial, covariance[0]), _found(step, covariance[1])
    chosen, more = _nice_ns(first), _nice_ns(each)
    options = {"initial": format_duration(chosen), "step": format_duration(more)}
    return "linear", options, (("initial", first, True), ("step", each, True)), (chosen + more * numbers).tolist()


def _exponentials(values: Floats, widths: Floats, numbers: Floats) -> list[_Shape]:
    """Return delays that grow by a factor, without a cap and with one from the third delay or a later one on."""
    found = []
    for capped_from in range(2, len(values) + 1):
        grown = _exponential(values, widths, numbers, capped_from)
        if grown is not None:
            found.append(grown)
    return found


def _exponential(values: Floats, widths: Floats, numbers: Floats, capped_from: int) -> _Shape | None:
    head = slice(0, capped_from)
    if (values[head] <= 0).any():
        return None
    (log_initial, log_factor), spreads = _line(np.log(values[head]), widths[head] / values[head], numbers[head])
    initial = Found(*(math.exp(log_initial + sign * Z * spreads[0]) for sign in (0, -1, 1)))
    factor = Found(*(math.exp(log_factor + sign * Z * spreads[1]) for sign in (0, -1, 1)))
    if not 1.02 < factor.value <= 1000:
        return None
    chosen, grows = _nice_ns(initial), _nice(factor)
    delays = chosen * grows**numbers
    options: dict[str, Any] = {"initial": format_duration(chosen), "factor": grows}
    found = [("initial", initial, True), ("factor", factor, False)]
    if capped_from < len(values):
        tail = slice(capped_from, None)
        weights = widths[tail] ** -2.0
        cap = _found(float((values[tail] * weights).sum() / weights.sum()), 1 / math.sqrt(float(weights.sum())))
        if cap.high < float(delays[capped_from - 1]) * 0.97:
            return None
        most = _nice_ns(cap)
        delays = np.minimum(delays, most)
        options["cap"] = format_duration(most)
        found.append(("cap", cap, True))
    return "exponential", options, tuple(found), delays.tolist()


def _line(values: Floats, widths: Floats, numbers: Floats) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the weighted least squares line, its value at the first number and its slope, and their deviations."""
    design = np.stack([np.ones_like(numbers), numbers], axis=1) / widths[:, None]
    inverse = np.linalg.inv(design.T @ design)
    solution = inverse @ design.T @ (values / widths)
    return (float(solution[0]), float(solution[1])), (math.sqrt(float(inverse[0, 0])), math.sqrt(float(inverse[1, 1])))


def _decorrelated(gaps: Sequence[Gaps], pairs: tuple[Floats, Floats], resolution_ns: int) -> Delay | None:
    """Return decorrelated jitter if the second gaps of requests are spread by the first ones as it says."""
    before, after = pairs
    if len(before) < 4 * LEAST_GAPS:
        return None
    first = gaps[0]
    base = float(first.values_ns[0])
    factor = 2 * first.middle.value / max(base, 1.0) - 1
    if base <= 4 * resolution_ns or not 1.2 <= factor <= 20:
        return None
    half = 2 * (first.middle.high - first.middle.value) / base
    found_factor = Found(factor, factor - half, factor + half)
    chosen = _nice(found_factor)
    high = chosen * before
    cap_ns = float(after.max())
    is_capped = float((after >= cap_ns * (1 - 1e-6)).mean()) > 0.01
    free = high < cap_ns if is_capped else np.ones(len(high), np.bool_)
    if int(free.sum()) < 2 * LEAST_GAPS:
        return None
    spread = np.sort((after[free] - base) / (high[free] - base))
    number, count = np.arange(len(spread)), len(spread)
    below = np.clip(spread, 0.0, 1.0)
    distance = float(np.maximum(below - number / count, (number + 1) / count - below).max())
    distance = max(0.0, distance - LUCK / math.sqrt(count))
    # Any other jitter has second gaps that do not know of the first ones.
    ranks = [np.argsort(np.argsort(one)).astype(np.float64) for one in (before, after)]
    if float(np.corrcoef(ranks[0], ranks[1])[0, 1]) < 3 / math.sqrt(len(before)):
        return None
    # The least of n even ones lies about an nth of their spread above its end, and hardly ever five of these.
    least = Found(base, base * (1 - 5 * (chosen - 1) / len(first.values_ns)), base)
    options: dict[str, Any] = {"base": format_duration(_nice_ns(least)), "factor": chosen}
    found = [("base", least, True), ("factor", found_factor, False)]
    if is_capped:
        options["cap"] = duration_text(Found(cap_ns, cap_ns, cap_ns))
        found.append(("cap", Found(cap_ns, cap_ns, cap_ns), True))
    return Delay({"decorrelated": options}, tuple(found), distance, "decorrelated jitter")


def _table(gaps: Sequence[Gaps]) -> Delay:
    """Return the medians, one after the other, with the spread of the gaps about them."""
    middles = [Found(one.middle.value, min(one.middle.low, one.middle.value * 0.999), one.middle.high) for one in gaps]
    delays = [format_duration(_nice_ns(one)) for one in middles]
    weights = np.array([one.count for one in gaps], dtype=np.float64)
    blur = np.array([float(one.values_ns.std()) / max(float(one.values_ns.mean()), 1.0) for one in gaps])
    share = min(1.0, round(math.sqrt(3) * float((weights * blur).sum() / weights.sum()), 2))
    found = tuple((f"retry {one.number}", middle, True) for one, middle in zip(gaps, middles, strict=True))
    written: Any = {"table": delays}
    if share > EXACT:
        written = {"table": {"delays": delays, "jitter": {"spread": share}}}
    return Delay(written, found, 1.0, "no form that a policy has: a table of the mean delays and their spread")


def _found(value: float, deviation: float) -> Found:
    return Found(value, value - Z * deviation, value + Z * deviation)


def _nice(found: Found) -> float:
    """Return the number with the fewest digits in an interval: people write 2, not 1.98."""
    if not found.low <= found.value <= found.high or found.value == 0:
        return found.value
    for digits in range(1, 8):
        rounded = float(f"{found.value:.{digits}g}")
        if found.low <= rounded <= found.high:
            return rounded
    return found.value


def _nice_ns(found: Found) -> int:
    return max(0, round(_nice(found)))
