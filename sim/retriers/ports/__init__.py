"""The ports of Convex's retriers, and the baseline. They do not import each other; they share only `backoff`."""

from typing import Final

PORTS: Final = {
    "article": "sim.retriers.ports.article:Article",
    "component": "sim.retriers.ports.component:Component",
    "component-repaired": "sim.retriers.ports.repaired:Repaired",
    "helpers": "sim.retriers.ports.helpers:Helpers",
    "none": "sim.retriers.ports.none:NoRetry",
    "workpool": "sim.retriers.ports.workpool.pool:Workpool",
}
"""The class of each kind, as `module:Class`: a port is imported only once a scenario names it."""
