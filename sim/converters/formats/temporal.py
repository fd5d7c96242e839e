"""Temporal: RetryPolicy of activities and workflows (JSON or YAML, in camel or snake case), with their timeouts.

Facts: temporalio/api temporal/api/common/v1/message.proto; temporalio/temporal 6805cae
common/retrypolicy/retry_policy.go, service/history/workflow/retry.go, common/backoff/retry.go.

A file is a RetryPolicy, the options of an activity or a workflow, or `activities:` and `workflows:` with options by
name.
A workflow is told by a timeout of workflows or by standing below `workflows` or `workflow`; all else is an activity.
Counting: `maximum_attempts` counts tries; 0 is unlimited. Activities without a policy get the default one, workflows
none.
Answers: every failure is retried; a type of `non_retryable_error_types` is `failed.NAME` with its capitals as hyphens,
`TemporalTimeout:StartToClose` is `timed_out`.
Law: min(initial * coefficient^(n-1), maximum), no jitter; if that passes the schedule-to-close timeout it fails at
once.
Retry-After stands for `next_retry_delay`, which is capped, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sim.converters.answers import EVERY, answer_of_error, error_of_answer
from sim.converters.converted import Converted, Policy
from sim.converters.delays import exponential
from sim.converters.fields import Fields, Reading
from sim.converters.names import snake
from sim.converters.units import PROTO
from sim.converters.writing import Wanted, confirmed, json_text, put, time
from sim.kernel.durations import LONGEST_NS, NS_PER_S

if TYPE_CHECKING:
    from sim.converters.documents import Document

TITLE: Final = "Temporal"
DEADLINE_KINDS: Final = ["hard", "before_sleep"]
_OF_POLICY: Final = {"initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts"}
_OF_ACTIVITY: Final = {
    "start_to_close_timeout",
    "schedule_to_close_timeout",
    "schedule_to_start_timeout",
    "heartbeat_timeout",
}
_OF_WORKFLOW: Final = {"workflow_execution_timeout", "workflow_run_timeout", "workflow_task_timeout"}
START_TO_CLOSE: Final = "TemporalTimeout:StartToClose"
CANNOT: Final = {
    "delay": "Temporal has one law, with a cap: {exponential: {initial, factor, cap}}, no jitter",
    "retry_after": "`next_retry_delay` is always obeyed, up to maximum_interval: {obey: true, at_most, above: cap}",
    "deadline": "schedule-to-close is {after, kind: [hard, before_sleep]}",
    "retry_on": "Temporal retries every failure; timeouts of a try can be left out",
    "cases": "types that are not retried are {on: [failed.NAME], attempts: 1}",
    "budget": "Temporal has no budget of retries",
    "breaker": "Temporal has no circuit breaker",
    "hedge": "Temporal has no hedging",
    "bulkhead": "limits of workers are not part of a retry policy",
    "rate_limit": "limits of task queues are not part of a retry policy",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Tell whether it is a policy, options with a policy or a timeout, or options by name."""
    keys = {snake(key) for key in values}
    if _OF_POLICY & keys or (_OF_ACTIVITY | _OF_WORKFLOW) & keys:
        return True
    if "retry_policy" in keys:
        policy = next(value for key, value in values.items() if snake(key) == "retry_policy")
        return isinstance(policy, Mapping) and fits(policy)
    groups = [value for key, value in values.items() if snake(key) in _GROUPS]
    return any(
        isinstance(group, Mapping)
        and (fits(group) or any(isinstance(one, Mapping) and fits(one) for one in group.values()))
        for group in groups
    )


_GROUPS: Final = {
    **dict.fromkeys(("activity", "activities", "activity_options", "default_activity_options"), False),
    **dict.fromkeys(("workflow", "workflows", "workflow_options"), True),
}


def read(document: Document) -> Converted:
    """Read a policy, options, or options by name. Raises ScenarioError."""
    reading = Reading(document, TITLE)
    policies = []
    for root in reading.roots(snake):
        names = set(root.names())
        groups = [name for name in root.names() if name in _GROUPS]
        for name in groups:
            group = root.below(name)
            if group is None:
                continue
            if _is_options(group):
                policies.append(Policy(name, _options(group, is_workflow=_GROUPS[name])))
                continue
            for key in group.names():
                written = str(group.at(key)[-1])
                options = group.below(key)
                if options is not None:
                    policies.append(Policy(written, _options(options, is_workflow=_GROUPS[name])))
                elif group.is_null(key):
                    empty = Fields(reading, group.at(key), {}, snake)
                    policies.append(Policy(written, _options(empty, is_workflow=_GROUPS[name])))
        if groups:
            root.rest("it is not about retries")
        elif _OF_POLICY & names or "non_retryable_error_types" in names:
            policies.append(Policy("activity", _policy(root, None, None)))
        else:
            is_workflow = bool(_OF_WORKFLOW & names)
            policies.append(Policy("workflow" if is_workflow else "activity", _options(root, is_workflow=is_workflow)))
    return reading.converted(policies)


def _is_options(group: Fields) -> bool:
    known = {*_OF_ACTIVITY, *_OF_WORKFLOW, *_OF_POLICY, "retry_policy"}
    return not group.names() or bool(known & set(group.names()))


def _options(options: Fields, *, is_workflow: bool) -> dict[str, Any]:
    if _OF_POLICY & set(options.names()):
        return _policy(options, None, None)
    if is_workflow:
        deadline_ns = options.time("workflow_execution_timeout", PROTO, 0)
        try_ns = options.time("workflow_run_timeout", PROTO, 0)
        options.lost("workflow_task_timeout", "the steps inside a run are not modeled")
    else:
        deadline_ns = options.time("schedule_to_close_timeout", PROTO, 0)
        try_ns = options.time("start_to_close_timeout", PROTO, 0)
        options.lost("schedule_to_start_timeout", "there is no task queue in which a call waits")
        options.lost("heartbeat_timeout", "calls send no heartbeats")
    policy = options.below("retry_policy")
    options.rest("it is not about retries")
    if policy is None and is_workflow:
        tree = {"timeout": time(try_ns)} if try_ns else {}
        return {**tree, "deadline": time(deadline_ns)} if deadline_ns else tree
    return _policy(policy or Fields(options.reading, options.path, {}, snake), deadline_ns, try_ns)


def _policy(policy: Fields, deadline_ns: int | None, try_ns: int | None) -> dict[str, Any]:
    initial_ns = policy.time("initial_interval", PROTO, NS_PER_S, above=True)
    factor = policy.number("backoff_coefficient", 2, least=1)
    cap_ns = policy.time("maximum_interval", PROTO, min(100 * initial_ns, LONGEST_NS))
    cap_ns = cap_ns or min(100 * initial_ns, LONGEST_NS)
    if cap_ns < initial_ns:
        policy.wrong("maximum_interval", "must not be less than the initial interval")
    tries = policy.whole("maximum_attempts", 0)
    cases, retry_on = _not_retried(policy)
    policy.rest("Temporal knows no such key of a retry policy")
    tree: dict[str, Any] = {
        "attempts": tries or "unlimited",
        "delay": exponential(initial_ns, factor, cap_ns),
        **({"timeout": time(try_ns)} if try_ns else {}),
        **({"deadline": {"after": time(deadline_ns), "kind": DEADLINE_KINDS}} if deadline_ns else {}),
        "retry_on": retry_on,
        "retry_after": {"obey": True, "at_most": time(cap_ns), "above": "cap"},
    }
    return {**tree, "cases": cases} if cases else tree


def _not_retried(policy: Fields) -> tuple[list[dict[str, Any]], list[str]]:
    kinds, retry_on = [], list(EVERY)
    for name in policy.texts("non_retryable_error_types"):
        answer = answer_of_error(name)
        if name == START_TO_CLOSE:
            retry_on.remove("timed_out") if "timed_out" in retry_on else None
        elif name.startswith("TemporalTimeout:"):
            policy.note("non_retryable_error_types", f"'{name}': calls have no such timeout")
        elif answer is None or error_of_answer(answer) != name:
            shown = f"; it is carried over as {answer}" if answer else ""
            policy.note("non_retryable_error_types", f"'{name}' cannot be told from the name of a kind again{shown}")
            kinds += [answer] if answer else []
        else:
            kinds.append(answer)
    kinds = list(dict.fromkeys(kinds))
    return ([{"on": kinds, "attempts": 1}] if kinds else []), retry_on


def write(policy: Mapping[str, Any]) -> str:
    """Write a policy as options of an activity; one of a single try as options of a workflow. Raises CannotWrite."""
    wanted = Wanted(policy)
    law = wanted.law("exponential")
    is_workflow = not law and wanted.attempts == 1
    first, second = (
        ("workflowExecutionTimeout", "workflowRunTimeout")
        if is_workflow
        else (
            "scheduleToCloseTimeout",
            "startToCloseTimeout",
        )
    )
    options: dict[str, Any] = {}
    if (deadline_ns := wanted.deadline_ns()) is not None:
        options[first] = put(PROTO, ("deadline",), deadline_ns)
    if (try_ns := wanted.ns("timeout")) is not None:
        options[second] = put(PROTO, ("timeout",), try_ns)
    if not is_workflow:
        names = [START_TO_CLOSE] if "timed_out" not in wanted.retry_on else []
        cases = wanted.get("cases")
        for case in cases if isinstance(cases, list) else []:
            names += [name for name in map(error_of_answer, case.get("on", ())) if name]
        retry = {
            "initialInterval": put(PROTO, ("delay",), wanted.ns("delay", "exponential", "initial") or NS_PER_S),
            "backoffCoefficient": law.get("factor", 2),
            "maximumInterval": put(PROTO, ("delay",), wanted.ns("delay", "exponential", "cap") or 100 * NS_PER_S),
            "maximumAttempts": wanted.attempts or 0,
            **({"nonRetryableErrorTypes": names} if names else {}),
        }
        options["retryPolicy"] = retry
    return confirmed(wanted, json_text({"workflow" if is_workflow else "activity": options}), read, TITLE, CANNOT)
