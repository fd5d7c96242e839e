"""Bugs in all that fills records, keeps the store, plans and plays: which means catches each, and by what invariant.

Three means: the platform's probe, which every `--check` and `explore` runs; `--check` of a scenario that fits; and the
search of `explore` through a small world. The report is `golden/means.txt`; RETRYSIM_UPDATE_GOLDEN=1 (without parallel
workers) writes it anew. The hunts of the other modules, in generated worlds, are those of `simulate`.
"""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sim.api.check import check
from sim.clients.client import Call, CallFailed, Client, ClientContext
from sim.clients.connection import Connection
from sim.contracts.catalogue import INVARIANTS, PLATFORM
from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.contexts import MutationContext
from sim.convex.deployment import Deployment
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.jobs import IllegalStep
from sim.convex.retention import Retention
from sim.convex.server import Server
from sim.convex.store import Store
from sim.convex.transaction import Transaction
from sim.engine.planned_faults import PlannedFaults
from sim.engine.world import World
from sim.explorer import search
from sim.explorer.explore import explore
from sim.history.request import Request
from sim.kernel.errors import InternalError
from sim.retriers.base import LoopRetrier
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.scenario.load import from_dict
from sim.world import action_model, workload
from sim.world.action_model import ActionModel
from sim.world.attempt import Attempt
from sim.world.fates import Fates

REPORT = Path(__file__).parent / "golden" / "means.txt"
WIDTH = 62
SEED = 3
STATES = 150
"""States that a search sees at most."""
Change = tuple[str, str]
Place = tuple[Any, str, Change]


def after(text: str, *lines: str) -> Change:
    """Put lines behind a text that ends with its line."""
    return text, text + "".join(f"{line}\n" for line in lines)


class Patient(LoopRetrier):
    """Calls up to four times, half a second each, with a pause between."""

    kind = "patient"

    async def retry(self, call: Any, ctx: Any) -> Any:
        for failures in range(4):
            try:
                return await call(timeout_ms=500)
            except CallFailed:
                if failures == 3:
                    raise
                await ctx.sleep(100 * (1 + ctx.uniform("pause", failures)))
        return None


OUTCOMES = {
    **dict.fromkeys(("ack_lost", "crash_before_effect", "crash_after_effect", "lost_contact"), 0.1),
    "fail": 0.2,
}
ACTION = {"latency": {"exponential": {"mean": "300ms"}}, "effect_at": 0.6, "outcomes": OUTCOMES}
ALONE = {"requests": {"count": 20}, "action": ACTION}
CONVEX = {"profile": "convex", "parallelism": 6, "action_time_limit": "2s", "crash_detection": "200ms"}
TOGETHER = {
    "world": "shared",
    "requests": {"count": 16, "arrivals": {"constant": {"rate": "20/s"}}},
    "action": ACTION,
    "platform": CONVEX,
    "faults": [{"restart": {"at": ["500ms", "2s"], "down": "100ms"}}, {"system_error": {"share": 0.03}}],
    "heals_at": "20s",
}
EXACT = {"script": [{"outcome": "ack_lost", "latency": "100ms"}], "idempotency": {"window": "200ms"}}

SCENARIOS: dict[str, dict[str, Any]] = {
    "article": {**ALONE, "retrier": {"kind": "article", "max_failures": 4}},
    "helpers": {**ALONE, "retrier": {"kind": "helpers", "max_failures": 4}},
    "component": {**ALONE, "retrier": {"kind": "component-repaired", "max_failures": 4}},
    "ties": {
        "retrier": {
            "kind": "article",
            "wait_backoff": "100ms",
            "retry_backoff": "100ms",
            "base": 1.0,
            "max_failures": 2,
        },
        "requests": {"count": 1},
        "action": EXACT,
    },
    "gone rows": {
        **ALONE,
        "requests": {"count": 10},
        "retrier": {"kind": "article", "max_failures": 4},
        "platform": {"retention": "1ms", "collection_batch": 1, "collection_pause": "20ms"},
    },
    "until": {**ALONE, "retrier": {"kind": "helpers", "max_failures": 4}, "until": "600ms"},
    "shared article": {**TOGETHER, "retrier": {"kind": "article", "max_failures": 4}},
    "shared component": {**TOGETHER, "retrier": {"kind": "component-repaired", "max_failures": 4}},
    "settling": {
        **TOGETHER,
        "retrier": {"kind": "component-repaired", "max_failures": 4},
        "platform": {**CONVEX, "commit_window": {"constant": "300ms"}},
    },
    "cancels": {
        **TOGETHER,
        "retrier": "helpers",
        "faults": [],
        "cancel": {"share": 0.6, "after": {"uniform": {"low": "10ms", "high": "400ms"}}},
    },
    "client": {
        **ALONE,
        "retrier": "none",
        "cancel": {"share": 0.2, "after": {"uniform": {"low": "100ms", "high": "900ms"}}},
    },
    "limits": {
        "requests": {"count": 3},
        "action": {"latency": {"constant": "60s"}},
        "retrier": "component",
        "limits": {"polls_per_request": 2},
    },
    "window": {
        **ALONE,
        "retrier": {"kind": "helpers", "max_failures": 4},
        "action": {**ACTION, "idempotency": {"window": "10m"}},
    },
    "late ends": {
        "requests": {"count": 30},
        "retrier": "component",
        "action": {"latency": {"uniform": {"low": "5s", "high": "30s"}}, "outcomes": {"lost_contact": 0.6}},
        "platform": {"commit_window": {"constant": "4s"}},
    },
    "heals": {
        **TOGETHER,
        "retrier": {"kind": "article", "max_failures": 16},
        "faults": [{"system_error": {"share": 0.3}}],
        "heals_at": "500ms",
    },
    "one slot": {
        **TOGETHER,
        "retrier": "helpers",
        "action": {"latency": {"constant": "10ms"}},
        "faults": [],
        "platform": {"profile": "ideal", "parallelism": 1, "dispatch_latency": {"constant": "20ms"}},
        "cancel": {"share": 1.0, "after": {"constant": "30ms"}, "target": "action"},
    },
    "client waits": {**ALONE, "retrier": "none", "requests": {"count": 150}},
    "client limits": {**ALONE, "retrier": "none", "limits": {"polls_per_request": 2}},
    "script": {
        **ALONE,
        "requests": {"count": 3},
        "retrier": "component-repaired",
        "action": {"script": [{"outcome": "fail", "latency": "10ms"}, {"outcome": "success", "latency": "20ms"}]},
    },
}
"""Scenarios by their names; `client`: those of a `Patient` loop."""

SUB = """        before, settlement = self.savepoint(), self.settlement
        try:
            return function.handler(self, args)  # type: ignore[misc]  # a mutation has a handler
        except FunctionError:
            self.restore(before)
            self.settlement = settlement
            raise
"""
GAP = "            self.request.action_ns += self.server.clock.now_ns - self.started_ns\n"
STOP = "            execution.job.request.action_ns += self._clock.now_ns - execution.started_ns\n"

BUGS: dict[str, tuple[str, list[Place]]] = {
    # name: (the scenario that fits, the changed methods)
    #
    # What fills the record.
    "record: an effect is not counted": (
        "helpers",
        [(action_model, "apply_effect", ("    request.effects += 1\n", ""))],
    ),
    "record: a suppressed effect is not counted": (
        "window",
        [(action_model, "apply_effect", ("        request.suppressed += 1\n", ""))],
    ),
    "record: a duplicate counts twice": (
        "helpers",
        [(action_model, "apply_effect", ("request.duplicates[cause] += 1", "request.duplicates[cause] += 2"))],
    ),
    "record: a duplicate counts under the cause before": (
        "helpers",
        [(action_model, "apply_effect", ("request.duplicates[cause] += 1", "request.duplicates[cause - 1] += 1"))],
    ),
    "record: the first effect is the latest": (
        "helpers",
        [
            (
                action_model,
                "apply_effect",
                after("    key.last_applied = attempt\n", "    request.first_effect_ns = now_ns"),
            )
        ],
    ),
    "record: attempts of a request that settled do not count": (
        "shared component",
        [
            (
                ActionModel,
                "begin",
                (
                    "request.attempts = number = request.attempts + 1",
                    "number = request.attempts + 1; request.attempts += request.attempts == 0 or number > 2",
                ),
            )
        ],
    ),
    "record: the last attempt's end is the first one's": (
        "helpers",
        [
            (
                ActionModel,
                "_end",
                (
                    "request.last_attempt_end_ns = self._clock.now_ns",
                    "request.last_attempt_end_ns = max(request.last_attempt_end_ns, min(self._clock.now_ns, 10**8))",
                ),
            )
        ],
    ),
    "record: an attempt given up has no end": (
        "shared component",
        [(Attempt, "abandon", ("            self.request.last_attempt_end_ns = now_ns\n", ""))],
    ),
    "record: the end known is that of the commit": (
        "late ends",
        [
            (
                Request,
                "conclude",
                ("self.last_attempt_end_ns if attempt_end_ns is None else attempt_end_ns", "self.last_attempt_end_ns"),
            )
        ],
    ),
    "record: conflicts are not counted": (
        "shared component",
        [(MutationCall, "_conflict", ("        request.conflicts += 1\n", ""))],
    ),
    "record: reruns count as polls": (
        "shared component",
        [(MutationCall, "_conflict", after("        request.conflicts += 1\n", "        request.polls += 1"))],
    ),
    "record: a poll that throws does not count": (
        "gone rows",
        [
            (
                Executor,
                "_run_mutation_now",
                after("            self._complete(job, FAILED)\n", "            request.polls -= function.poll"),
            )
        ],
    ),
    "record: mutations that actions call do not count": (
        "component",
        [(Commits, "commit", ("request.mutations += 1", "request.mutations += context.caller is None"))],
    ),
    "record: actions are not counted": (
        "article",
        [(Executor, "_start_action", ("        request.actions += 1\n", ""))],
    ),
    "record: time out of sight is no time": ("helpers", [(Execution, "_end", (GAP, ""))]),
    "record: time until a death is no time": ("shared article", [(Executor, "stop", (STOP, ""))]),
    "record: action time counts from the submission": (
        "article",
        [(Executor, "over", ("execution.started_ns", "job.request.submitted_ns"))],
    ),
    "record: a client's action time counts from the submission": (
        "client",
        [(Connection, "attempt_over", ("self.started_ns", "client.request.submitted_ns"))],
    ),
    "record: a client's calls are no actions": (
        "client",
        [(Client, "begin", ("        request.actions += 1\n", ""))],
    ),
    "record: columns take each other's place": (
        "helpers",
        [
            (
                module,
                "table",
                ("map(get, part)", "map(_ATTRIBUTES['effects'] if name == 'suppressed' else get, part)"),
            )
            for module in (sys.modules["sim.api.check"], search)
        ],
    ),
    "record: settled after a limit": ("limits", [(Request, "conclude", ("if self.runaway:", "if False:"))]),
    "record: open is called stuck": (
        "until",
        [(World, "_conclude", ("request.number in open_numbers", "request.number not in open_numbers"))],
    ),
    "record: stuck is called open": (
        "gone rows",
        [(World, "_conclude", ("else Outcome.stuck\n", "else Outcome.open\n"))],
    ),
    # When a request settles.
    "settling: article says its snapshot": (
        "shared article",
        [(Article, "_retry", ("ctx.settle(Outcome.success)", "ctx.settle(Outcome.success, ctx.now_ns)"))],
    ),
    "settling: helpers gives up at its snapshot": (
        "cancels",
        [(Helpers, "_retry", ("ctx.settle(Outcome.canceled)", "ctx.settle(Outcome.canceled, ctx.now_ns)"))],
    ),
    "settling: component says its commit": (
        "settling",
        [
            (
                Component,
                "_finish_execution",
                ('ctx.settle(OUTCOMES[result["type"]], ctx.now_ns)', 'ctx.settle(OUTCOMES[result["type"]])'),
            )
        ],
    ),
    "settling: component writes when it started": (
        "component",
        [
            (
                Component,
                "_finish_execution",
                ('"completedAt": ctx.now_ns', '"completedAt": run["state"]["startTime"]'),
            )
        ],
    ),
    "settling: the record is a moment late": (
        "article",
        [(Request, "conclude", ("self.settled_ns = now_ns", "self.settled_ns = now_ns + 1"))],
    ),
    "settling: a client's conclusion is a moment late": (
        "client",
        [
            (
                Client,
                "_concluded",
                (
                    "self.request.settle(outcome, self.clock.now_ns)",
                    "self.request.settle(outcome, self.clock.now_ns + 1)",
                ),
            )
        ],
    ),
    "settling: a sub-transaction that throws settles": (
        "article",
        [(MutationContext, "run_mutation", ("            self.settlement = settlement\n", ""))],
    ),
    # The store.
    "store: write skew": (
        "article",
        [
            (
                Store,
                "overlaps",
                ("frozenset(transaction.reads)", "frozenset(transaction.reads) & frozenset(transaction.writes or ())"),
            )
        ],
    ),
    "store: lost updates": (
        "article",
        [
            (
                Store,
                "overlaps",
                ("frozenset(transaction.reads)", "frozenset(transaction.reads) - frozenset(transaction.writes or ())"),
            )
        ],
    ),
    "store: writes without validation": (
        "article",
        [
            (
                Store,
                "commit",
                (
                    "self.overlaps(transaction)",
                    "(transaction.writes is None or (job and job.state != PENDING)) and self.overlaps(transaction)",
                ),
            )
        ],
    ),
    "store: phantoms in all but one index": (
        "article",
        [(Store, "_in_ranges", ("if read_table == table", "if read_table == table and index == 'by_creation'"))],
    ),
    "store: phantoms that leave a range": (
        "article",
        [(Store, "_in_ranges", ("for document in (before, after)", "for document in (after,)"))],
    ),
    "store: point reads are forgotten": (
        "article",
        [(Transaction, "get", ("        self.reads.append(document_id)\n", ""))],
    ),
    "store: reads of jobs are forgotten": (
        "article",
        [(Transaction, "get_job", ("        self.reads.append(job_id)\n", ""))],
    ),
    "store: ranges are forgotten": (
        "article",
        [
            (
                Transaction,
                "query",
                (
                    "        self.ranges.append(Range(table, index, low, high))\n",
                    "        self.ranges.append(Range(table, index, low, low))\n",
                ),
            )
        ],
    ),
    "store: ranges with a limit end too soon": (
        "article",
        [
            (
                Transaction,
                "query",
                ("high = (*found[-1][0], TOP) if found else low", "high = found[-1][0] if found else low"),
            )
        ],
    ),
    "store: reads in a caught sub-transaction are forgotten": (
        "article",
        [
            (
                MutationContext,
                "run_mutation",
                (
                    SUB,
                    SUB.replace("before,", "kept = list(self.reads)\n        before,", 1).replace(
                        "            self.restore(before)\n",
                        "            self.restore(before)\n            self.reads = kept\n",
                    ),
                ),
            )
        ],
    ),
    "store: ranges in a caught sub-transaction are forgotten": (
        "article",
        [
            (
                MutationContext,
                "run_mutation",
                (
                    SUB,
                    SUB.replace("before,", "kept = list(self.ranges or ())\n        before,", 1).replace(
                        "            self.restore(before)\n",
                        "            self.restore(before)\n            self.ranges = kept\n",
                    ),
                ),
            )
        ],
    ),
    "store: jobs of a caught sub-transaction stay": (
        "article",
        [(Transaction, "restore", ("self.writes, self.created, self.job_states", "self.writes, _, self.job_states"))],
    ),
    "store: cancels of a caught sub-transaction stay": (
        "article",
        [(Transaction, "restore", ("self.writes, self.created, self.job_states", "self.writes, self.created, _"))],
    ),
    "store: a mutation that throws keeps its writes": (
        "article",
        [
            (
                MutationCall,
                "_begin",
                after(
                    "            self._commits.rolled_back(context, self._function.name, error)\n",
                    "            context.created = context.job_states = None",
                    "            server.store.commit(context)",
                ),
            )
        ],
    ),
    "store: a query does not see its own writes": (
        "article",
        [(Transaction, "query", ("(self.writes or {}).items()", "{}.items()"))],
    ),
    "store: own writes come last in a range": (
        "article",
        [
            (
                Transaction,
                "query",
                ("insort(found, (key, document), key=lambda entry: entry[0])", "found.append((key, document))"),
            )
        ],
    ),
    "store: a bound that is not included is": (
        "article",
        [(Transaction, "query", ("low = (*prefix, index_value(above), TOP)", "low = (*prefix, index_value(above))"))],
    ),
    "store: a bound that is included is not": (
        "article",
        [
            (
                Transaction,
                "query",
                ("high = (*prefix, index_value(at_most), TOP)", "high = (*prefix, index_value(at_most))"),
            )
        ],
    ),
    "store: a limit takes one too many": (
        "article",
        [(Transaction, "query", ("found = found[:take]", "found = found[: take + 1]"))],
    ),
    "store: a mutation commits at its snapshot": (
        "shared article",
        [
            (
                MutationCall,
                "_begin",
                ("window_ns = server.commit_delay(self._request, self._index, self._rerun)", "window_ns = 0"),
            )
        ],
    ),
    "store: reads take a timestamp": (
        "article",
        [
            (
                Store,
                "commit",
                (
                    "if created is None and job is None and states is None and writes is None:",
                    "if transaction is None:",
                ),
            )
        ],
    ),
    # Causes and effects.
    "cause: a dead attempt's effect is called late": (
        "shared component",
        [(Attempt, "abandon", ("cause if self.effect_done else Cause.timeout", "Cause.timeout"))],
    ),
    "cause: a lost attempt's own duplicate has that of the other": (
        "helpers",
        [(ActionModel, "_lose", ("attempt.give_up(self._clock.now_ns)", "attempt.given_up = False"))],
    ),
    "cause: a call given up is as good as any": (
        "client waits",
        [(Connection, "time_out", ("            attempt.blame = Cause.timeout\n", ""))],
    ),
    "effect: the window includes its end": (
        "ties",
        [
            (
                action_model,
                "apply_effect",
                ("else key.applied_ns) < window_ns", "else key.applied_ns) <= window_ns"),
            )
        ],
    ),
    "effect: its moment is rounded down": (
        "helpers",
        [(ActionModel, "begin", ("round(effect_at * end_ns)", "int(effect_at * end_ns)"))],
    ),
    # Attempts, weather, plans.
    "world: a system error spares what it strikes": (
        "heals",
        [(ActionModel, "begin", ("if strike is not None and end_ns is not None:", "if False:"))],
    ),
    "world: a script begins with its second line": (
        "script",
        [
            (
                Fates,
                "draw",
                ("script[number - 1] if number < len(script)", "script[number] if number < len(script)"),
            )
        ],
    ),
    "world: it never heals": (
        "heals",
        [(Server, "strikes", ("if self.clock.now_ns >= self.heals_at_ns:", "if False:"))],
    ),
    "world: an attempt returns a moment late": (
        "helpers",
        [(ActionModel, "begin", ("clock.set_timer(attempt, end_ns)", "clock.set_timer(attempt, end_ns + 1)"))],
    ),
    "world: requests come twice as fast": (
        "shared article",
        [
            (
                workload,
                "open_times_ns",
                ("* float(NS_PER_S) / rate)", "* float(NS_PER_S) / rate / 2)"),
            )
        ],
    ),
    "world: cancels come at half their time": (
        "cancels",
        [(World, "_start", ("self._cancel_after(number, 0, 0)", "self._cancel_after(number, 0, 0) // 50"))],
    ),
    "world: only every other restart comes": (
        "shared article",
        [(PlannedFaults, "_plan_restarts", ("for at_ns in fault.at or ():", "for at_ns in (fault.at or ())[::2]:"))],
    ),
    # Slots, put-backs, retention.
    "executor: a job put back is forgotten": (
        "shared article",
        [(Executor, "put_back", ("        self.commits.time_job(job)\n", ""))],
    ),
    "executor: a mutation that is over keeps its slot": (
        "shared article",
        [(Executor, "_mutation_over", ("        self.release()\n", ""))],
    ),
    "executor: a job canceled on its way keeps its slot": (
        "one slot",
        [(Executor, "_dispatched", ("            self.release()\n", ""))],
    ),
    "executor: a job starts without its dispatch": (
        "shared article",
        [(Executor, "_start", ("delay_ns = self.server.dispatch_delay(job.request)", "delay_ns = 0"))],
    ),
    "executor: a call survives the death of the server": (
        "shared article",
        [(MutationCall, "_lost", ("if self._epoch == self._server.epoch:", "if True:"))],
    ),
    "executor: an operator cancels the oldest job": (
        "article",
        [(Deployment, "cancel_from_dashboard", ("job = jobs[-1]", "job = jobs[0]"))],
    ),
    "retention: a batch has no end": (
        "gone rows",
        [(Retention, "_collect", ("len(batch) < platform.collection_batch", "True"))],
    ),
    "retention: no pause after a full batch": (
        "gone rows",
        [(Retention, "_collect", ("max(next_ns, pause_ns)", "next_ns"))],
    ),
    "retention: rows that completed count from before": (
        "article",
        [
            (
                Executor,
                "_complete",
                ("job.completed_ns = self._clock.now_ns", "job.completed_ns = self._clock.now_ns - 10**7"),
            )
        ],
    ),
    # Clients.
    "client: the loss of a call is not heard": (
        "client",
        [(Connection, "attempt_lost", ('self.answer.fail(CallFailed("contact with the call was lost"))', "pass"))],
    ),
    "client: an answer is heard late": (
        "client",
        [
            (
                Connection,
                "attempt_over",
                (
                    "self.answer.succeed(attempt.number)",
                    "client.clock.call_after(10**6, lambda: self.answer.succeed(attempt.number))",
                ),
            )
        ],
    ),
    "client: what has ended is given up": (
        "client",
        [(Connection, "attempt_over", ("        self.attempt = None\n", ""))],
    ),
    "client: the last call of a limit is not made": (
        "client limits",
        [
            (
                Call,
                "__call__",
                (
                    "request.attempts >= client.calls_at_most",
                    "request.attempts + 1 >= client.calls_at_most",
                ),
            )
        ],
    ),
    "client: sleeps count twice": (
        "client",
        [
            (
                ClientContext,
                "sleep",
                ("client.sleeps > client.calls_at_most", "client.sleeps > client.calls_at_most // 10**6"),
            )
        ],
    ),
}


def found_by_check(name: str) -> tuple[str, str]:
    """Return the first invariant that a check finds broken in the probe's worlds, and the first in the scenario's own.

    Those aside that the original breaks, too; an empty text if there is none.
    """
    make = Patient if name.startswith("client") else None
    scenario = from_dict({"name": "zoo", "seed": SEED, **SCENARIOS[name]})
    checked = check(scenario, retrier=make, invariants=HELD)
    assert checked.probed is not None
    usual = USUAL.get(name, ())
    own = next((broken for cell in checked.cells for broken in cell.broken if broken not in usual), "")
    return next(iter(checked.probed.broken), ""), own


def found_by_explore(name: str) -> str:
    """Return the first invariant that a short search of the same world finds broken beside those."""
    options = {key: value for key, value in SCENARIOS[name].items() if key != "faults"}
    scenario = from_dict(
        {"name": "zoo", "seed": SEED, **options, "explore": {"requests": 2, "attempts": 2, "crashes": 1}}
    )
    make = Patient if name.startswith("client") else None
    broken = explore(scenario, retrier=make, invariants=EXPLORED, states_at_most=STATES).broken
    return min((one for one in broken if one not in USUAL.get(name, ())), default="")


HELD = tuple(one for one in INVARIANTS if one.name not in {"callback-comes", "settles"})
"""Not what components and helpers break by themselves, since a history or a row can be gone."""
EXPLORED = tuple(one for one in PLATFORM if one.name != "nothing-left")
USUAL: dict[str, tuple[str, ...]] = {"cancels": ("cancel-obeyed",), "late ends": ("newest-attempt-decides",)}
"""What the original breaks in a scenario."""


STOPS = "(stops)"
"""A bug can also make the simulation fail, which is no catch of an invariant."""


def row_of(name: str) -> str:
    """Hunt a bug by each means, and return its row."""
    scenario, _ = BUGS[name]
    try:
        probed, checked = found_by_check(scenario)
    except FAILURES:
        probed = checked = STOPS
    try:
        explored = found_by_explore(scenario)
    except FAILURES:
        explored = STOPS
    return f"{name:<{WIDTH}} {probed or '-':<26} {checked or '-':<28} {explored or '-'}"


FAILURES = (AttributeError, IllegalStep, InternalError, KeyError, TypeError, IndexError)


def rows() -> dict[str, str]:
    """Return the rows of the report by the names of their bugs."""
    lines = REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []
    return {line[:WIDTH].rstrip(): line for line in lines[2:]}


def write(name: str, row: str) -> None:
    """Put a row into the report."""
    head = f"{'planted bug':<{WIDTH}} {'--check: its probe':<26} {'--check: the scenario':<28} explore"
    found = {**rows(), name: row}
    REPORT.write_text("\n".join([head, "-" * len(head), *(found[key] for key in sorted(found)), ""]), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught_as_the_report_says(zoo: Any, name: str) -> None:
    with zoo.planted(*BUGS[name][1]):
        row = row_of(name)
    if os.environ.get("RETRYSIM_UPDATE_GOLDEN") == "1":
        write(name, row)
    assert set(row[WIDTH:].split()) - {"-", STOPS}, f"no invariant catches it: {row}"
    assert rows().get(name) == row, "RETRYSIM_UPDATE_GOLDEN=1 writes the report anew"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_original_breaks_nothing_in_the_same_scenarios(name: str) -> None:
    assert (*found_by_check(name), found_by_explore(name)) == ("", "", "")


def test_the_report_has_these_bugs_and_no_others() -> None:
    assert sorted(rows()) == sorted(BUGS)
