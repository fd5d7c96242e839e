"""Scenario files: YAML in, a frozen and fully checked `Scenario` out, every mistake with its place.

`load` is the way in; `schema` composes the options that stand beside the things they belong to. May import everything
below the engines, and of `analysis` the grammar of expectations.
"""

from sim.scenario.load import from_dict, load, parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario

__all__ = ["Scenario", "ScenarioError", "from_dict", "load", "parse"]
