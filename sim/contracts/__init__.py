"""What retriers and the platform owe: invariants over a history, and the terms they are checked with.

`catalogue` lists all invariants, `retrier/` and `platform/` hold them by who owes them. May import `history`
and `kernel`.
"""

from sim.contracts.catalogue import INVARIANTS
from sim.promises.invariant import Invariant, Violation, breach, invariant
from sim.promises.promises import Promises
from sim.promises.view import View

__all__ = ["INVARIANTS", "Invariant", "Promises", "View", "Violation", "breach", "invariant"]
