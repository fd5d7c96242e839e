"""Numbers: quantities, metrics and their intervals, tallies, histograms, and differences between cells.

May import `history` and `kernel`; knows nothing of how the records came about.
"""
