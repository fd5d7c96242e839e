"""Laws of durations: from uniform numbers to whole nanoseconds, the same bits on every machine.

May import `options` and `kernel`.
"""
