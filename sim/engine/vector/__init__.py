"""The vector engine: many requests of an isolated world at once, as recurrences over arrays.

It gives the same records as the event engine, bit for bit: the same numbers by address, the same arithmetic on whole
nanoseconds, the same order of events at one instant. Each port has one module. They share the draws of attempts
(`outcomes`), attempts (`attempts`), weather (`weather`) and effects (`effects`), and a dense way for requests whose
attempts are all usual (`dense`). Arrays do not keep every order of events at one instant: if such an order decides
about a request, the event engine simulates that request (`block`). May import what engines may, and the event engine.
"""

from sim.engine.vector.engine import refusal, simulate

__all__ = ["refusal", "simulate"]
