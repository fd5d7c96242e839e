"""From per-request records to numbers, verdicts, words and pictures.

Imports only `sim.kernel`; knows nothing of how the records came about.
"""
