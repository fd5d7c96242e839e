"""Time and chance: the clock, choices, random numbers by address, durations, the error of our own mistakes.

Knows no request, no retrier and no file. Imports nothing else of `sim`.
"""
