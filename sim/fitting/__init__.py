"""Logs of calls read, described by laws, and written as a scenario. May import `experiment` and below."""

from sim.fitting.asked import Asked
from sim.fitting.fit import Fitted, NothingToFit, fit_log
from sim.fitting.log import Log
from sim.fitting.reading import read_log

__all__ = ["Asked", "Fitted", "Log", "NothingToFit", "fit_log", "read_log"]
