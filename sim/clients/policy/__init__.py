"""A policy as data: when to try again, how long to wait, and when to leave it.

Each part stands beside its options: delays, limits, budgets, breakers, gates, hedges. `options` is all that a scenario
writes, `rules` is that as numbers and tables, and `machine` plays it for one request. A part knows no clock, no request
and no chance: instants and answers come in, decisions go out.
"""
