"""Tables in files of others: their bytes, separators and cells; cells as durations, instants and words.

Sees `kernel` only. Scenarios read single columns of such tables, `sim.fitting` reads whole logs.
"""
