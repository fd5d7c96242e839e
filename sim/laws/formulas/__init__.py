"""Formulas of delays: one line of arithmetic, read by a whitelist, with the same bits for one value and many.

A formula counts in milliseconds, as binary64 numbers. `parse` reads it, `sim.laws.formulas.machine` evaluates it, and
`sim.laws.formulas.ranges` says between which numbers its values lie. May import `options` and below.
"""

from sim.laws.formulas.parser import FormulaError, parse
from sim.laws.formulas.tree import Tree

__all__ = ["FormulaError", "Tree", "parse"]
