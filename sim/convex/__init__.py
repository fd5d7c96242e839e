"""The simulated Convex deployment: store, scheduled functions, executor and the contexts functions run against.

May import kernel only. Facts are those of the Convex backend (crates/application/src/scheduled_jobs,
crates/model/src/scheduled_jobs, crates/common/src/knobs.rs; August 2026) unless a place names another source.
"""

from sim.convex.functions import (
    ActionFailed,
    ConflictsExhausted,
    Function,
    FunctionError,
    MutationContext,
    action,
    mutation,
)

__all__ = ["ActionFailed", "ConflictsExhausted", "Function", "FunctionError", "MutationContext", "action", "mutation"]
