"""A port that is wrong by a little is seen: a test that cannot fail would be a defect.

What no recording covers is pinned elsewhere: jobs born canceled in `tests/convex/test_cancel.py`, exhausted reruns in
`test_conflicts.py`, retention and restarts in the files of these names.
"""

from collections.abc import Callable
from typing import Any

import pytest

from sim.retriers.ports.article import Article
from sim.retriers.ports.component import Component
from sim.retriers.ports.helpers import Helpers
from sim.testing.conformance import replay

Search = Callable[..., str | None]
Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("retrier", ["article", "helpers", "component"])
def test_the_ports_as_they_are_meet_all_their_recordings(retrier: str, first_difference: Search) -> None:
    assert first_difference(replay, retrier) is None


def test_a_first_backoff_off_by_one_exponent_is_seen(monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr("sim.retriers.ports.component.power", lambda base, exponent: base ** (exponent - 1))
    assert first_difference(replay, "component") is not None


@pytest.mark.parametrize("retrier", ["helpers", "component"])
def test_missing_jitter_is_seen(retrier: str, monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr(f"sim.retriers.ports.{retrier}.jitter", lambda delay_ms, _uniform: delay_ms)
    assert first_difference(replay, retrier) is not None


class SwappedDraws:
    """A context that draws the poll's number before the action's."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._poll: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def uniform(self, stream: str, index: int) -> float:
        if stream == "action_jitter":
            self._poll = self._ctx.uniform("poll_jitter", index)
        elif self._poll is not None:
            drawn, self._poll = self._poll, None
            return drawn
        return self._ctx.uniform(stream, index)


class HelpersWithSwappedDraws(Helpers):
    def _retry(self, ctx: Any, args: dict[str, Any]) -> None:
        super()._retry(SwappedDraws(ctx), args)


def test_draws_in_another_order_are_seen(monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr("sim.testing.conformance.ports.Helpers", HelpersWithSwappedDraws)
    assert first_difference(replay, "helpers") is not None


class ArticleWithFreshWaits(Article):
    """Sets the wait back for each attempt, as one might expect of it."""

    def _retry(self, ctx: Any, args: dict[str, Any]) -> None:
        status = ctx.get_job(args["job"])
        if status is not None and status.state == "failed":
            args = {**args, "waitBackoff": self.defaults["waitBackoff"]}
        super()._retry(ctx, args)


def test_a_wait_that_is_set_back_is_seen(monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr("sim.testing.conformance.ports.Article", ArticleWithFreshWaits)
    assert first_difference(replay, "article") is not None


class ArticleThatPollsFirst(Article):
    """Schedules the poll before the action."""

    def submit(self, ctx: Any) -> None:
        ctx.run_after(0, self.retry, {"job": ctx.store.jobs_created + 1, **self.defaults})
        ctx.run_after(0, self.action)


def test_a_poll_before_its_action_is_seen(monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr("sim.testing.conformance.ports.Article", ArticleThatPollsFirst)
    assert first_difference(replay, "article") is not None


class ComponentThatGoesOnLooking(Component):
    """Schedules a heartbeat after a repair too, which would mend upstream's bug."""

    def _heartbeat(self, ctx: Any, args: dict[str, Any]) -> None:
        scheduled = len(ctx.created or ())
        super()._heartbeat(ctx, args)
        if len(ctx.created or ()) > scheduled and ctx.created[-1].function is self.execute:
            ctx.run_after(10_000, self.heartbeat, args)


def test_a_mended_bug_is_seen(monkeypatch: Patch, first_difference: Search) -> None:
    monkeypatch.setattr("sim.testing.conformance.ports.Component", ComponentThatGoesOnLooking)
    assert first_difference(replay, "component") is not None
