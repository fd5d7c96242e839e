"""How files fill option models: what every model of options has in common, and the short forms files may use.

May import `kernel`.
"""

from sim.options.model import DurationNs, Options

__all__ = ["DurationNs", "Options"]
