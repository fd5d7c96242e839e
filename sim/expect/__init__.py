"""What a scenario expects, in one grammar: expectations, conditions on differences, targets of precision.

May import `measure` and below.
"""
