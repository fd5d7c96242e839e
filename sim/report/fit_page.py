"""The page of a fit: the log's data against the model, what was found with its intervals, and what no log can tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.fitting.latencies import POINTS as POINTS_TOLD
from sim.fitting.laws import quantile_of
from sim.fitting.limits import limits_of
from sim.fitting.sentences import sentences_of
from sim.fitting.units import count_text, duration, interval_text, p_text, percent, rate_text, share_text
from sim.measure.quantities import Unit
from sim.report.charts.axes import axis_of
from sim.report.charts.lines import Guide, LineChart, Series, Span
from sim.report.charts.markup import Html, add, element, html_of
from sim.report.page import Section, page
from sim.text.numerals import estimate_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sim.fitting.findings import Findings
    from sim.fitting.latencies import StatusLatencies
    from sim.fitting.laws import FittedLaw
    from sim.measure.estimates import Estimate

MOST_CURVES: Final = 6
"""Statuses whose latencies are drawn."""
POINTS: Final = 200
"""Points of a curve; more cannot be told apart."""
BINS: Final = 120
MOST_SPANS: Final = 200
DATA, LAW = 0, 1
"""Looks of curves: what the log has, and the law that was fitted."""
DURATION, SHARE, COUNT, RATE = Unit.duration.value, Unit.share.value, Unit.count.value, Unit.per_second.value


def fit_page(
    fitted: Findings,
    *,
    name: str,
    model: Mapping[str, Estimate] | None = None,
    checked: Sequence[str] = (),
    command: str = "",
) -> str:
    """Return the page of a fit as HTML.

    `name` is the scenario's file, `model` what a run of it gives, by the paths of metrics; `checked` says in sentences
    whether that is what the log has; `command` is the line that made it all. Raises `sim.report.templates.NoJinja`.
    """
    sections = [
        Section("found", "What the log says", _list([*sentences_of(fitted), *checked])),
        Section("numbers", "Log and model", _numbers(fitted, model or {}), is_wide=True),
        Section("latencies", "Latencies", _latencies(fitted), is_wide=True),
    ]
    for section, title, charts in (
        ("failures", "Failures over time", _failures(fitted)),
        ("arrivals", "Arrivals", _arrivals(fitted)),
        ("retries", "Delays before retries", _retries(fitted)),
        ("load", "Load against latency", _load(fitted)),
    ):
        if charts:
            sections.append(Section(section, title, _charts(charts), is_wide=True))
    sections.append(Section("limits", "What the log cannot tell", _list(limits_of(fitted))))
    if command:
        sections.append(Section("again", "Run it again", _commands([command, f"retrysim run {name}"])))
    return page(f"{fitted.source}: data against model", sections, kind="fit", lead=_lead(fitted, name))


def _lead(fitted: Findings, name: str) -> Html:
    what = f", {fitted.what}" if fitted.what else ""
    text = f"The log has {fitted.calls:,} {fitted.rows}{what}. What was found in it is the scenario {name}."
    return html_of(element("p", text))


def _list(texts: Iterable[str]) -> Html:
    root = element("ul")
    for text in texts:
        add(root, "li", text)
    return html_of(root)


def _commands(lines: Sequence[str]) -> Html:
    root = element("pre", "\n".join(lines), tabindex="0")
    return html_of(root)


def _charts(charts: Sequence[LineChart]) -> Html:
    return Html(f'<div class="charts">{"".join(chart.html() for chart in charts)}</div>')


def _numbers(fitted: Findings, model: Mapping[str, Estimate]) -> Html:
    """Return the table of what was found, with intervals, beside what a run of the scenario gives."""
    whole = fitted.whole
    rows: list[tuple[str, str, str]] = [
        ("success", share_text(whole.success), _of_model(model, "success.rate", Unit.share)),
    ]
    for path, label, found in (
        ("time_to_known.p50", "end known, p50", whole.p50),
        ("time_to_known.p99", "end known, p99", whole.p99),
    ):
        if found is not None:
            rows.append((label, interval_text(found), _of_model(model, path, Unit.duration)))
    for one in fitted.statuses[:MOST_CURVES]:
        rows += _points(one)
    rows += [(f"fail with {end.status}", share_text(end.share), "") for end in fitted.ends]
    weather = fitted.weather
    if weather is not None:
        rows += [
            ("weather up, mean", interval_text(weather.up), "exponential"),
            ("weather down, mean", interval_text(weather.down), "exponential"),
            ("fail while up", share_text(weather.fail_up), ""),
            ("fail while down", share_text(weather.fail_down), ""),
        ]
    if fitted.clustering is not None and fitted.clustering.failures:
        runs = fitted.clustering
        text = f"{runs.runs:,} ({p_text(runs.runs_p)})"
        rows.append(("runs of equal ends", text, f"{runs.runs_expected:,.0f} if failures are independent"))
    if fitted.arrivals is not None:
        rows.append(("arrivals", rate_text(fitted.arrivals.rate), fitted.arrivals.kind))
    if fitted.policy is not None and fitted.policy.delay is not None:
        for label, found, is_duration in fitted.policy.delay.found:
            text = interval_text(found) if is_duration else f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"
            rows.append((f"delay: {label}", text, fitted.policy.delay.form))
    return _table(("", "log, with its 95 % interval", "model"), rows)


def _points(one: StatusLatencies) -> list[tuple[str, str, str]]:
    """Return a row for each quantile of a status: the log's, and that of the best law."""
    law = one.law
    return [
        (
            f"latency of {one.status or '(blank)'}, p{100 * float(share):g}",
            interval_text(found),
            "" if law is None else f"{law.kind}: {_quantile_text(law, float(share))}",
        )
        for share, found in zip(POINTS_TOLD, one.points, strict=False)
    ]


def _quantile_text(law: FittedLaw, share: float) -> str:
    return duration(law.parameters[0].found.value if law.kind == "constant" else quantile_of(law, share))


def _of_model(model: Mapping[str, Estimate], path: str, unit: Unit) -> str:
    return estimate_text(model[path], unit) if path in model else ""


def _law_text(law: FittedLaw) -> str:
    numbers = ", ".join(
        f"{one.name} {duration(one.found.value) if one.is_duration else f'{one.found.value:.3g}'}"
        for one in law.parameters
    )
    return f"{law.kind}: {numbers}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    root = element("div", class_="scroll", tabindex="0", role="region", aria_label="What was found, with intervals")
    made = add(root, "table")
    line = add(add(made, "thead"), "tr")
    for text in head:
        add(line, "th", text, scope="col")
    body = add(made, "tbody")
    for first, *rest in rows:
        line = add(body, "tr")
        add(line, "th", first, scope="row")
        for text in rest:
            add(line, "td", text)
    return html_of(root)


def _latencies(fitted: Findings) -> Html:
    drawn = [one for one in fitted.statuses if len(one.values_ns) > 1 and one.values_ns[-1] > 0]
    charts = [_latency_chart(one) for one in drawn[:MOST_CURVES]]
    left = len(fitted.statuses) - len(charts)
    note = "" if left <= 0 else html_of(element("p", f"{left} rarer statuses are not drawn."))
    return Html(_charts(charts) + note)


def _latency_chart(one: StatusLatencies) -> LineChart:
    """Return the share of calls that take longer than t: the log's, and that of the best law."""
    count = len(one.values_ns)
    ranks = _ranks(count)
    # What the log rounds to 0 stands at half of the least time that it tells.
    least = float(one.values_ns[np.searchsorted(one.values_ns, 0, side="right")])
    times = np.maximum(one.values_ns[ranks].astype(np.float64), least / 2)
    longer = 1.0 - (ranks + 0.5) / count
    series = [_series("data", "log", times, longer, DATA)]
    law = one.law
    if law is not None and law.kind != "constant":
        beyond = np.geomspace(times[0], max(float(times[-1]), times[0] * 1.01), POINTS)
        shares = 1.0 - law.below(beyond)
        kept = shares >= 0.25 / count
        series.append(_series("law", law.kind, beyond[kept], shares[kept], LAW))
    closeness = "" if law is None else f"best law: {_law_text(law)}; at most {percent(law.distance)} off"
    spikes = tuple(Guide(float(spike.at_ns), f"{percent(spike.share)} end here") for spike in one.spikes[:2])
    return LineChart(
        title=f"{one.status or '(blank)'}: {count_text(one.calls)} calls",
        note=closeness,
        x=axis_of(times.tolist(), DURATION, "t", log=True),
        y=axis_of([float(longer.min()), 1.0], SHARE, "share of calls that take longer than t", log=True),
        series=tuple(series),
        levels=tuple(Guide(share, name) for share, name in ((0.5, "p50"), (0.01, "p99")) if share > longer.min()),
        instants=spikes,
    )


def _ranks(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return ranks, from 0, that lie close at both ends, evenly on the scale of the tail."""
    body = np.linspace(0, count - 1, POINTS).astype(np.int64)
    tail = count - 1 - np.geomspace(1, max(count - 1, 1), POINTS).astype(np.int64)
    return np.unique(np.concatenate([body, tail.clip(0), [count - 1]]))


def _series(key: str, name: str, xs: Iterable[float], ys: Iterable[float], look: int, *, label: bool = True) -> Series:
    return Series(
        key=key,
        name=name,
        xs=tuple(float(one) for one in xs),
        ys=tuple(float(one) for one in ys),
        look=look,
        has_label=label,
    )


def _failures(fitted: Findings) -> list[LineChart]:
    """Return the share of failures over time with the weather found, and how failures go along with each other."""
    found = fitted.clustering
    if found is None or not found.failures:
        return []
    calls = fitted.shown
    span_ns = max(int(calls.started_ns[-1]), 1)
    bins = max(1, min(BINS, len(calls.failed) // 10))
    place = np.minimum(calls.started_ns * float(bins) / span_ns, bins - 1).astype(np.int64)
    totals = np.bincount(place, minlength=bins).astype(np.float64)
    failures = np.bincount(place, weights=calls.failed, minlength=bins)
    shares = np.divide(failures, totals, out=np.full(bins, np.nan), where=totals > 0)
    starts = np.arange(bins) * (span_ns / bins)
    spells = () if fitted.weather is None else fitted.weather.spells
    spans = tuple(
        Span(float(low), float(high), f"down for {duration(high - low)}") for low, high in spells[:MOST_SPANS]
    )
    note = "" if not spans else f"Shaded: {len(spells):,} times of bad weather."
    if len(spells) > MOST_SPANS:
        note += f" The first {MOST_SPANS} are shaded."
    over_time = LineChart(
        title="Share of calls that fail",
        note=note,
        x=axis_of([0.0, float(span_ns)], DURATION, "since the first call", room=0.0),
        y=axis_of([0.0, *shares[~np.isnan(shares)].tolist()], SHARE, "share that fails", from_zero=True),
        series=(
            Series(
                key="log",
                name="calls that fail",
                xs=(*starts.tolist(), float(span_ns)),
                ys=(*shares.tolist(), float(shares[-1])),
                look=DATA,
                is_step=True,
            ),
        ),
        spans=spans,
    )
    if not found.lags:
        return [over_time]
    bound = 1.96 / math.sqrt(min(found.calls, 1_000_000))
    distances = range(1, len(found.lags) + 1)
    together = LineChart(
        title="Do failures go along with those before?",
        note=(
            f"Runs: {found.runs:,}; independent failures give {found.runs_expected:,.0f} ({p_text(found.runs_p)}). Of "
            "independent failures, 19 of 20 points lie between the guides."
        ),
        x=axis_of([0.0, float(len(found.lags))], COUNT, "calls apart", from_zero=True),
        y=axis_of([-2 * bound, 2 * bound, *found.lags], COUNT, "correlation of failures"),
        series=(
            Series(
                key="lags",
                name="correlation",
                xs=tuple(float(one) for one in distances),
                ys=found.lags,
                look=DATA,
                has_points=True,
                has_line=False,
            ),
        ),
        levels=(Guide(bound, ""), Guide(-bound, "")),
    )
    return [over_time, together]


def _arrivals(fitted: Findings) -> list[LineChart]:
    """Return the rate over time, and the gaps against those of independent callers."""
    found = fitted.arrivals
    if found is None:
        return []
    starts = [float(from_ns) for from_ns, _ in found.pieces]
    rates = [per_second for _, per_second in found.pieces]
    over_time = LineChart(
        title="Requests a second",
        note=f"In the mean {rate_text(found.rate)}; in the scenario's shared world: {found.kind}.",
        x=axis_of([0.0, float(found.span_ns)], DURATION, "since the first request", room=0.0),
        y=axis_of([0.0, *rates], RATE, "requests a second", from_zero=True),
        series=(
            Series(
                key="rate",
                name="requests a second",
                xs=(*starts, float(found.span_ns)),
                ys=(*rates, rates[-1]),
                look=DATA,
                is_step=True,
            ),
        ),
        levels=(Guide(found.rate.value, "mean"),),
    )
    gaps = np.sort(np.diff(fitted.arrived_ns))
    positive = gaps[gaps > 0]
    if len(positive) < 2:
        return [over_time]
    ranks = _ranks(len(gaps))
    times = np.maximum(gaps[ranks].astype(np.float64), float(positive[0]))
    longer = 1.0 - (ranks + 0.5) / len(gaps)
    mean = float(gaps.mean())
    law_times = np.geomspace(times[0], max(float(times[-1]), times[0] * 1.01), POINTS)
    law = np.exp(-law_times / mean)
    kept = law >= 0.25 / len(gaps)
    between = LineChart(
        title="Gaps between requests",
        note="Independent callers at one rate leave exponential gaps.",
        x=axis_of(times.tolist(), DURATION, "t", log=True),
        y=axis_of([float(longer.min()), 1.0], SHARE, "share of gaps longer than t", log=True),
        series=(
            _series("gaps", "log", times, longer, DATA),
            _series("gaps-law", "exponential", law_times[kept], law[kept], LAW),
        ),
    )
    return [over_time, between]


def _retries(fitted: Findings) -> list[LineChart]:
    """Return the gaps before the retries of each number."""
    policy = fitted.policy
    if policy is None or not policy.gaps or policy.delay is None:
        return []
    series, ends = [], [0.0]
    for look, one in enumerate(policy.gaps[:MOST_CURVES]):
        ranks = _ranks(len(one.values_ns))
        xs = one.values_ns[ranks]
        ends += [float(xs[0]), float(xs[-1])]
        ys = (ranks + 1) / len(one.values_ns)
        name = f"retry {one.number} ({one.count:,})"
        series.append(_series(f"retry-{one.number}", name, [xs[0], *xs], [0.0, *ys], look))
    return [
        LineChart(
            title="From the end of an attempt to the start of the next",
            note=f"Found: {policy.delay.form}. An even spread is a straight line, an exact delay a step.",
            x=axis_of(ends, DURATION, "delay", from_zero=True),
            y=axis_of([0.0, 1.0], SHARE, "share of delays up to that", from_zero=True),
            series=tuple(series),
        )
    ]


def _load(fitted: Findings) -> list[LineChart]:
    """Return the median latency of tenths of the calls by load."""
    load = fitted.load
    if load is None:
        return []
    xs = [arrivals for arrivals, _, _ in load.levels]
    ys = [median_ns for _, _, median_ns in load.levels]
    word = "Load slows calls" if load.is_found else "Load does not slow calls, as far as this log shows"
    return [
        LineChart(
            title="Median latency by the arrivals shortly before",
            note=f"{word}: rank correlation {load.correlation:.2f}, {p_text(load.p_value)} by circular shifts.",
            x=axis_of([0.0, *xs], COUNT, f"requests in the {duration(load.window_ns)} before", from_zero=True),
            y=axis_of([0.0, *ys], DURATION, "median latency of successful calls", from_zero=True),
            series=(
                Series(key="load", name="tenth of the calls", xs=tuple(xs), ys=tuple(ys), look=DATA, has_points=True),
            ),
        )
    ]
