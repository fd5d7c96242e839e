"""AWS: its SDKs before and after the change of 2026, the backoffs of its blog, and services that retry on their own."""

from __future__ import annotations

from typing import Any, Final

from sim.retriers.presets.preset import Preset

_QUOTA: Final[dict[str, Any]] = {
    "capacity": 500,
    "on_success": {"clean": 1, "retried": "last_cost"},
    "allows": "at_least_cost",
    "charges": "on_retry",
}
_QUOTA_2026: Final = {"tokens": {**_QUOTA, "cost": {"rejected": 5, "failed.throttled": 5, "else": 14}}}
_HINT: Final = {"obey": True, "as": "max(d, min(hint, d + 5s))"}
_THROTTLED: Final = ["rejected", "failed.throttled"]
_STANDARD: Final = "botocore/retries/standard.py, botocore/retries/quota.py"
_LONG_POLLS: Final = (
    "With an empty quota, long polls (SQS ReceiveMessage, SFN GetActivityTask and others) sleep the delay before they "
    "fail: `empty: sleep` in the budget."
)
_THROTTLING: Final = "Rejections and the kind `throttled` stand for throttling errors."
_BLOG: Final = "M. Brooker, Exponential Backoff And Jitter, 2015; aws-arch-backoff-simulator src/backoff_simulator.py"
_BLOG_NOTE: Final = "The numbers are those of the blog's simulation. A client tries until it succeeds."


def _full(initial: str, cap: str | None = None, **more: str) -> dict[str, Any]:
    limits = {} if cap is None else {"cap": cap}
    return {"exponential": {"initial": initial, "factor": 2, **limits, "jitter": "full", **more}}


def _standard_2026(attempts: int, initial: str) -> dict[str, Any]:
    return {
        "attempts": attempts,
        "delay": _full(initial, "20s"),
        "cases": [{"on": _THROTTLED, "delay": _full("1s", "20s")}],
        "retry_after": _HINT,
        "budget": _QUOTA_2026,
    }


PRESETS: Final = (
    Preset(
        name="botocore-legacy",
        policy={"attempts": 5, "delay": _full("1s")},
        formula="U * 2^(n-1) s, no cap",
        counting="tries",
        library="botocore",
        version="1.44.8",
        source="botocore/retryhandler.py, botocore/data/_retry.json",
        notes=("`retry_mode = legacy`, the default up to 1.43.",),
    ),
    Preset(
        name="botocore-legacy-dynamodb",
        policy={"attempts": 10, "delay": {"exponential": {"initial": "50ms", "factor": 2}}},
        formula="0.05 * 2^(n-1) s, no cap and no jitter",
        counting="tries",
        library="botocore",
        version="1.44.8",
        source="botocore/retryhandler.py, botocore/data/_retry.json (dynamodb)",
    ),
    Preset(
        name="botocore-standard-1.43",
        policy={
            "attempts": 3,
            "delay": _full("1s", "20s"),
            "budget": {"tokens": {**_QUOTA, "cost": {"timed_out": 10, "else": 5}}},
        },
        formula="U * min(2^(n-1), 20) s",
        counting="tries",
        library="botocore",
        version="1.43.127",
        source=_STANDARD,
        notes=("The law up to 1.43; DynamoDB has no law of its own here. The quota is the client's.",),
    ),
    Preset(
        name="botocore-standard-1.44",
        policy=_standard_2026(3, "50ms"),
        formula="U * min(0.05 * 2^(n-1), 20) s, throttled U * min(2^(n-1), 20) s",
        counting="tries",
        library="botocore",
        version="1.44.8",
        source=_STANDARD,
        notes=("The default mode since 1.44.0.", _THROTTLING, _LONG_POLLS),
    ),
    Preset(
        name="botocore-standard-1.44-dynamodb",
        policy=_standard_2026(4, "25ms"),
        formula="U * min(0.025 * 2^(n-1), 20) s, throttled U * min(2^(n-1), 20) s",
        counting="tries",
        library="botocore",
        version="1.44.8",
        source=_STANDARD,
        notes=("DynamoDB and its streams.", _THROTTLING),
    ),
    Preset(
        name="botocore-adaptive-1.44",
        policy=_standard_2026(3, "50ms"),
        formula="as botocore-standard-1.44",
        counting="tries",
        library="botocore",
        version="1.44.8",
        source=f"{_STANDARD}, botocore/retries/adaptive.py, botocore/retries/throttling.py",
        notes=(
            (
                "Only the part that it shares with the standard mode. Not expressed: the client's own rate of sending, "
                "which falls to 0.7 of itself at a throttled answer and grows again by a cubic law."
            ),
            _THROTTLING,
        ),
    ),
    Preset(
        name="aws-sdk-js-standard",
        policy={
            "attempts": 3,
            "delay": _full("50ms", "20s", floor="1ms"),
            "cases": [
                {
                    "on": _THROTTLED,
                    "delay": _full("1s", "20s", floor="1ms"),
                }
            ],
            "retry_after": _HINT,
            "budget": _QUOTA_2026,
        },
        formula="whole ms below min(50 * 2^(n-1), 20 000) ms, throttled min(1000 * 2^(n-1), 20 000) ms",
        counting="tries",
        library="@smithy/core",
        version="3.41.1",
        source="submodules/retry/util-retry/StandardRetryStrategy.js, DefaultRetryBackoffStrategy.js",
        notes=(_THROTTLING, _LONG_POLLS),
    ),
    Preset(
        name="aws-no-backoff",
        policy={"attempts": "unlimited"},
        formula="none",
        counting="tries",
        library="AWS blog",
        version="2015",
        source=_BLOG,
        notes=(_BLOG_NOTE,),
    ),
    Preset(
        name="aws-exponential",
        policy={"attempts": "unlimited", "delay": {"exponential": {"initial": "10ms", "factor": 2, "cap": "2s"}}},
        formula="min(2 s, 5 ms * 2^n)",
        counting="tries",
        library="AWS blog",
        version="2015",
        source=_BLOG,
        notes=(_BLOG_NOTE,),
    ),
    Preset(
        name="aws-equal-jitter",
        policy={
            "attempts": "unlimited",
            "delay": {"exponential": {"initial": "10ms", "factor": 2, "cap": "2s", "jitter": "equal"}},
        },
        formula="v = min(2 s, 5 ms * 2^n); v/2 + U v/2",
        counting="tries",
        library="AWS blog",
        version="2015",
        source=_BLOG,
        notes=(_BLOG_NOTE,),
    ),
    Preset(
        name="aws-full-jitter",
        policy={"attempts": "unlimited", "delay": _full("10ms", "2s")},
        formula="U * min(2 s, 5 ms * 2^n)",
        counting="tries",
        library="AWS blog",
        version="2015",
        source=_BLOG,
        notes=(_BLOG_NOTE,),
    ),
    Preset(
        name="aws-decorrelated-jitter",
        policy={
            "attempts": "unlimited",
            "delay": {"decorrelated": {"base": "5ms", "cap": "2s", "factor": 3, "state": "client"}},
        },
        formula="s = min(2 s, U(5 ms, 3 s')), s' the one before, 5 ms first",
        counting="tries",
        library="AWS blog",
        version="2015",
        source=_BLOG,
        notes=(_BLOG_NOTE, "The delay before is the client's. It is capped after the draw."),
    ),
    Preset(
        name="step-functions",
        policy={"attempts": 4, "delay": {"exponential": {"initial": "1s", "factor": 2}}},
        formula="1 s * 2^(n-1), no cap and no jitter",
        counting="retries",
        library="Step Functions",
        version="localstack-core 2026.3.0",
        source="services/stepfunctions/asl (an emulator); AWS CDK docs of RetryProps",
        notes=("Each retrier of the list counts for itself: write further ones as `cases` with `counter: own`.",),
    ),
    Preset(
        name="step-functions-full-jitter",
        policy={"attempts": 4, "delay": _full("1s", "60s")},
        formula="U * min(1 s * 2^(n-1), 60 s)",
        counting="retries",
        library="Step Functions",
        version="localstack-core 2026.3.0",
        source="services/stepfunctions/asl (an emulator); AWS CDK docs of RetryProps, JitterType",
        notes=("`JitterStrategy: FULL`, which is off by default; the `MaxDelaySeconds` of 60 is an example.",),
    ),
    Preset(
        name="aws-durable-functions",
        policy={"attempts": 6, "delay": _full("5s", "60s")},
        formula="U * min(5 s * 2^(n-1), 60 s)",
        counting="tries",
        library="AWS durable execution SDK",
        version="read 2026-11-27",
        source="documentation of aws-durable-execution-sdk (default retry strategy of a step)",
    ),
    Preset(
        name="lambda-async",
        policy={
            "attempts": 3,
            "delay": {"table": ["1m", "2m"]},
            "deadline": {"after": "6h", "kind": "soft"},
            "cases": [
                {
                    "on": ["rejected"],
                    "attempts": "unlimited",
                    "delay": {"exponential": {"initial": "1s", "factor": 2, "cap": "5m"}},
                    "counter": "own",
                }
            ],
        },
        formula="1 min, then 2 min; throttled: from 1 s, growing exponentially to 5 min",
        counting="retries",
        library="AWS Lambda",
        version="read 2026-11-27",
        source="Lambda Developer Guide, How Lambda handles errors and retries with asynchronous invocation",
        notes=(
            "Rejections stand for throttling and errors of the system. The guide gives no factor for them: 2 is ours.",
            "The guide says that a long queue makes the delays longer; that is not expressed.",
        ),
    ),
    Preset(
        name="eventbridge",
        policy={
            "attempts": 186,
            "delay": _full("1s", "10m"),
            "deadline": {"after": "24h", "kind": "soft"},
        },
        formula="not stated; here U * min(1 s * 2^(n-1), 10 min)",
        counting="retries",
        library="EventBridge",
        version="read 2026-11-27",
        source="EventBridge User Guide, How EventBridge retries delivering events",
        notes=(
            "The guide says 24 hours, 185 retries, exponential backoff and jitter. The law and its numbers are ours.",
        ),
    ),
    Preset(
        name="sqs",
        policy={
            "attempts": 10,
            "delay": {"constant": "30s"},
            "delay_from": "start",
            "deadline": {"after": "4d", "kind": "soft"},
            "redeliver": {"after": "30s", "from": "start"},
        },
        formula="what is left of the visibility timeout of 30 s",
        counting="deliveries",
        library="SQS",
        version="botocore 1.44.8",
        source="botocore/data/sqs (service model): VisibilityTimeout, RedrivePolicy, MessageRetentionPeriod",
        notes=(
            (
                "The visibility timeout counts from the delivery (`delay_from: start`). A consumer that sets it to 0 "
                "on failure: `delay: none`."
            ),
            "A try that takes longer is delivered again beside the first.",
        ),
    ),
)
