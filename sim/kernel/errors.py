"""The error that is always our own mistake.

An event of the model is a value, and a mistake of the user is a `ScenarioError`.
"""


class InternalError(Exception):
    """The simulator contradicts itself. Please report it, with the command that shows it."""
