"""The ports of Convex's retriers, and the baseline. They do not import each other; they share only `backoff`."""

from typing import Final

PORTS: Final = {
    "article": "sim.retriers.ports.article:Article",
    "component": "sim.retriers.ports.component:Component",
    "component-repaired": "sim.retriers.ports.repaired:Repaired",
    "helpers": "sim.retriers.ports.helpers:Helpers",
    "none": "sim.retriers.ports.none:NoRetry",
}
"""The class of each kind, as `module:Class`: a port is imported only once a scenario names it."""


def is_port(retrier: type) -> bool:
    """Tell whether a retrier is one of these, and not a user's own."""
    return f"{retrier.__module__}:{retrier.__qualname__}" in PORTS.values()
