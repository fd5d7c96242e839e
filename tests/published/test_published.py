"""The numbers that others published, from the scenarios of `scenarios/published/`.

By default each scenario runs small, and is held to the same world in a few lines (`tests/support/published_worlds.py`),
also for parameters other than the published ones. `-m slow` runs all that `python benchmarks/published.py` prints.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from published_claims import (
    LAYERS,
    PUBLISHED,
    STUDIES,
    Bounded,
    Claim,
    Compared,
    Sample,
    Study,
    amplification,
    calls,
    goodput,
    last_known_ms,
    mean_of,
    recovered,
    success,
    wait_s,
)
from published_worlds import Clients, ask, contend, generator, ramp, retried_queue, simple_collapse, spike

from sim.api.run import run
from sim.scenario.load import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.results.result import Result

MOST = 4.0
"""In combined standard errors: right numbers are farther apart on one seed in fifteen thousand."""


def small(scenario: str, **settings: object) -> Result:
    """Run a published scenario with other settings, dots of keys written as `__`."""
    changes = tuple((key.replace("__", "."), str(value)) for key, value in settings.items())
    return run(load(PUBLISHED / f"{scenario}.yaml", changes))


def agree(ours: Sample, theirs: Sequence[float]) -> bool:
    """Whether the means of two samples are as near as chance brings them."""
    other = Sample(np.array(theirs, dtype=np.float64))
    combined = math.hypot(ours.error, other.error)
    return abs(ours.mean - other.mean) <= MOST * combined


# P1: clients that contend for one row.


def test_clients_that_contend_for_a_row_write_as_often_and_take_as_long_as_published() -> None:
    study = next(one for one in STUDIES if one.scenario == "backoff-and-jitter")
    compared = study.compare(small("backoff-and-jitter", replications=25))
    assert [(one.claim.what, one.claim.cell) for one in compared if abs(one.errors) > MOST] == []
    assert len(compared) == 10


def test_other_numbers_of_clients_contend_as_in_a_few_lines() -> None:
    result, rng = small("backoff-and-jitter", requests__count=15, replications=30), generator(1)
    for law in ("none", "exponential", "equal", "full", "decorrelated"):
        played = [contend(15, law, rng) for _ in range(40)]
        assert agree(calls(result[law]), [writes for writes, _ in played]), law
        assert agree(last_known_ms(result[law]), [took_ms for _, took_ms in played]), law


# P2: token buckets and breakers.


def asked(seed: int, runs: int, **what: object) -> tuple[list[float], list[float], list[float]]:
    """Play clients; returns success in percent, calls per request, and calls of each run."""
    rng = generator(seed)
    played = [ask(Clients(**what), rng) for _ in range(runs)]  # type: ignore[arg-type]  # its fields by name
    return (
        [100 * one.success for one in played],
        [one.amplification for one in played],
        [float(one.calls) for one in played],
    )


def test_strategies_succeed_and_cost_what_they_do_in_a_few_lines() -> None:
    rates = "[{from: 0s, rate: 100/s}, {from: 10s, rate: 0/s}]"
    changes = {"requests__arrivals__schedule": rates, "clients__count": 10, "services__server__outcomes__fail": 0.3}
    result = small("retry-budgets", replications=4, **changes)
    for strategy in ("three retries", "adaptive", "breaker", "none"):
        shares, each, _ = asked(
            2, 12, count=10, rate=10.0, seconds=10.0, fail=0.3, strategy=strategy, as_published=False
        )
        assert agree(success(result[strategy]), shares), strategy
        assert agree(amplification(result[strategy]), each), strategy


def test_one_request_more_of_each_client_makes_the_published_number_for_a_thousand_clients() -> None:
    of_all = {"count": 1000, "rate": 0.1, "seconds": 100.0, "fail": 0.5, "strategy": "adaptive"}
    for as_published, expected in ((True, 1.46), (False, 1.486)):
        _, each, _ = asked(3, 2, as_published=as_published, **of_all)
        assert np.mean(each) == pytest.approx(expected, abs=0.012)


# P3: open and serial clients.


def test_backoff_spares_calls_of_serial_clients_and_none_of_open_ones() -> None:
    changes = {
        "requests__arrivals__schedule": "[{from: 0s, rate: 100/s}, {from: 6s, rate: 0/s}]",
        "clients__count": 10,
        "measure__to": "6s",
        "until": "12s",
    }
    result, every = small("open-and-closed", replications=5, **changes), {"count": 10, "rate": 10.0, "seconds": 6.0}
    for cell, backoff_s, serial in (
        ("open", 0.0, False),
        ("open, backoff", 0.1, False),
        ("serial", 0.0, True),
        ("serial, backoff", 0.1, True),
    ):
        _, each, in_all = asked(4, 20, fail=0.5, backoff_s=backoff_s, serial=serial, as_published=False, **every)
        assert agree(amplification(result[cell]), each), cell
        assert agree(calls(result[cell]), in_all), cell
    assert calls(result["serial, backoff"]).mean < 0.55 * calls(result["open, backoff"]).mean


# P4: metastable collapse.

WINDOW = (55.0, 80.0, 0.5, 10.0)


def test_no_backoff_collapses_more_often_than_not_and_full_jitter_never() -> None:
    result, rng = small("metastable-collapse", replications=6), generator(5)
    assert recovered(result["full jitter"]).all()
    assert recovered(result["no backoff"]).sum() < 5
    load_of_it = spike(40.0, 80.0, 20.0, 25.0)
    jittered = [simple_collapse(load_of_it, rng, jitter=True).goodput for _ in range(6)]
    assert agree(goodput(result["full jitter"]), jittered)
    plain = [simple_collapse(load_of_it, rng, jitter=False) for _ in range(12)]
    down = [one.goodput for one in plain if one.collapses(*WINDOW)]
    kept = recovered(result["no backoff"])
    assert agree(Sample(goodput(result["no backoff"]).values[~kept]), down)


def test_a_slow_ramp_takes_both_down() -> None:
    result, rng = small("metastable-ramp", replications=2), generator(6)
    for cell, jitter in (("no backoff", False), ("full jitter", True)):
        assert not recovered(result[cell]).any()
        played = [simple_collapse(ramp(80.0, 1.6, 25.0), rng, jitter=jitter).goodput for _ in range(2)]
        assert goodput(result[cell]).mean == pytest.approx(np.mean(played), abs=0.05)


# P5: one server with a long queue.


def test_a_queue_with_retries_stays_full_as_in_a_few_lines() -> None:
    result, rng = small("queue-with-retries", replications=4), generator(7)
    for cell, tries, places in (("no retries", 1, 99), ("three retries", 4, 99), ("three retries, short queue", 4, 29)):
        played = [retried_queue(rng, tries=tries, places=places).goodput for _ in range(12)]
        assert agree(goodput(result[cell]), played), cell
    assert not recovered(result["three retries"]).any()
    assert recovered(result["three retries, short queue"]).all()


def test_the_queue_alone_is_the_textbooks() -> None:
    queue = Bounded(9.0, 5)
    changes = {"requests__arrivals__schedule__0__rate": "9/s", "services__server__queue__limit": 4}
    (cell,) = small("queue-alone", measure__to="400s", until="400s", **changes).cells
    for measure, expected in (
        (mean_of("in_flight.mean"), queue.mean),
        (mean_of("service.server.rejected.rate"), queue.shares[-1]),
        (wait_s, queue.wait_s),
    ):
        assert abs(Compared(Claim("", "", expected, 0.0, measure), measure(cell)).errors) < MOST


def test_the_closed_form_of_the_queue_is_right_for_one_place_and_for_equal_rates() -> None:
    assert Bounded(5.0, 1).shares == pytest.approx([2 / 3, 1 / 3])  # Erlang's loss formula
    assert Bounded(10.0, 4).shares == pytest.approx([0.2] * 5)
    assert Bounded(5.0, 1).wait_s == pytest.approx(0.0)


# P6: layers.


def test_three_tries_at_each_of_five_layers_are_243_calls_at_the_bottom() -> None:
    assert [one.errors for one in LAYERS.compare(LAYERS.run())] == [0.0, 0.0]


# All of it.


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: f"{study.scenario}-{len(study.settings)}")
def test_every_published_number_is_met_within_three_standard_errors(study: Study) -> None:
    compared = study.compare(study.run())
    held = [one for one in compared if not one.claim.differs]
    assert [(one.claim.what, one.claim.cell, one.errors) for one in held if abs(one.errors) > 3] == []


def test_the_documentation_has_every_command_and_every_number() -> None:
    text = (PUBLISHED.parents[1] / "docs" / "published.md").read_text("utf-8")
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in text.splitlines() if line.startswith("|")]
    for study in STUDIES:
        settings = "".join(f" --set {key}={value}" for key, value in study.settings.items())
        assert f"`retrysim run scenarios/published/{study.scenario}.yaml{settings}`" in text
        for claim in study.claims:
            note = f" ({claim.differs})" if claim.differs else ""
            assert (f"{claim.what}{note}", claim.cell, f"{claim.theirs:.6g}") in rows


def test_a_number_that_is_off_is_noticed() -> None:
    ours = Sample(np.array([1.0, 1.1, 0.9, 1.0]))
    assert Compared(Claim("", "", 1.2, 0.0, lambda _cell: ours), ours).errors < -3
    assert Compared(Claim("", "", 1.0, 0.0, lambda _cell: ours), ours).errors == 0
    assert not agree(ours, [1.5, 1.5, 1.6, 1.4])
