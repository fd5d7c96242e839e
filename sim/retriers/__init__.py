"""Retriers: the two shapes (`base`), the registry of kinds, and the ports. May import `clients`, `convex` and below."""

from sim.retriers.base import Fields, LoopRetrier, ScheduledRetrier

__all__ = ["Fields", "LoopRetrier", "ScheduledRetrier"]
