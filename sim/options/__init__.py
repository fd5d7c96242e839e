"""How files fill option models: the base of these models, units, unions by one key, and short forms.

May import `kernel`.
"""

from sim.options.model import DurationNs, Options

__all__ = ["DurationNs", "Options"]
