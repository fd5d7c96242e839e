"""Queues and workflow engines: the retry of a job is run later, mostly by another worker."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_CELERY: Final[dict[str, Any]] = {"library": "celery", "version": "5.7.0", "counting": "retries"}
_BULLMQ: Final[dict[str, Any]] = {
    "library": "bullmq",
    "version": "6.7.0",
    "source": "classes/backoffs.js, job.js, worker.js",
    "counting": "tries",
}
_BULLMQ_NOTE: Final = (
    "3 attempts of 1 s are an example: a job is not retried unless it says so. A stalled job is run again without "
    "counting as an attempt; that is not expressed."
)
_TASKS_DELAY: Final = {
    "let": {"e": "min(n - 1, doublings)"},
    "formula": "min(cap, base * 2 ** e * max(1, n - e))",
    "base": "100ms",
    "cap": "1h",
    "doublings": 16,
}
_TASKS_LAW: Final = "e = min(n-1, 16); min(0.1 s * 2^e * max(1, n-e), 3600 s)"
_CONVEX: Final[dict[str, Any]] = {
    "library": "Convex backend",
    "version": "August 2026",
    "counting": "retries",
    "source": "crates/convex/sync_types/src/backoff.rs, crates/common/src/knobs.rs",
}


def _full(initial: str, cap: str) -> dict[str, Any]:
    return {"exponential": {"initial": initial, "factor": 2, "cap": cap, "jitter": "full"}}


PRESETS: Final = (
    Preset(
        name="temporal-activity",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "1s", "factor": 2, "cap": "100s"}},
            "retry_after": {"obey": True, "at_most": "100s", "above": "cap"},
        },
        formula="min(1 s * 2^(n-1), 100 s), no jitter",
        counting="tries",
        library="Temporal",
        version="6805cae",
        source="common/retrypolicy/retry_policy.go, service/history/workflow/retry.go",
        notes=(
            "The default of activities; a workflow has no retry policy. Retry-After stands for `next_retry_delay`.",
            (
                "A schedule-to-close timeout gives up rather than sleep past it: "
                "`deadline: {after: ..., kind: [hard, before_sleep]}`."
            ),
        ),
    ),
    Preset(
        name="celery",
        policy={"attempts": 4, "delay": {"constant": "180s"}},
        formula="180 s",
        **_CELERY,
        source="celery/app/task.py (default_retry_delay)",
        notes=("What `self.retry()` does. A worker that is killed loses its task unless `acks_late` is set.",),
    ),
    Preset(
        name="celery-backoff",
        policy={
            "attempts": 4,
            "delay": {"formula": "floor(u * (min(cap, 1s * 2 ** (n - 1)) + 1s), 1s)", "cap": "600s"},
        },
        formula="whole s from 0 to min(2^(n-1), 600), both included",
        **_CELERY,
        source="celery/app/autoretry.py, celery/utils/time.py (get_exponential_backoff_interval)",
        notes=("`retry_backoff=True`, with the default jitter; a delay of 0 is possible.",),
    ),
    Preset(
        name="celery-redis-late-ack",
        policy={
            "attempts": 4,
            "delay": {"constant": "180s"},
            "redeliver": {"after": "1h", "from": "start", "counts": False},
        },
        formula="180 s",
        **_CELERY,
        source="celery/app/task.py; kombu 5.7.0 kombu/transport/redis.py (visibility_timeout)",
        notes=(
            (
                "`acks_late` on Redis: a task that takes longer than an hour is delivered again beside the first. "
                "That is none of its retries."
            ),
        ),
    ),
    Preset(
        name="bullmq-fixed",
        policy={"attempts": 3, "delay": {"constant": "1s"}},
        formula="1 s",
        **_BULLMQ,
        notes=(_BULLMQ_NOTE,),
    ),
    Preset(
        name="bullmq-exponential",
        policy={"attempts": 3, "delay": {"exponential": {"initial": "1s", "factor": 2, "round": "1ms"}}},
        formula="1 s * 2^(n-1) in whole ms, no cap",
        **_BULLMQ,
        notes=(_BULLMQ_NOTE,),
    ),
    Preset(
        name="bullmq-exponential-jitter",
        policy={
            "attempts": 3,
            "delay": {
                "let": {"x": "round(2 ** (n - 1) * d)"},
                "formula": "floor(u * x * j + x * (1 - j))",
                "d": "1s",
                "j": 0.5,
            },
        },
        formula="x = 1 s * 2^(n-1); x (1 - 0.5) + 0.5 U x, cut to whole ms",
        **_BULLMQ,
        notes=(_BULLMQ_NOTE,),
    ),
    Preset(
        name="sidekiq",
        policy={
            "attempts": 26,
            "delay": {"formula": "1s * ((n - 1) ** 4 + 15 + floor(u * 10 * n))"},
            "pickup": {"every": {"uniform": {"low": "2.5s", "high": "7.5s"}}, "phase": "random"},
        },
        formula="(c^4 + 15 + whole number below 10 (c+1)) s, c = n-1",
        counting="retries",
        library="Sidekiq",
        version="8.1.7",
        source="lib/sidekiq/job_retry.rb, scheduled.rb, config.rb",
        notes=(
            "The pickup is that of one process; p processes look every U(0.5, 1.5) times 5 s times p each.",
            "5.x had another jitter, a whole number below 30 times (c+1).",
        ),
    ),
    Preset(
        name="inngest",
        policy={
            "attempts": 5,
            "delay": {
                "table": {
                    "delays": ["15s", "30s", "1m", "2m", "5m", "10m", "20m", "40m", "1h", "2h"],
                    "jitter": {"plus": "30s"},
                    "floor": "1ms",
                }
            },
            "retry_after": {"obey": True},
        },
        formula="15 s, 30 s, 1, 2, 5, 10, 20, 40 min, 1 h, 2 h and so on, + U 30 s",
        counting="retries",
        library="Inngest",
        version="253303c",
        source="pkg/backoff/backoff.go, pkg/consts/consts.go, pkg/execution/queue/process.go",
        notes=(
            "The counter is of each function and each step. The jitter is drawn in whole ms, 0 to 29 999.",
            "Retry-After stands for RetryAfterError.",
        ),
    ),
    Preset(
        name="cloud-tasks",
        policy={"attempts": 100, "delay": _TASKS_DELAY},
        formula=_TASKS_LAW,
        counting="tries",
        library="Cloud Tasks",
        version="v2",
        source="google/cloud/tasks/v2/queue.proto (RetryConfig); appengine-python-standard 3.1.0 taskqueue_stub.py",
        notes=(
            (
                "Doubles, then grows linearly, then stays. The documentation leaves the number of attempts open "
                '("picked by Cloud Tasks"): 100 is ours.'
            ),
            (
                "With a `maxRetryDuration` it stops only when a try has passed both limits: `limits: all` and "
                "`deadline: {after, kind: after_attempt, from: first_call}`."
            ),
        ),
    ),
    Preset(
        name="app-engine-queue-yaml",
        policy={
            "attempts": 8,
            "deadline": {"after": "2d", "kind": "after_attempt", "from": "first_call"},
            "limits": "all",
            "delay": _TASKS_DELAY,
        },
        formula=_TASKS_LAW,
        counting="retries",
        library="App Engine queue.yaml",
        version="appengine-python-standard 3.1.0",
        source="google/appengine/api/taskqueue/taskqueue_stub.py, taskqueue_service_pb2",
        notes=(
            "`task_retry_limit: 7` and `task_age_limit: 2d` are an example; without them a task is retried for ever.",
            "It stops only when both are passed.",
        ),
    ),
    Preset(
        name="pubsub-subscription",
        policy={
            "attempts": 5,
            "delay": {"exponential": {"initial": "10s", "factor": 2, "cap": "600s"}},
            "redeliver": {"after": "10s", "from": "start"},
        },
        formula="not stated; here min(10 s * 2^(n-1), 600 s)",
        counting="deliveries",
        library="Pub/Sub",
        version="google-cloud-pubsub 2.44.0",
        source="types/pubsub.py (RetryPolicy, DeadLetterPolicy, Subscription)",
        notes=(
            "The documentation says exponential between the two bounds, best effort; the factor is ours.",
            (
                "The dead letter policy of 5 is the least and the default. Clients extend the ack deadline of 10 s by "
                "themselves: leave out `redeliver` for them."
            ),
        ),
    ),
    Preset(
        name="pubsub-publisher",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "100ms", "factor": 4, "cap": "60s", "jitter": "full"}},
            "deadline": {"after": "60s", "kind": "before_sleep"},
        },
        formula="U * min(0.1 s * 4^(n-1), 60 s)",
        counting="time only",
        library="Pub/Sub",
        version="google-cloud-pubsub 2.44.0",
        source="services/publisher/transports/base.py; google-api-core google/api_core/retry/retry_base.py",
        notes=("publish; the factor of the other calls is 1.3.",),
    ),
    Preset(
        name="convex-mutation",
        policy={"attempts": 5, "delay": _full("100ms", "2s"), "retry_on": ["conflict"]},
        formula="U * min(100 ms * 2^(n-1), 2 s)",
        **_CONVEX,
        notes=("Reruns of a mutation that a client or an action calls, after a conflict.",),
    ),
    Preset(
        name="convex-scheduled-mutation",
        policy={"attempts": "unlimited", "delay": _full("100ms", "60s"), "retry_on": ["conflict"]},
        formula="U * min(100 ms * 2^(n-1), 60 s)",
        **_CONVEX,
        notes=("Reruns of a scheduled mutation after a conflict; they end with a commit.",),
    ),
    Preset(
        name="convex-system-error",
        policy={"attempts": "unlimited", "delay": _full("500ms", "2h")},
        formula="U * min(500 ms * 2^(n-1), 2 h)",
        **_CONVEX,
        notes=("A job that an error of the system has put back.",),
    ),
    Preset(
        name="workpool-delays",
        policy={
            "attempts": 5,
            "delay": {"exponential": {"initial": "250ms", "factor": 2, "jitter": {"spread": 0.5}}},
            "due_floor": "100ms",
        },
        formula="250 ms * 2^(n-1) * (0.5 + U), the instant cut to a multiple of 100 ms",
        counting="tries",
        library="@convex-dev/workpool",
        version="0.4.16",
        source="component/complete.ts, component/shared.ts",
        notes=(
            (
                "The delays alone, for a client of its own: the retrier `workpool` is the component itself, with its "
                "loop and its slots. The instant is cut to a multiple of 100 ms, so a retry is due up to 100 ms early."
            ),
        ),
    ),
)
