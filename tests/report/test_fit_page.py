import re

import numpy as np
import pytest
from made_logs import arrivals_ns, calls, down_at, log_of

from sim.fitting.fit import Fitted, fit_log
from sim.fitting.log import Log
from sim.measure.estimates import Estimate
from sim.measure.quantities import Unit
from sim.report.fit_page import fit_page
from sim.text.numerals import estimate_text

pytest.importorskip("jinja2")


def headings(html: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", html)


def in_weather() -> Fitted:
    rng = np.random.default_rng(1)
    times_ns = arrivals_ns(rng, 4000, 20.0)
    failed = rng.random(4000) < np.where(down_at(rng, times_ns, 30.0, 3.0), 0.9, 0.02)
    return fit_log(log_of(rng.lognormal(18, 0.6, 4000), failed, times_ns))


def test_a_page_shows_the_log_against_the_model() -> None:
    fitted = fit_log(calls(np.random.default_rng(1), 2000))
    model = {"success.rate": Estimate(0.97, 0.96, 0.98)}
    html = fit_page(fitted, name="pay.yaml", model=model, checked=["It comes again."], command="retrysim fit pay.csv")
    assert headings(html) == [
        "What the log says",
        "Log and model",
        "Latencies",
        "Failures over time",
        "Arrivals",
        "Load against latency",
        "What the log cannot tell",
        "Run it again",
    ]
    assert "It comes again." in html
    assert "retrysim fit pay.csv" in html
    assert "lognormal: 1" in html  # a quantile of the law beside that of the log
    assert estimate_text(model["success.rate"], Unit.share) in html


def test_weather_is_shaded_over_the_failures() -> None:
    fitted = in_weather()
    assert fitted.weather is not None
    html = fit_page(fitted, name="pay.yaml")
    assert html.count('class="span"') == len(fitted.weather.spells) > 3


def test_the_page_asks_nothing_of_any_server_and_is_small() -> None:
    html = fit_page(in_weather(), name="pay.yaml")
    assert not re.search(r'(src|href)="(?!#)', html)
    assert "http://" not in html
    assert "https://" not in html
    assert len(html) < 300_000


def test_words_of_the_log_are_text_and_never_markup() -> None:
    log = log_of([1e6 * at for at in range(1, 40)], [0, 1, 2] * 13, statuses=("200", "<script>alert(1)</script>", "&"))
    html = fit_page(fit_log(log), name="<b>.yaml")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<b>.yaml" not in html


def test_attempts_have_a_picture_of_their_delays() -> None:
    count = 300
    times_ns = np.repeat(np.arange(count) * 1e9, 2)
    times_ns[1::2] += 0.601e9
    request = np.repeat(np.arange(count), 2)
    log = log_of(np.full(2 * count, 0.1e9), [1, 0] * count, times_ns, request=request, attempt=[1, 2] * count)
    assert "Delays before retries" in headings(fit_page(fit_log(log), name="pay.yaml"))


@pytest.mark.parametrize(
    "log",
    [log_of([5e6]), log_of([0.0] * 30, [0] * 30, np.arange(30) * 1e9), log_of([5e6, -1], [1, 0])],
    ids=["one call", "no time at all", "a latency unknown"],
)
def test_any_log_has_a_page(log: Log) -> None:
    assert "What the log cannot tell" in headings(fit_page(fit_log(log), name="pay.yaml"))
