"""Scenario files: YAML in, a frozen and fully checked `Scenario` out, every mistake with its place.

`load` is the way in; `schema` composes the options, each of which stands beside the thing that it belongs to.
"""

from sim.scenario.load import from_dict, load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

__all__ = ["Scenario", "ScenarioError", "from_dict", "load", "parse"]
