"""The verbs of the Python API, one module each: `run`, `check`, `compare`, `replay`.

May import everything but `cli` and `testing`.
"""
