"""Time and chance: the clock, the door for what is not determined, addressed draws, durations, our own errors.

Knows no request, no retrier and no file. Imports nothing else of `sim`.
"""
