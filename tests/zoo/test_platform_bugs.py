"""Bugs in the platform and in the world around it: methods with a few words of their source changed."""

from typing import Any

import pytest

from sim.contracts.catalogue import INVARIANTS
from sim.convex.calls import MutationCall
from sim.convex.commits import Commits
from sim.convex.contexts import MutationContext
from sim.convex.deployment import Deployment
from sim.convex.execution import Execution
from sim.convex.executor import Executor
from sim.convex.retention import Retention
from sim.convex.store import Store
from sim.convex.transaction import Transaction
from sim.testing.features import ALL
from sim.testing.strategies import scenarios
from sim.world import action_model
from sim.world.action_model import ActionModel
from sim.world.attempt import Attempt
from sim.world.fates import Fates

DEPLOYED = ("helpers", "component")
COUNTING = {"kind": "component", "on_complete_counts": True}
UNCANCELED = tuple(name for name in ALL if not name.startswith("cancel_"))
KEPT = tuple(name for name in ALL if name != "retention")
OVERLAPS = {"features": UNCANCELED, "always": ("commit_window",)}
STOPS = """        for execution in self.executions:
            execution.kill()
            execution.job.request.action_ns += self._clock.now_ns - execution.started_ns
        self.running.clear()
        self.unseen.clear()
"""
RESTARTS = {"always": ("restart",)}

Change = tuple[str, str]
Place = tuple[Any, str, Change]


def after(text: str, *lines: str) -> Change:
    """Put lines behind a text that ends with its line."""
    return text, text + "".join(f"{line}\n" for line in lines)


BUGS: dict[str, tuple[str, Any, dict[str, Any], list[Place]]] = {
    # name: (the invariant meant for it, the retriers and the worlds it is hunted in, the changed methods)
    "store: swallows conflicts": (
        "serializable",
        DEPLOYED,
        OVERLAPS,
        [(Store, "commit", ("self.overlaps(transaction)", "False"))],
    ),
    "store: does not see phantoms": (
        "serializable",
        COUNTING,
        {**OVERLAPS, "requests": 5},
        [(Store, "overlaps", ("transaction.ranges is not None", "False"))],
    ),
    "store: does not validate reads of jobs": (
        "serializable",
        DEPLOYED,
        OVERLAPS,
        [(Store, "overlaps", ("frozenset(transaction.reads)", "frozenset(map(str, transaction.reads))"))],
    ),
    "store: steps of jobs take no timestamp": (
        "serializable",
        DEPLOYED,
        OVERLAPS,
        [(Store, "step", ("self.last_ts = commit_ts = self.last_ts + 1", "commit_ts = self.last_ts"))],
    ),
    "store: dirty reads": (
        "serializable",
        "component",
        {"always": ("commit_window", "cancel_request")},
        [
            (
                Transaction,
                "_write",
                (
                    "self.writes[document_id] =",
                    "vars(self.store).setdefault('dirty', {})[document_id] = self.writes[document_id] =",
                ),
            ),
            (
                Transaction,
                "get",
                (
                    "self.store.document_at(document_id, self.begin_ts)",
                    "vars(self.store).get('dirty', {}).get(document_id)",
                ),
            ),
        ],
    ),
    "store: a commit that schedules loses its documents": (
        "serializable",
        "component",
        {},
        [
            (
                Store,
                "commit",
                (
                    "if writes is not None:\n            written",
                    "if writes is not None and created is None:\n            written",
                ),
            )
        ],
    ),
    "store: a refused mutation leaves its jobs behind": (
        "atomic-commits",
        DEPLOYED,
        {"always": ("commit_window",)},
        [
            (
                Commits,
                "commit",
                after(
                    "        if not self._store.commit(context, job, held=held):\n",
                    "            for new in context.created or ():",
                    "                self._store.jobs[new.id] = new",
                    "                asked = (new.asked_ns, new.state)",
                    "                self.server.record('job', request.number, new.id, new.function.name, asked)",
                    "                self.time_job(new)",
                ),
            )
        ],
    ),
    "store: writes that were rolled back stay": (
        "serializable",
        COUNTING | {"on_complete_fails": True},
        {},
        [(Transaction, "restore", ("self.writes, self.created", "_, self.created"))],
    ),
    "store: reruns draw what the refused run drew": (
        "draws-are-fresh",
        "helpers",
        {"features": ("latency", "mutation_latency", "cancel_request"), "always": ("fail", "commit_window")},
        [(MutationCall, "_begin", ("context.rerun = job.runs", "context.rerun = 0"))],
    ),
    "executor: mutations run again after a restart": (
        "mutations-exactly-once",
        DEPLOYED,
        {"features": KEPT, "always": ("restart",)},
        [
            (
                Executor,
                "boot",
                after(
                    "        rows = self._store.jobs.values()\n",
                    "        for row in rows:",
                    "            late = row.completed_ns > self._clock.now_ns - 10**9",
                    "            if row.function.kind == MUTATION and row.state == 'success' and late:",
                    "                row.state = PENDING",
                ),
            )
        ],
    ),
    "executor: actions start again after a restart": (
        "actions-at-most-once",
        DEPLOYED,
        RESTARTS,
        [
            (
                Executor,
                "boot",
                (
                    "            self._complete(job, FAILED)\n",
                    "            job.state = PENDING\n            heappush(self.waiting, (job.due_ns, job.id, job))\n",
                ),
            )
        ],
    ),
    "executor: jobs that wait are lost in a restart": (
        "nothing-left",
        DEPLOYED,
        RESTARTS,
        [(Executor, "boot", ("job.state == PENDING and job.callbacks is None", "False"))],
    ),
    "executor: actions that died are in progress for ever": (
        "nothing-left",
        DEPLOYED,
        RESTARTS,
        [(Executor, "boot", ("            self._complete(job, FAILED)\n", "            pass\n"))],
    ),
    "executor: children of canceled actions run": (
        "children-of-canceled",
        "component",
        {"features": ("script", "latency", "permanent_failure", "outage"), "always": ("cancel_action", "fail")},
        [(MutationContext, "run_at", ("if self.caller is not None and self.server.cancels_children:", "if False:"))],
    ),
    "executor: commits bear the instant of their begin": (
        "clock-monotone",
        DEPLOYED,
        {"always": ("commit_window",)},
        [(Commits, "commit", ('add((now_ns, "commit"', 'add((context.now_ns, "commit"'))],
    ),
    "executor: one slot too many": (
        "slots-respected",
        DEPLOYED,
        {"always": ("parallelism", "latency")},
        [(Executor, "_due", ("if self.free <= 0:", "if self.free < 0:"))],
    ),
    "executor: the slot of a lost action is never given back": (
        "nothing-left",
        DEPLOYED,
        {"always": ("parallelism", "lost_contact")},
        [(Executor, "lose", ("        self.release()\n", ""))],
    ),
    "executor: jobs start after half of their delay": (
        "nothing-starts-early",
        DEPLOYED,
        {},
        [(Commits, "commit", ("due_ns - now_ns if", "(due_ns - now_ns) // 2 if"))],
    ),
    "executor: actions start while the server is down": (
        "nothing-starts-early",
        DEPLOYED,
        RESTARTS,
        [
            (
                Executor,
                "_due",
                ("self.free <= 0", "self.free <= 0 and not (self.server.down and job.function.kind != MUTATION)"),
            )
        ],
    ),
    "executor: the end of a canceled action counts": (
        "legal-job-steps",
        DEPLOYED,
        {"features": KEPT, "always": ("cancel_action",)},
        [
            (Executor, "over", ("if job.state == IN_PROGRESS:", "if True:")),
            (Store, "step", ("            job.check_step(state)\n", "            pass\n")),
        ],
    ),
    "executor: a cancel misses jobs that have not started": (
        "cancel-obeyed",
        "article",
        {"features": ("latency", "effect_at", "dispatch_latency"), "always": ("cancel_request",)},
        [(MutationContext, "cancel", ("row.state not in ALIVE", "row.state != 'inProgress'"))],
    ),
    "executor: rows are collected as soon as the collector looks": (
        "rows-kept",
        DEPLOYED,
        {"always": ("retention",)},
        [(Retention, "_collect", ("jobs[0].completed_ns + retention_ns <= now_ns", "True"))],
    ),
    "executor: rows are never collected": (
        "rows-collected",
        DEPLOYED,
        {"always": ("retention", "fail")},
        [(Retention, "completed", ("if self.retention_ns is None:", "if True:"))],
    ),
    "executor: actions that died have succeeded": (
        "ends-as-attempted",
        "helpers",
        {"always": ("restart", "latency")},
        [(Executor, "boot", ("self._complete(job, FAILED)", "self._complete(job, 'success')"))],
    ),
    "executor: what is out of sight survives a restart": (
        "deaths-take-all",
        DEPLOYED,
        {"always": ("restart", "lost_contact", "latency"), "features": ("options", "own_latencies")},
        [
            (
                Executor,
                "stop",
                (
                    STOPS,
                    STOPS.replace("self.executions", "list(self.running.values())").replace(
                        "        self.unseen.clear()\n", ""
                    ),
                ),
            )
        ],
    ),
    "executor: who waited last starts first": (
        "starts-in-order",
        DEPLOYED,
        {"always": ("parallelism", "latency"), "features": ("fail", "script", "arrivals"), "requests": 6},
        [(Executor, "_due", ("(job.due_ns, job.id, job)", "(-job.due_ns, -job.id, job)"))],
    ),
    "executor: an operator's cancel does nothing": (
        "operators-cancel",
        DEPLOYED,
        {"always": ("cancel_action", "latency")},
        [(Deployment, "cancel_from_dashboard", ("if unfinished:", "if False:"))],
    ),
    "executor: the server is down twice as long": (
        "restarts-last",
        DEPLOYED,
        RESTARTS,
        [
            (
                Deployment,
                "restart",
                ("server.clock.call_after(down_ns, boot", "server.clock.call_after(2 * down_ns, boot"),
            )
        ],
    ),
    "executor: reruns wait a hundred times too long": (
        "reruns-in-law",
        DEPLOYED,
        OVERLAPS,
        [
            (
                MutationCall,
                "_conflict",
                ("self._begin_after(delay_ns)", "self._begin_after(100 * delay_ns)"),
            )
        ],
    ),
    "executor: reruns do not wait": (
        "reruns-in-law",
        DEPLOYED,
        OVERLAPS,
        [(MutationCall, "_conflict", ("self._begin_after(delay_ns)", "self._begin_after(0)"))],
    ),
    "executor: calls run again without end": (
        "reruns-in-law",
        COUNTING,
        {"features": (), "always": ("commit_window", "occ_reruns"), "requests": 8},
        [(MutationCall, "_conflict", ("self._reruns.limit is not None and", "False and"))],
    ),
    "execution: a crash is detected at once": (
        "crashes-detected",
        DEPLOYED,
        {"always": ("crash_detection", "crash_after_effect")},
        [(Execution, "die", ("server.platform.crash_detection if self.seen else 0", "0"))],
    ),
    "execution: the end of an attempt that has ended": (
        "attempts-end-once",
        "component",
        {"features": UNCANCELED, "always": ("restart", "commit_window")},
        [(Execution, "kill", ("if not attempt.ended:", "if True:"))],
    ),
    "world: no time limit": (
        "time-limit-holds",
        DEPLOYED,
        {"always": ("action_time_limit", "latency")},
        [(ActionModel, "begin", ("if deadline_ns is not None:", "if False:"))],
    ),
    "world: effects come at the end": (
        "effects-at-their-moment",
        DEPLOYED,
        {"always": ("effect_at", "latency")},
        [(ActionModel, "begin", ("end_ns if effect_at == 1.0 else round(effect_at * end_ns)", "end_ns"))],
    ),
    "world: crashes before the effect come after it": (
        "effects-at-their-moment",
        DEPLOYED,
        {"always": ("effect_at", "crash_before_effect")},
        [(ActionModel, "_unusual", ("int(moment * effect_ns), None", "int(moment * latency_ns), None"))],
    ),
    "world: outages pass by": (
        "outages-strike",
        DEPLOYED,
        {"features": ("latency", "options"), "always": ("outage", "fail")},
        [(Fates, "draw", ("weather.down(now_ns)", "0"))],
    ),
    "world: an effect comes again at the end": (
        "effects-happen",
        DEPLOYED,
        {},
        [(ActionModel, "_end", ("if attempt._effect_at_end:", "if attempt._effect_at_end or attempt.effect_done:"))],
    ),
    "world: giving up erases the effect": (
        "effects-happen",
        DEPLOYED,
        RESTARTS,
        [(Attempt, "abandon", after("        self.give_up(now_ns)\n", "        self.drop_effect()"))],
    ),
    "world: losing contact erases the effect": (
        "effects-happen",
        DEPLOYED,
        {"always": ("lost_contact",)},
        [
            (
                ActionModel,
                "_lose",
                after("        attempt.give_up(self._clock.now_ns)\n", "        attempt.drop_effect()"),
            )
        ],
    ),
    "world: duplicates without a cause": (
        "duplicates-have-causes",
        DEPLOYED,
        {},
        [(action_model, "apply_effect", ("name = cause.name", "name = APPLIED"))],
    ),
    "world: duplicates blamed on whoever makes them": (
        "duplicates-have-causes",
        DEPLOYED,
        {},
        [(action_model, "apply_effect", ("last.blame", "attempt.blame"))],
    ),
    "world: a suppressed effect renews the window": (
        "duplicates-have-causes",
        "helpers",
        {"features": ("fail", "script", "latency", "options"), "always": ("idempotency", "ack_lost")},
        [
            (
                action_model,
                "apply_effect",
                after("        request.suppressed += 1\n", "        key.applied_ns = now_ns"),
            )
        ],
    ),
    "world: a lost acknowledgement is heard": (
        "attempts-go-as-drawn",
        DEPLOYED,
        {},
        [(ActionModel, "_unusual", ("        attempt.how = THREW\n", "        attempt.how = attempt.how\n"))],
    ),
}


def worlds(kinds: Any, options: dict[str, Any]) -> Any:
    return scenarios(kinds, **{"world": "shared", **options})


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught(zoo: Any, name: str) -> None:
    meant, kinds, options, places = BUGS[name]
    with zoo.planted(*places):
        zoo.hunt(name, worlds(kinds, options), meant)


WORLDS = {f"{kinds} {options}": (kinds, options) for _, kinds, options, _ in BUGS.values()}


@pytest.mark.parametrize("text", WORLDS)
def test_the_original_breaks_nothing_in_the_same_worlds(zoo: Any, text: str) -> None:
    kinds, options = WORLDS[text]
    meant = [name for name, *where, _ in BUGS.values() if where == [kinds, options]]
    zoo.spares(worlds(kinds, options), dict.fromkeys(meant))


def test_every_planted_bug_is_in_the_report(zoo: Any) -> None:
    zoo.is_all_of(BUGS, "store", "executor", "execution", "world")


@pytest.mark.parametrize("name", BUGS)
def test_each_bug_finds_its_source_text(zoo: Any, name: str) -> None:
    with zoo.planted(*BUGS[name][-1]):
        pass


def test_each_invariant_has_a_bug_that_it_is_meant_for(zoo: Any) -> None:
    by_any_means = {word for row in zoo.means().values() for word in row.split()}
    of_others = (
        "sim.contracts.services",
        "sim.contracts.policy",
        "sim.contracts.pool",
        "sim.contracts.platform.guests",
    )  # their bugs stand apart, as do those of promises
    apart = {one.name for one in INVARIANTS if one.search.__module__.startswith(of_others)}
    promised = {"soft-deadline-holds", "retries-within-budget"}
    assert {invariant.name for invariant in INVARIANTS} - zoo.meant() - by_any_means - apart - promised == set()
