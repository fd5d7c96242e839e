"""The error that is always our own mistake.

What the model does is a value, and what the user got wrong is a `ScenarioError`.
"""


class InternalError(Exception):
    """The simulator contradicts itself. Please report it, with the command that shows it."""
