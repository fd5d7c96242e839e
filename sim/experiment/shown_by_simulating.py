"""Mistakes in a scenario that only simulating it shows: weather too fine, delays that a formula makes negative."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sim.clients.policy.delay_law import NegativeDelay
from sim.scenario.mistakes.problems import Problem, ScenarioError
from sim.world.weather import WeatherTooFine

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def problems_shown_by_simulating() -> Iterator[None]:
    """Turn what the model finds wrong with its scenario into a ScenarioError."""
    try:
        yield
    except WeatherTooFine as error:
        raise ScenarioError([Problem(("action", "weather"), str(error))]) from None
    except NegativeDelay as error:
        raise ScenarioError([Problem(("retrier", *error.place.split(".")), error.reason)]) from None
