"""The vector engine: many requests of an isolated world at once, as recurrences over arrays.

It gives the same records as the event engine, bit for bit: the same numbers by address, the same arithmetic on whole
nanoseconds, the same order of what happens at one instant. One module a port; what they share is what an attempt does
(`attempts`), the weather it meets (`weather`) and what its effects come to (`effects`). What an instant decides by an
order that arrays do not keep is left to the event engine, request by request (`block`). May import what engines may,
and the event engine.
"""

from sim.engine.vector.engine import refusal, simulate

__all__ = ["refusal", "simulate"]
