"""`component`: the action retrier component.

Source: `@convex-dev/action-retrier` 0.3.1, `src/component/run.ts`, `src/component/public.ts`,
`src/component/crons.ts`, `src/client/index.ts`.
Handlers, their order and the names of documents' fields are upstream's. One bookkeeping argument is ours, since every
draw has an address: `scheduled` (heartbeats scheduled before).

The code differs from its documentation in this: the first backoff is `initialBackoffMs * base`, 500 ms with the
defaults, but the documentation says 250 ms (the exponent is numFailures + 1). The documentation says that heartbeats
detect crashes, but after the first repair none is scheduled again: a second crash of the same request is never noticed.
A result carries no attempt number, so a stale attempt settles a newer one. An `onComplete` that throws is logged, but
never runs again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from sim.convex.functions import ActionFailed, Function, FunctionError, action, mutation
from sim.history import vocabulary
from sim.history.vocabulary import Outcome
from sim.kernel.durations import NS_PER_MS, NS_PER_S, ns_of_ms
from sim.options.model import DurationNs, Options
from sim.promises.promises import Promises, attempts_of
from sim.promises.waits import Uniform, spread
from sim.retriers.backoff import jitter, power
from sim.retriers.base import Fields, ScheduledRetrier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.convex.contexts import MutationContext, QueryContext
    from sim.convex.execution import ActionContext
    from sim.options.model import Options as AnyOptions

HEARTBEAT_INTERVAL_MS = 10_000
BEAT_MS = Uniform(5_000, 15_000)
"""The law promised of the waits between heartbeats."""
TRANSIENT_ERROR_MESSAGE = "Transient error when executing action"
CLEANUP_MIN_AGE_MS = 7 * 24 * 60 * 60 * 1000
CLEANUP_INTERVAL_NS = 24 * 60 * 60 * NS_PER_S
MAX_CLEANUP_BATCH = 1024
OUTCOMES = {"success": Outcome.success, "failed": Outcome.gave_up, "canceled": Outcome.canceled}


class ComponentOptions(Options):
    """The options of a run, with upstream's defaults."""

    initial_backoff: Annotated[DurationNs, Field(ge=NS_PER_MS, description="Backoff before the first growth.")] = (
        250 * NS_PER_MS
    )
    base: Annotated[float, Field(ge=1, le=1000, description="Base of the exponential backoff.")] = 2.0
    max_failures: Annotated[int, Field(ge=0, le=10_000, description="Failures after which it still retries.")] = 4
    run_after: Annotated[DurationNs, Field(description="Delay before the first attempt.")] = 0
    on_complete_fails: Annotated[bool, Field(description="Whether the caller's onComplete throws.")] = False
    on_complete_counts: Annotated[
        bool, Field(description="Whether the caller's onComplete adds one to a document that all requests share.")
    ] = False
    clean_up_after: Annotated[
        DurationNs | None,
        Field(description="How long after its callback the caller deletes the run; without this option, never."),
    ] = None
    daily_cleanup: Annotated[
        bool,
        Field(
            description="Whether the cron cleanupExpiredRuns runs every 24 hours. It deletes runs that completed more "
            "than seven days ago, so it changes nothing in a world that is over before then."
        ),
    ] = False


class Component(ScheduledRetrier):
    """Keeps a run document, to which `execute` reports its end, and looks for crashes by heartbeat."""

    kind: ClassVar[str] = "component"
    stateless: ClassVar[bool] = True
    Options: ClassVar[type[AnyOptions]] = ComponentOptions
    watchers: ClassVar[tuple[str, ...]] = ("execute", "heartbeat")
    functions: ClassVar[tuple[str, ...]] = ("execute", "heartbeat", "cleanUp", "cleanupExpiredRuns")
    fields: ClassVar[Fields] = Fields(
        jobs=("schedulerId",), instants=("startTime", "completedAt"), addresses=("scheduled",)
    )
    action_jobs: ClassVar[tuple[str, ...]] = ("execute",)
    poll_jobs: ClassVar[tuple[str, ...]] = ("heartbeat",)
    tables: ClassVar[dict[str, dict[str, tuple[str, ...]]]] = {
        "runs": {"by_state": ("state.type", "state.completedAt")},
        "counters": {},
    }

    def __init__(self, options: ComponentOptions | None = None, **upstream: Any) -> None:
        """Take options, or upstream's own numbers unchecked (`onComplete`: ok, throw or none)."""
        given = ComponentOptions() if options is None else options
        super().__init__(given)
        self.run_options: dict[str, Any] = {
            "initialBackoffMs": given.initial_backoff / NS_PER_MS,
            "base": given.base,
            "maxFailures": given.max_failures,
            "runAfter": given.run_after / NS_PER_MS,
            "onComplete": "throw" if given.on_complete_fails else "ok",
            **upstream,
        }
        self.counts = given.on_complete_counts
        self.clean_up_after_ns = given.clean_up_after
        self.daily_cleanup = given.daily_cleanup
        self.execute = action("execute", self._execute)
        self.heartbeat = mutation("heartbeat", self._heartbeat, poll=True)
        self.load = mutation("load", self._load)
        self.finish_execution = mutation("finishExecution", self._finish_execution)
        self.on_complete = mutation("onComplete", self._on_complete)
        self.clean_up = mutation("cleanUp", lambda ctx, args: self.cleanup(ctx, args["runId"]))
        self.clean_up_expired_runs = mutation("cleanupExpiredRuns", self._clean_up_expired_runs)

    def promises(self) -> Promises:
        """State the budget, the laws of the delays as the code computes them, and the callback."""
        given = self.run_options
        backoff_ms = spread(given["initialBackoffMs"] * given["base"], given["base"], 0.5, 1.5)

        def polls_ms(_waits: int, failure: int) -> tuple[float, float]:
            # A heartbeat that follows a repair, if there is one, may count from the start of the retry.
            return BEAT_MS if not failure else (BEAT_MS[0], BEAT_MS[1] + backoff_ms(failure)[1])

        after_ms = None if given.get("runAt") is not None else given["runAfter"] or 0
        return Promises(
            attempts_at_most=attempts_of(given["maxFailures"]),
            first_ms=None if after_ms is None else (after_ms, after_ms),
            first_poll_ms=None if after_ms is None else Uniform(after_ms + BEAT_MS[0], after_ms + BEAT_MS[1]),
            polls_at_once=1,
            acts_on_ends=True,
            reports_ends=True,
            takes_errors=True,
            backoff_ms=backoff_ms,
            polls_ms=polls_ms,
            settled_field="completedAt",
            callback=given["onComplete"] != "none",
            action_jobs=self.action_jobs,
            poll_jobs=self.poll_jobs,
        )

    def bind(self, action: Function) -> None:
        """Take the user's action."""
        self.action = action

    def crons(self) -> Sequence[tuple[int, Function]]:
        """Upstream's `crons.ts`."""
        return ((CLEANUP_INTERVAL_NS, self.clean_up_expired_runs),) if self.daily_cleanup else ()

    # public.ts

    def submit(self, ctx: MutationContext) -> str:
        """Upstream's `start`."""
        return self._start_run(ctx, self.run_options)

    def status(self, ctx: QueryContext, run_id: str) -> dict[str, Any]:
        """Upstream's `status`; FunctionError if the run is gone."""
        state = self._load(ctx, {"runId": run_id})["state"]
        if state["type"] == "inProgress":
            return {"type": "inProgress"}
        return {"type": "completed", "result": state["result"]}

    def cancel(self, ctx: MutationContext, run_id: str) -> bool:
        """Upstream's `cancel`: returns whether there was anything to cancel."""
        run = ctx.get(run_id)
        if run is None:
            return False
        if run["state"]["type"] != "inProgress":
            return False
        scheduler_id = run["state"].get("schedulerId")
        if scheduler_id is None:
            return False
        ctx.cancel(scheduler_id)
        self._finish_execution(ctx, {"runId": run_id, "result": {"type": "canceled"}})
        return True

    def cleanup(self, ctx: MutationContext, run_id: str) -> None:
        """Upstream's `cleanup`: delete a completed run; FunctionError if it has not completed."""
        run = self._load(ctx, {"runId": run_id})
        if run["state"]["type"] != "completed":
            raise FunctionError(f"run {run_id} has not completed")
        ctx.delete(run_id)

    # run.ts

    def _start_run(self, ctx: MutationContext, options: dict[str, Any]) -> str:
        run_at_ns = options.get("runAt")
        start_ns = ctx.after_ns(options.get("runAfter") or 0) if run_at_ns is None else run_at_ns
        run: dict[str, Any] = {
            "options": options,
            "state": {"type": "inProgress", "startTime": start_ns},
            "numFailures": 0,
        }
        run_id = ctx.insert("runs", run)
        scheduler_id = ctx.run_at(start_ns, self.execute, {"runId": run_id})
        state = {"type": "inProgress", "schedulerId": scheduler_id, "startTime": start_ns}
        ctx.replace(run_id, {**run, "state": state})

        next_heartbeat_ms = jitter(HEARTBEAT_INTERVAL_MS, ctx.uniform("heartbeat", 0))
        ctx.run_at(start_ns + ns_of_ms(next_heartbeat_ms), self.heartbeat, {"runId": run_id, "scheduled": 1})
        return run_id

    async def _execute(self, ctx: ActionContext, args: dict[str, Any]) -> None:
        run = await ctx.run_query(self.load, args)
        if run["state"]["type"] == "completed":
            return
        if run["state"]["type"] != "inProgress" or run["state"].get("schedulerId") is None:
            raise FunctionError(f"invalid run state for {args['runId']}")

        try:
            await ctx.run_action(self.action)
            result = {"type": "success"}
        except ActionFailed as error:
            result = {"type": "failed", "error": str(error)}
        await ctx.run_mutation(self.finish_execution, {"runId": args["runId"], "result": result})

    def _heartbeat(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        run = ctx.get(args["runId"])
        if run is None:
            return
        state = run["state"]
        if state["type"] != "inProgress" or state.get("schedulerId") is None:
            return
        status = ctx.get_job(state["schedulerId"])
        transient = {"type": "failed", "error": TRANSIENT_ERROR_MESSAGE}

        if status is None:
            self._finish_execution(ctx, {"runId": args["runId"], "result": transient})
            return
        match status.state:
            case vocabulary.PENDING | vocabulary.IN_PROGRESS:
                next_check_ms = jitter(HEARTBEAT_INTERVAL_MS, ctx.uniform("heartbeat", args["scheduled"]))
                ctx.run_after(next_check_ms, self.heartbeat, {**args, "scheduled": args["scheduled"] + 1})
            case vocabulary.FAILED:
                self._finish_execution(ctx, {"runId": args["runId"], "result": transient})
            case vocabulary.SUCCESS:
                raise FunctionError(f"invalid scheduler state for {args['runId']}")
            case vocabulary.CANCELED:
                self._finish_execution(ctx, {"runId": args["runId"], "result": {"type": "canceled"}})

    def _load(self, ctx: QueryContext, args: dict[str, Any]) -> dict[str, Any]:
        run = ctx.get(args["runId"])
        if run is None:
            raise FunctionError(f"run {args['runId']} not found")
        return run

    def _finish_execution(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        run_id, result = args["runId"], args["result"]
        run = self._load(ctx, args)
        if run["state"]["type"] != "inProgress":
            return

        options = run["options"]
        if result["type"] == "failed" and run["numFailures"] < options["maxFailures"]:
            backoff_ms = options["initialBackoffMs"] * power(options["base"], run["numFailures"] + 1)
            next_attempt_ms = jitter(backoff_ms, ctx.uniform("backoff", run["numFailures"] + 1))
            start_ns = ctx.after_ns(next_attempt_ms)
            next_scheduler_id = ctx.run_at(start_ns, self.execute, {"runId": run_id})
            state = {**run["state"], "startTime": start_ns, "schedulerId": next_scheduler_id}
            ctx.replace(run_id, {**run, "state": state, "numFailures": run["numFailures"] + 1})
        else:
            if options["onComplete"] != "none":
                try:
                    throws = options["onComplete"] == "throw"
                    ctx.run_mutation(self.on_complete, {"runId": run_id, "result": result, "throws": throws})
                except FunctionError:
                    ctx.note("callback_lost", result["type"])
            state = {"type": "completed", "completedAt": ctx.now_ns, "result": result}
            ctx.replace(run_id, {**run, "state": state})
            ctx.settle(OUTCOMES[result["type"]], ctx.now_ns)

    def _clean_up_expired_runs(self, ctx: MutationContext, _args: dict[str, Any]) -> None:
        cutoff_ns = ctx.now_ns - CLEANUP_MIN_AGE_MS * NS_PER_MS
        expired = ctx.query("runs", "by_state", ["completed"], below=cutoff_ns, take=MAX_CLEANUP_BATCH)
        for document in expired:
            ctx.delete(document["_id"])
        if len(expired) == MAX_CLEANUP_BATCH:
            ctx.run_after(0, self.clean_up_expired_runs, {})

    # The caller's own function.

    def _on_complete(self, ctx: MutationContext, args: dict[str, Any]) -> None:
        ctx.note("callback", args["result"]["type"])
        if self.counts:
            counter = next(iter(ctx.query("counters")), None)
            if counter is None:
                ctx.insert("counters", {"completed": 1})
            else:
                ctx.patch(counter["_id"], {"completed": counter["completed"] + 1})
        if self.clean_up_after_ns is not None:
            ctx.run_after(self.clean_up_after_ns / NS_PER_MS, self.clean_up, {"runId": args["runId"]})
        if args["throws"]:
            raise FunctionError("onComplete threw")
