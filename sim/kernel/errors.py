"""The error that is always our own mistake; what the model does is a value, what the user got wrong a ScenarioError."""


class BrokenInvariant(Exception):  # named for what it is
    """The simulator contradicts itself. Please report it, with the command that shows it."""
