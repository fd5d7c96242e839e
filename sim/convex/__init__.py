"""The simulated Convex deployment: its store, its scheduled functions, its executor, and the contexts of functions.

May import `world`, `laws`, `history`, `options` and `kernel`. The modules form a ladder: to read one, know only those
before it in this list.

    platform      every number of the platform, and its two profiles
    functions     mutations, actions, and how they fail
    tables        documents and their indexes
    jobs          rows of scheduled functions, and their legal steps
    footprint     what a transaction read and is going to write
    store         commits: snapshots, conflicts, versions
    transaction   reading a snapshot and buffering writes
    server        the ground of all that follows: clock, chance, numbers, history; whether the server is up
    contexts      what a query and a mutation can do
    traced        the mutation context that keeps its events
    component     the database of one component, within the transactions of the deployment
    retention     collecting the rows of completed jobs
    commits       a mutation's commit, and all that follows from it
    calls         one mutation from start to commit, with its reruns
    branches      one of several attempts that an action runs at once
    execution     one execution of an action, and what an action can do
    executor      slots, due jobs, restarts
    deployment    what clients and operators do

Facts are those of the Convex backend (crates/application/src/scheduled_jobs, crates/model/src/scheduled_jobs,
crates/common/src/knobs.rs; August 2026) unless a place names another source.
"""

from sim.convex.contexts import MutationContext
from sim.convex.functions import ActionFailed, ConflictsExhausted, Function, FunctionError, action, mutation

__all__ = ["ActionFailed", "ConflictsExhausted", "Function", "FunctionError", "MutationContext", "action", "mutation"]
