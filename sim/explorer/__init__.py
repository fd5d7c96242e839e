"""A small world searched for courses of events that break something. May import `experiment` and below."""

from sim.explorer.explore import Explored, explore
from sim.explorer.play import CourseMisfit, Played, play
from sim.explorer.repeats import NotRepeatable
from sim.scenario.parts.course import Bounds

__all__ = ["Bounds", "CourseMisfit", "Explored", "NotRepeatable", "Played", "explore", "play"]
