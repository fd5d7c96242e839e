"""Exit codes of the command line.

If several apply, a broken invariant comes first, then a missed expectation, then an inconclusive one.

A request that does something else when it is simulated again counts as a broken invariant: that a request depends on
scenario and seed alone is the one that every run checks.
"""

OK = 0
"""All went well."""
INTERNAL_ERROR = 1
"""The output could not be written, or retrysim itself failed."""
USAGE = 2
"""The command line is wrong."""
INVALID_SCENARIO = 3
"""The scenario, or a configuration to convert, is invalid."""
BROKEN = 4
"""An invariant is broken, or a request did something else when it was simulated again."""
CORRUPT = 5
"""A results file is damaged, or not one of retrysim's."""
INCONCLUSIVE = 98
"""The numbers cannot tell whether an expectation is met."""
MISSED = 99
"""An expectation is missed."""
INTERRUPTED = 130
"""Ctrl-C, or a signal to stop."""

OF_RULING = {"missed": MISSED, "inconclusive": INCONCLUSIVE}
"""By the value of the worst ruling on expectations or constraints."""
