"""Experiments: from a scenario to results. May import everything but the command line.

`plan` says what is to be simulated and how much that is, `run` simulates it, `result` holds what came out, `replay`
simulates one request again with its history.
"""
