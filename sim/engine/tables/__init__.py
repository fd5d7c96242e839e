"""The tables engine: shared worlds whose retriers and services are all data, in one plain loop over a heap.

It reads the same frozen data as the event engine (the rules of policies, the options of services) and gives the same
records of requests and calls, bit for bit: numbers come by the same addresses, and things of one instant in the same
order (`timeline`). It keeps no history, hosts no code of users and composes no deployment; `refusal` says what else it
leaves to the event engine. May import what engines may, and the event engine.
"""

from sim.engine.tables.engine import refusal, simulate_replication

__all__ = ["refusal", "simulate_replication"]
