"""For tests: the pytest plugin, Hypothesis strategies for scenarios and courses, and the replay of recordings.

May import all of `sim` but the command line.
"""
