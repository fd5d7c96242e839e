"""Bugs in retriers of the deployment: the ports, each with a few words of its source changed."""

from inspect import getsource
from typing import Any

import pytest

from sim.retriers.base import ScheduledRetrier
from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.retriers.ports.repaired import Repaired
from sim.testing import features
from sim.testing.features import ALL
from sim.testing.strategies import scenarios

PORTS: dict[str, type[ScheduledRetrier]] = {
    "article": Article,
    "helpers": Helpers,
    "component": Component,
    "component-repaired": Repaired,
}
UNHARMED = tuple(name for name in ALL if name not in {"cancel_poll", "retention", "convex_profile", *features.ERRORS})
"""Without features that end all polling of the original ports: canceled polls, and rows collected too early."""
LATE = ("fail", "ack_lost", "script", "latency", "cancel_request", "commit_window", "lost_contact")
FAILURES = ("fail", "ack_lost", "script", "latency", "crash_before_effect")
TOGETHER = {"world": "shared", "features": ("fail", "ack_lost", "script")}
"""Requests at the same time that have nothing to do with each other."""

FAILED = "            case vocabulary.FAILED:\n"
SUCCEEDED = "                ctx.settle(Outcome.success)\n"
LEFT = '                if args["maxFailures"] <= 0:'
GAVE_UP = "                    ctx.settle(Outcome.gave_up)\n                    return\n"
ALIVE = "            case vocabulary.PENDING | vocabulary.IN_PROGRESS:\n"
DROPS = '        if run["state"]["type"] != "inProgress":\n            return\n\n        options'
CANCELS = '        self._finish_execution(ctx, {"runId": run_id, "result": {"type": "canceled"}})\n        return True'
NOT_IF_OVER = '        if run["state"]["type"] != "inProgress":\n            return\n        try:'
LOOKS = '        run = ctx.get(args["runId"])\n        if run is None:\n            return\n'
BEATS = '            ctx.run_at(start_ns, self.heartbeat, {**args, "scheduled": args["scheduled"] + 1})'
TRIES = "        try:\n            await ctx.run_action(self.action)\n"
JITTERED = 'jitter(args["retryBackoff"], ctx.uniform("action_jitter", args["failure"]))'

Change = tuple[str, str]


def before(text: str, *lines: str) -> Change:
    """Put lines before a text."""
    return text, "\n".join([*lines, text])


def after(text: str, *lines: str) -> Change:
    """Put lines after a text that ends with its line."""
    return text, text + "".join(f"{line}\n" for line in lines)


BUGS: dict[str, tuple[str, str, dict[str, Any], list[Change]]] = {
    # name: (the invariant meant for it, the port, the worlds it is hunted in, the changes)
    "helpers: schedules the action twice": (
        "no-overlapping-attempts",
        "helpers",
        {},
        [
            (
                "                new_job = ctx",
                "                ctx.run_after(0, self.action)\n                new_job = ctx",
            )
        ],
    ),
    "helpers: goes on looking after success": (
        "settles-once",
        "helpers",
        {"features": FAILURES},
        [
            after(
                SUCCEEDED,
                '                if args["poll"] < 20:',
                '                    ctx.run_after(10, self.retry, {**args, "job": job, "poll": args["poll"] + 1})',
            )
        ],
    ),
    "helpers: one more attempt after giving up": (
        "no-attempt-after-settled",
        "helpers",
        {},
        [(GAVE_UP, f"                    ctx.run_after(1, self.action)\n{GAVE_UP}")],
    ),
    "helpers: gives up, looks once more, and succeeds": (
        "result-never-changes",
        "helpers",
        {"features": UNHARMED},
        [(GAVE_UP, GAVE_UP.replace("return", 'if args["maxFailures"] < 0:\n                        return'))],
    ),
    "helpers: backoff grows before its first use": (
        "delays-in-law",
        "helpers",
        {},
        [(JITTERED, JITTERED.replace('args["retryBackoff"]', 'args["retryBackoff"] * args["base"]'))],
    ),
    "helpers: backs off before the first attempt": (
        "first-attempt-in-law",
        "helpers",
        {},
        [("job = ctx.run_after(0, self.action)", 'job = ctx.run_after(args["retryBackoff"], self.action)')],
    ),
    "helpers: jitter twice": (
        "delays-in-law",
        "helpers",
        {},
        [(JITTERED, f'jitter({JITTERED}, ctx.uniform("again", args["failure"]))')],
    ),
    "helpers: does not come back to a running job": (
        "settles",
        "helpers",
        {"features": UNHARMED},
        [(ALIVE, f'            case "inProgress":\n                return\n{ALIVE}')],
    ),
    "helpers: never counts a failure": (
        "attempts-within-budget",
        "helpers",
        {},
        [('args["maxFailures"] - 1', 'args["maxFailures"]')],
    ),
    "helpers: one attempt too many": (
        "attempts-within-budget",
        "helpers",
        {},
        [('args["maxFailures"] <= 0', 'args["maxFailures"] < 0')],
    ),
    "helpers: one attempt too few": (
        "budget-used",
        "helpers",
        {},
        [('args["maxFailures"] <= 0', 'args["maxFailures"] <= 1')],
    ),
    "helpers: takes a success for a failure": (
        "no-retry-after-success",
        "helpers",
        {},
        [(FAILED, '            case "failed" | "success" if args["poll"] < 9:\n')],
    ),
    "helpers: one budget for all requests": (
        "no-leak",
        "helpers",
        TOGETHER,
        [
            (
                LEFT,
                (
                    '                self.failed = getattr(self, "failed", 0) + 1\n'
                    '                if self.failed > args["maxFailures"]:'
                ),
            )
        ],
    ),
    "helpers: jitter from one counter for all requests": (
        "no-leak",
        "helpers",
        TOGETHER,
        [
            before(
                '        job = args.get("job")\n',
                "        self.polls = getattr(self, 'polls', 0) + 1",
                "        args = {**args, 'poll': self.polls}",
            )
        ],
    ),
    "helpers: jitter drawn at one address for all failures": (
        "draws-are-fresh",
        "helpers",
        {"always": ("fail",)},
        [('ctx.uniform("action_jitter", args["failure"])', 'ctx.uniform("action_jitter", 0)')],
    ),
    "helpers: gives up one look late": (
        "ends-acted-on",
        "helpers",
        {},
        [
            before(
                LEFT,
                '                if args["maxFailures"] <= 0 and "last" not in args:',
                '                    ctx.run_after(args["waitBackoff"], self.retry, {**args, "last": True})',
                "                    return",
            )
        ],
    ),
    "article: takes a canceled job for a failed one": (
        "cancel-obeyed",
        "article",
        # Nothing fails, so that there is something to cancel.
        {"features": ("latency", "effect_at", "mutation_latency"), "always": ("cancel_request",)},
        [
            (FAILED, '            case "failed" | "canceled":\n'),
            ("            case vocabulary.CANCELED:\n                ctx.settle(Outcome.canceled)\n", ""),
        ],
    ),
    "article: gives up on what still runs": (
        "newest-attempt-decides",
        "article",
        {},
        [
            (
                ALIVE,
                (
                    '            case "inProgress" if args["waitBackoff"] > 1000:\n'
                    f"                ctx.settle(Outcome.gave_up)\n{ALIVE}"
                ),
            )
        ],
    ),
    "article: stops looking when one retry is left": (
        "settles",
        "article",
        {"features": UNHARMED},
        [(FAILED, f'            case "failed" if args["maxFailures"] == 1:\n                return\n{FAILED}')],
    ),
    "article: success without looking": (
        "result-is-true",
        "article",
        {},
        [
            (
                FAILED,
                '            case "failed":\n                ctx.settle(Outcome.success)\n            case "lost":\n',
            )
        ],
    ),
    "component: forgets the callback of a canceled run": (
        "callback-comes",
        "component-repaired",
        {"features": UNHARMED},
        [
            (
                'if options["onComplete"] != "none":',
                'if options["onComplete"] != "none" and result["type"] != "canceled":',
            )
        ],
    ),
    "component: callback again for a report that comes late": (
        "callback-once",
        "component-repaired",
        {"features": LATE, "always": ("latency",)},
        [
            (
                DROPS,
                DROPS.replace(
                    "            return",
                    '            ctx.run_mutation(self.on_complete, {**args, "throws": False})\n            return',
                ),
            )
        ],
    ),
    "component: tells every callback of success": (
        "callback-once",
        "component-repaired",
        {"features": LATE},
        [('"result": result, "throws"', '"result": {"type": "success"}, "throws"')],
    ),
    "component: cancel answers true and leaves the run": (
        "cancel-obeyed",
        "component-repaired",
        {},
        [(CANCELS, "        return True")],
    ),
    "component: cancel leaves the job, and nobody looks at the run": (
        "no-attempt-after-settled",
        "component-repaired",
        {},
        [("        ctx.cancel(scheduler_id)\n", ""), (NOT_IF_OVER, "        try:")],
    ),
    "component: reports before the action has ended": (
        "result-is-true",
        "component-repaired",
        {},
        [
            (
                TRIES,
                (
                    '        answer = {**args, "result": {"type": "success"}}\n'
                    f"        await ctx.run_mutation(self.finish_execution, answer)\n{TRIES}"
                ),
            )
        ],
    ),
    "component: starts at once, whatever runAfter says": (
        "first-attempt-in-law",
        "component-repaired",
        {"always": ("options",)},
        [("        scheduler_id = ctx.run_at(start_ns, ", "        scheduler_id = ctx.run_at(ctx.now_ns, ")],
    ),
    "component: first heartbeat as soon as the first attempt": (
        "polls-in-law",
        "component-repaired",
        {},
        [("ctx.run_at(start_ns + ns_of_ms(next_heartbeat_ms), self", "ctx.run_at(start_ns, self")],
    ),
    "component: exponent off by one": (
        "delays-in-law",
        "component-repaired",
        {},
        [('power(options["base"], run["numFailures"] + 1)', 'power(options["base"], run["numFailures"] + 2)')],
    ),
    "component: heartbeats further and further apart": (
        "polls-in-law",
        "component-repaired",
        {},
        [("ctx.run_after(next_check_ms, ", 'ctx.run_after(next_check_ms * args["scheduled"] * 2, ')],
    ),
    "component: takes a running action for a dead one": (
        "no-overlapping-attempts",
        "component-repaired",
        {"always": ("latency",)},
        [
            ("case vocabulary.PENDING | vocabulary.IN_PROGRESS:", "case vocabulary.PENDING:"),
            ("case vocabulary.FAILED:", "case vocabulary.FAILED | vocabulary.IN_PROGRESS:"),
        ],
    ),
    "component: never gives up": (
        "attempts-within-budget",
        "component-repaired",
        {},
        [('run["numFailures"] < options["maxFailures"]', "True")],
    ),
    "component: settles what has settled": (
        "result-never-changes",
        "component-repaired",
        {"features": LATE},
        [(DROPS, "        options")],
    ),
    "component: stuck after the second crash": (
        "settles",
        "component-repaired",
        {"features": UNHARMED},
        [('if after["numFailures"] > before["numFailures"]:', "if False:")],
    ),
    "component: looks on after completion": (
        "looking-ends",
        "component-repaired",
        {},
        [
            after(
                LOOKS,
                '        if run["state"]["type"] != "inProgress" and args["scheduled"] < 20:',
                '            again = {**args, "scheduled": args["scheduled"] + 1}',
                "            ctx.run_after(10_000, self.heartbeat, again)",
            )
        ],
    ),
    "component: two heartbeats after each repair": (
        "looks-one-by-one",
        "component-repaired",
        {},
        [(BEATS, f"{BEATS}\n{BEATS}")],
    ),
    "component: leaves the error of the action to the heartbeat": (
        "errors-taken",
        "component-repaired",
        {"always": ("fail",)},
        [("except ActionFailed as error:", "except ZeroDivisionError as error:")],
    ),
    "component: cancel answers false though it cancels": (
        "cancel-obeyed",
        "component-repaired",
        {"always": ("cancel_request",)},
        [(CANCELS, CANCELS.replace("True", "False"))],
    ),
    "component: takes the report of an attempt given up": (
        "newest-attempt-decides",
        "component-repaired",
        {"features": ("own_latencies", "dispatch_latency"), "always": ("lost_contact", "latency")},
        [('args.get("attempt", run["numFailures"]) == run["numFailures"]', "True")],
    ),
}


def broken(kind: str, changes: list[Change], zoo: Any) -> type[ScheduledRetrier]:
    """Return the port with its changes, each made in the class that has the text: the port or its base class."""
    port = PORTS[kind]
    own = [change for change in changes if change[0] in getsource(port)]
    inherited = [change for change in changes if change not in own]
    names = {"Component": zoo.mutated(Component, *inherited)} if inherited else {}
    made: type[ScheduledRetrier] = zoo.mutated(port, *own, **names)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught(zoo: Any, name: str) -> None:
    meant, kind, options, changes = BUGS[name]
    zoo.hunt(name, scenarios(kind, **options), meant, broken(kind, changes, zoo))


WORLDS = {f"{kind} {options}": (kind, options) for _, kind, options, _ in BUGS.values()}


@pytest.mark.parametrize("text", WORLDS)
def test_the_original_breaks_nothing_in_the_same_worlds(zoo: Any, text: str) -> None:
    kind, options = WORLDS[text]
    meant = [name for name, *where, _ in BUGS.values() if where == [kind, options]]
    zoo.spares(scenarios(kind, **options), dict.fromkeys(meant), PORTS[kind])


def test_every_planted_bug_is_in_the_report(zoo: Any) -> None:
    zoo.is_all_of(BUGS, "article", "helpers", "component")
