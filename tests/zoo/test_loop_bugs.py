"""Bugs in retriers at the client: variations of one careful loop that keeps all of its promises."""

from typing import Any

import pytest

from sim.clients import connection
from sim.clients.client import CallFailed, Client, ClientContext
from sim.clients.connection import Connection
from sim.promises.promises import Promises
from sim.retriers.base import LoopRetrier
from sim.testing.strategies import scenarios

FIRST_MS = 100
BASE = 2.0
CAP_MS = 1000
ATTEMPTS = 5
TIMEOUT_MS = 5000
DEADLINE_MS = 20_000


class Careful(LoopRetrier):
    """Exponential backoff with equal jitter and a cap, a budget, a timeout of each call, a deadline for all of it."""

    kind = "careful"

    def promises(self) -> Promises:
        def backoff_ms(failure: int) -> tuple[float, float]:
            delay_ms = FIRST_MS * BASE ** (failure - 1)
            return min(0.5 * delay_ms, CAP_MS), min(1.5 * delay_ms, CAP_MS)

        return Promises(
            attempts_at_most=ATTEMPTS,
            first_ms=(0, 0),
            backoff_ms=backoff_ms,
            deadline_ns=DEADLINE_MS * 1_000_000,
            timeout_ms=TIMEOUT_MS,
        )

    async def retry(self, call: Any, ctx: Any) -> Any:
        failures = 0
        by_ms = ctx.now_ms + DEADLINE_MS
        while True:
            try:
                answer = await call(timeout_ms=min(TIMEOUT_MS, by_ms - ctx.now_ms))
            except CallFailed as error:
                failures += 1
                if failures >= ATTEMPTS:
                    raise
                if error.final:
                    raise
                wait_ms = self.wait_ms(failures, ctx.uniform("jitter", failures))
                wait_ms = max(wait_ms, error.retry_after_ms or 0)
                if ctx.now_ms + wait_ms >= by_ms:
                    raise
                await ctx.sleep(wait_ms)
            else:
                return answer

    def wait_ms(self, failure: int, uniform: float) -> float:
        return min(FIRST_MS * BASE ** (failure - 1) * (0.5 + uniform), CAP_MS)


TOGETHER = {"world": "shared", "features": ("fail", "ack_lost", "script")}
"""Requests at the same time that have nothing to do with each other."""

BACKOFF = "min(FIRST_MS * BASE ** (failure - 1) * (0.5 + uniform), CAP_MS)"
GIVES_UP = "                if failures >= ATTEMPTS:\n                    raise\n"
FAILED = "                failures += 1\n"
SLEEPS = "                await ctx.sleep(wait_ms)\n"
START = "        failures = 0\n"
RETURNS = "                return answer"
TIMEOUT = "timeout_ms=min(TIMEOUT_MS, by_ms - ctx.now_ms)"
COUNTER = """    drawn = 0

    def next_draw(self) -> int:
        self.drawn += 1
        return self.drawn

"""

Change = tuple[str, str]
BUGS: dict[str, tuple[str, dict[str, Any], list[Change]]] = {
    # name: (the invariant meant for it, the worlds it is hunted in, the changes)
    "loop: cap before jitter": (
        "delays-in-law",
        {},
        [(BACKOFF, "min(FIRST_MS * BASE ** (failure - 1), CAP_MS) * (0.5 + uniform)")],
    ),
    "loop: exponent off by one": ("delays-in-law", {}, [(BACKOFF, BACKOFF.replace("(failure - 1)", "failure"))]),
    "loop: backoff that never grows": ("delays-in-law", {}, [("self.wait_ms(failures, ", "self.wait_ms(1, ")]),
    "loop: seconds taken for milliseconds": (
        "delays-in-law",
        {},
        [(SLEEPS, SLEEPS.replace("wait_ms", "wait_ms / 1000"))],
    ),
    "loop: jitter from one counter for all requests": (
        "no-leak",
        TOGETHER,
        [
            ('ctx.uniform("jitter", failures)', 'ctx.uniform("jitter", self.next_draw())'),
            ("    def wait_ms(", f"{COUNTER}    def wait_ms("),
        ],
    ),
    "loop: one budget for all requests": (
        "no-leak",
        TOGETHER,
        [
            (FAILED, f"{FAILED}                self.failures = getattr(self, 'failures', 0) + 1\n"),
            ("failures >= ATTEMPTS", "self.failures >= ATTEMPTS"),
        ],
    ),
    "loop: budget spent by the request before": (
        "no-leak",
        {"world": "isolated"},
        [
            # What a loop keeps in itself is gone with its request; this is kept as long as the world.
            ("failures = 0", "failures = getattr(ctx._client.action, 'spent', 0)"),
            (RETURNS, f"                ctx._client.action.spent = failures\n{RETURNS}"),
        ],
    ),
    "loop: calls again after success": (
        "no-retry-after-success",
        {},
        [(RETURNS, "                return await call(timeout_ms=100)")],
    ),
    "loop: sleeps after the last attempt": (
        "no-sleep-after-last-attempt",
        {},
        [(GIVES_UP, ""), (SLEEPS, SLEEPS + GIVES_UP)],
    ),
    "loop: ignores its deadline": (
        "deadline-holds",
        {},
        [(TIMEOUT, "timeout_ms=TIMEOUT_MS"), ("ctx.now_ms + wait_ms >= by_ms", "False")],
    ),
    "loop: a call in flight outlives the deadline": ("deadline-holds", {}, [(TIMEOUT, "timeout_ms=TIMEOUT_MS")]),
    "loop: deadline counted from the last failure": (
        "deadline-holds",
        {},
        [(FAILED, f"{FAILED}                by_ms = ctx.now_ms + DEADLINE_MS\n")],
    ),
    "loop: retries a final error": (
        "no-retry-of-final-error",
        {"always": ("fail", "final")},
        [("                if error.final:\n                    raise\n", "")],
    ),
    "loop: ignores Retry-After": ("retry-after-honored", {}, [("max(wait_ms, error.retry_after_ms or 0)", "wait_ms")]),
    "loop: takes the shorter of backoff and Retry-After": (
        "retry-after-honored",
        {},
        [("max(wait_ms, error.retry_after_ms or 0)", "min(wait_ms, error.retry_after_ms or wait_ms)")],
    ),
    "loop: waits less than its law where the error asks for less": (
        "delays-in-law",
        {"always": ("fail", "retry_after")},
        [
            (
                "max(wait_ms, error.retry_after_ms or 0)",
                "wait_ms if error.retry_after_ms is None else error.retry_after_ms",
            )
        ],
    ),
    "loop: sleeps before the first attempt": (
        "first-attempt-in-law",
        {},
        [(START, f"{START}        await ctx.sleep(100)\n")],
    ),
    "loop: attempts without end": ("attempts-within-budget", {}, [("failures >= ATTEMPTS", "False")]),
    "loop: one attempt too many": ("attempts-within-budget", {}, [("failures >= ATTEMPTS", "failures > ATTEMPTS")]),
    "loop: one attempt too few": ("budget-used", {}, [("failures >= ATTEMPTS", "failures >= ATTEMPTS - 1")]),
    "loop: gives up at the first timeout": (
        "budget-used",
        {},
        [("if error.final:", "if error.final or str(error) == 'the call timed out':")],
    ),
    "loop: failure reported as success": ("result-is-true", {}, [(GIVES_UP, GIVES_UP.replace("raise", "return None"))]),
    "loop: success reported as failure": ("result-is-true", {}, [(RETURNS, "                raise CallFailed")]),
    "loop: returns the number of its failures for an answer": (
        "result-is-true",
        {"features": ("fail", "ack_lost")},
        [(RETURNS, "                return failures")],
    ),
    "loop: jitter drawn once for each request": (
        "draws-are-fresh",
        {"always": ("fail",)},
        [('ctx.uniform("jitter", failures)', 'ctx.uniform("jitter", 0)')],
    ),
    "loop: timeout ten times too long": (
        "timeouts-in-law",
        {"always": ("latency",)},
        [(TIMEOUT, TIMEOUT.replace("TIMEOUT_MS", "10 * TIMEOUT_MS"))],
    ),
    "loop: timeout in seconds": (
        "timeouts-in-law",
        {},
        [(TIMEOUT, TIMEOUT.replace("TIMEOUT_MS", "TIMEOUT_MS / 1000"))],
    ),
    "loop: waits for ever for a call that hangs": ("settles", {}, [(TIMEOUT, "timeout_ms=None")]),
}

CLIENT_BUGS: dict[str, tuple[str, dict[str, Any], tuple[Any, str, Change]]] = {
    # name: (the invariant meant for it, the worlds it is hunted in, the changed method)
    "client: a cancel does not stop the loop": (
        "cancel-obeyed",
        {"features": ("fail", "latency", "script"), "always": ("cancel_request",)},
        (Client, "cancel", ("self.stop()", "pass")),
    ),
    "client: a timeout erases the effect": (
        "effects-happen",
        {"always": ("latency",)},
        (
            Connection,
            "time_out",
            ("attempt.give_up(self.given_up_ns)", "attempt.drop_effect()"),
        ),
    ),
    "client: a timeout is the end of the attempt": (
        "attempts-end-once",
        {"always": ("latency",)},
        (Connection, "time_out", ('record("timed_out", ""', 'record("attempt_end", "died"')),
    ),
    "client: sleeps are a tenth short": (
        "clients-wait",
        {"always": ("fail",)},
        (ClientContext, "sleep", ("set_timer(awake, delay_ns)", "set_timer(awake, int(0.9 * delay_ns))")),
    ),
    "client: timeouts count from the submission": (
        "clients-wait",
        {"always": ("fail", "latency")},
        (
            Connection,
            "limit",
            (
                "ns_of_ms(timeout_ms))",
                "max(ns_of_ms(timeout_ms) - self.started_ns + self._client.request.submitted_ns, 0))",
            ),
        ),
    ),
    "client: errors name their wait in seconds": (
        "retry-after-honored",
        {"always": ("fail", "retry_after")},
        (connection, "_error", ("retry_after_ns / NS_PER_MS", "retry_after_ns / NS_PER_MS / 1000")),
    ),
    "client: final errors look like others": (
        "no-retry-of-final-error",
        {"always": ("fail", "final")},
        (connection, "_error", ("error.final = failure.final", "error.final = False")),
    ),
}


def worlds(options: dict[str, Any]) -> Any:
    return scenarios("none", **{"requests": 4, **options})


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_caught(zoo: Any, name: str) -> None:
    meant, options, changes = BUGS[name]
    zoo.hunt(name, worlds(options), meant, zoo.mutated(Careful, *changes))


@pytest.mark.parametrize("name", CLIENT_BUGS)
def test_a_bug_of_the_client_is_caught(zoo: Any, name: str) -> None:
    meant, options, place = CLIENT_BUGS[name]
    with zoo.planted(place):
        zoo.hunt(name, worlds(options), meant, Careful)


WORLDS = {str(options): options for _, options, _ in (*BUGS.values(), *CLIENT_BUGS.values())}


@pytest.mark.parametrize("text", WORLDS)
def test_the_original_breaks_nothing_in_the_same_worlds(zoo: Any, text: str) -> None:
    meant = [name for name, options, _ in (*BUGS.values(), *CLIENT_BUGS.values()) if str(options) == text]
    zoo.spares(worlds(WORLDS[text]), dict.fromkeys(meant), Careful)


OF_POLLS = {"polls-reach-low", "polls-reach-high"}
"""What a loop never shows."""


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        ("(0.5 + uniform)", set()),
        ("1", {"delays-reach-low", "delays-reach-high"}),
        ("(0.5 + uniform / 2)", {"delays-reach-high"}),
    ],
)
def test_jitter_narrower_than_its_law_never_comes_near_an_end(zoo: Any, jitter: str, expected: set[str]) -> None:
    retrier = zoo.mutated(Careful, (BACKOFF, BACKOFF.replace("(0.5 + uniform)", jitter)))
    # Without errors that name a wait, which reach further than the law.
    plain = {"always": ("fail",), "features": ("latency", "effect_at")}
    assert zoo.unseen(worlds(plain), retrier) == expected | OF_POLLS


def test_every_planted_bug_is_in_the_report(zoo: Any) -> None:
    zoo.is_all_of([*BUGS, *CLIENT_BUGS], "loop", "client")
