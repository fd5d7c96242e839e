"""What loops share: budgets, breakers, bulkheads, rate limits and values, by scope and name."""

from contextlib import suppress
from typing import Any

import pytest

from sim.clients import Call, CallFailed, CallRefused, ClientContext
from sim.engine.world import World
from sim.history.recorder import History, Recorder
from sim.history.records import Requests
from sim.history.traffic import CallEnd, CallLog
from sim.retriers.base import LoopRetrier
from sim.scenario.load import from_dict

MS = 1_000_000


def scenario(**more: Any) -> Any:
    """Return a shared world of four requests, one each 10 ms, whose calls fail after 1 ms."""
    values = {
        "world": "shared",
        "seed": 1,
        "replications": 1,
        "retrier": "none",
        "requests": {"count": 4, "arrivals": {"constant": {"rate": "100/s"}}},
        "action": {"latency": {"constant": "1ms"}, "outcomes": {"fail": 1.0}},
    }
    return from_dict({key: value for key, value in {**values, **more}.items() if value is not None})


def played(loop: type[LoopRetrier], **more: Any) -> tuple[Requests, History, World]:
    cell = scenario(**more)
    recorder, calls = Recorder(), CallLog()
    world = World(cell, retrier=loop, recorder=recorder, calls=calls)
    rows = world.shared() if cell.world == "shared" else world.isolated(range(cell.requests.count))
    return rows, recorder.history(), world  # type: ignore[return-value]


class Budgeted(LoopRetrier):
    """Retries at most twice a request, as long as its budget of three tokens lasts."""

    scope: Any = None

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        budget = ctx.budget({"tokens": {"capacity": 3, "cost": 1}}, scope=self.scope)
        for _ in range(2):
            try:
                return await call()
            except CallFailed as error:
                budget.failed(error.kind)
                if not budget.take(error.kind):
                    raise
        return await call()


def attempts(rows: Any) -> list[int]:
    return [row.attempts for row in rows]


def test_requests_of_a_client_share_a_budget() -> None:
    rows, _, _ = played(Budgeted)
    assert attempts(rows) == [3, 2, 1, 1]


def test_a_budget_of_a_request_is_its_own() -> None:
    rows, _, _ = played(type("Own", (Budgeted,), {"scope": "request"}))
    assert attempts(rows) == [3, 3, 3, 3]


def test_each_client_has_its_own_cells() -> None:
    rows, _, _ = played(Budgeted, clients={"count": 2})
    assert attempts(rows) == [3, 3, 2, 2]


def test_clients_share_the_cells_of_the_world() -> None:
    rows, _, _ = played(type("All", (Budgeted,), {"scope": "world"}), clients={"count": 2})
    assert attempts(rows) == [3, 2, 1, 1]


def test_a_scope_can_stand_in_the_options() -> None:
    class Inside(Budgeted):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            budget = ctx.budget({"tokens": {"capacity": 1, "cost": 1, "scope": "request"}})
            while budget.take():
                pass
            return await call()

    class Seen(Inside):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            budget = ctx.budget({"tokens": {"capacity": 1, "cost": 1, "scope": "request"}})
            assert budget.level.have == 1
            return await super().retry(call, ctx)

    assert attempts(played(Seen)[0]) == [1, 1, 1, 1]


@pytest.mark.parametrize("scope", ["client", "service", "world"])
def test_requests_of_an_isolated_world_share_nothing(scope: str) -> None:
    isolated = {"world": "isolated", "requests": {"count": 4}, "replications": None}
    rows, _, _ = played(type("Alone", (Budgeted,), {"scope": scope}), **isolated)
    assert attempts(rows) == [3, 3, 3, 3]


def test_retriers_that_give_a_name_share_across_classes() -> None:
    class Named(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            shared = ctx.shared("all", "world")
            shared["calls"] = shared.get("calls", 0) + 1
            for _ in range(shared["calls"] - 1):
                with suppress(CallFailed):
                    await call()
            return await call()

    assert attempts(played(Named, clients={"count": 4})[0]) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"token": {"capacity": 3}}, "budget"),
        ({"tokens": {"capacity": -1}}, "budget: .*capacity"),
        ({"tokens": {"capacity": 3, "cost": 1}, "window": {}}, "budget"),
    ],
)
def test_wrong_options_name_the_part_and_the_reason(written: Any, message: str) -> None:
    class Wrong(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            ctx.budget(written)
            return await call()

    with pytest.raises(ValueError, match=message):
        played(Wrong)


def test_one_name_has_one_set_of_options() -> None:
    class Two(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            ctx.budget({"tokens": {"capacity": 3}})
            ctx.budget({"tokens": {"capacity": 4}})
            return await call()

    with pytest.raises(ValueError, match="a budget of scope client exists with other options; give one of them a name"):
        played(Two)


def test_an_unknown_scope_is_refused() -> None:
    class Wrong(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            ctx.shared("x", "planet")  # type: ignore[arg-type]  # the mistake of this test
            return await call()

    with pytest.raises(ValueError, match="no scope has the name 'planet'"):
        played(Wrong)


# Breakers.


class Guarded(LoopRetrier):
    """Asks a breaker that opens at the second failure in a row, and gives up if it refuses."""

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        breaker = ctx.breaker({"window": {"consecutive": 2}, "open": "15ms"})
        ticket = breaker.ask()
        if ticket is None:
            raise CallRefused(breaker.state)
        try:
            number = await call()
        except CallFailed as error:
            ticket.answered(error.kind)
            raise
        ticket.answered()
        return number


def test_an_open_breaker_refuses_and_lets_a_call_pass_after_its_time() -> None:
    rows, history, _ = played(Guarded)
    # It opens at 11 ms, is open at 20 ms, half open at 30 ms, and opens again as the call then fails.
    assert attempts(rows) == [1, 1, 0, 1]
    assert [event.state for event in history if event.kind == "breaker"] == ["open", "half_open", "open"]


def test_a_refused_call_is_in_the_history_and_in_the_traffic() -> None:
    _, history, world = played(Guarded)
    assert [(event.t_ns, event.gate) for event in history if event.kind == "refused"] == [(20 * MS, "breaker")]
    calls = world.traffic().calls
    assert [int(end) for end in calls.end].count(CallEnd.refused) == 1


def test_a_ticket_without_an_answer_is_let_go_when_the_loop_ends() -> None:
    class Forgets(LoopRetrier):
        """Takes the only place of a half-open breaker and never says how the call went."""

        async def retry(self, call: Call, ctx: ClientContext) -> int:
            options = {"window": {"consecutive": 1}, "open": "1ms", "half_open": {"calls": 1}}
            ticket = ctx.breaker(options).ask()
            if ticket is None:
                raise CallRefused("breaker")
            try:
                return await call()
            except CallFailed as error:
                if ctx.shared().get("opened") is None:
                    ctx.shared()["opened"] = True
                    ticket.answered(error.kind)
                raise

    # The second takes the place and gives it back by its end: the third and fourth pass, too.
    assert attempts(played(Forgets)[0]) == [1, 1, 1, 1]


# Bulkheads and rate limits.


class Crowded(LoopRetrier):
    """Waits for the one place there is, for 15 ms at most."""

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        bulkhead = ctx.bulkhead({"at_most": 1, "queue": 1, "max_wait": "15ms"})
        if not await bulkhead.enter():
            raise CallRefused("bulkhead")
        return await call()


SLOW = {"action": {"latency": {"constant": "22ms"}}}


def test_a_loop_waits_for_a_place_and_leaves_it_by_its_end() -> None:
    rows, history, _ = played(Crowded, **SLOW)
    # At 10 ms the second waits, at 20 ms the queue is full, at 22 ms the second goes on and ends at 44 ms.
    assert [row.settled_ns // MS for row in rows] == [22, 44, 20, 66]
    assert [(event.gate, event.wait_ns // MS) for event in history if event.kind == "gate_wait"] == [
        ("bulkhead", 15),
        ("bulkhead", 15),
    ]


def test_a_wait_that_gets_too_long_is_refused() -> None:
    rows, history, _ = played(Crowded, action={"latency": {"constant": "100ms"}})
    # The second waits from 10 to 25 ms, the third finds the queue full at 20 ms, the fourth waits from 30 to 45 ms.
    assert [row.settled_ns // MS for row in rows] == [100, 25, 20, 45]
    assert [event.t_ns // MS for event in history if event.kind == "refused"] == [20, 25, 45]


def test_a_canceled_loop_leaves_the_queue_and_its_place() -> None:
    """The first is canceled at 12 ms: the second, which waits since 10 ms, has its place then."""
    rows, _, _ = played(Crowded, **SLOW, cancel={"share": 1.0, "after": {"constant": "12ms"}})
    assert [row.settled_ns // MS for row in rows] == [12, 22, 32, 42]
    assert attempts(rows) == [1, 1, 1, 1]


def test_a_loop_stands_in_no_queue_after_the_end_of_the_world() -> None:
    rows, _, _ = played(Crowded, action={"latency": {"constant": "1h"}}, until="12ms")
    assert attempts(rows) == [1, 0]


def test_a_place_that_is_not_taken_cannot_be_given_back() -> None:
    class Wrong(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            ctx.bulkhead({"at_most": 1}).leave()
            return await call()

    with pytest.raises(ValueError, match="no place in the bulkhead to give back"):
        played(Wrong)


@pytest.mark.parametrize(("empty", "expected"), [("wait", [1, 31, 61, 91]), ("refuse", [1, 10, 20, 31])])
def test_a_rate_limit_lets_wait_or_refuses(empty: str, expected: list[int]) -> None:
    class Limited(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            if not await ctx.rate_limit({"rate": 1000 / 30, "empty": empty}).take():
                raise CallRefused("rate_limit")
            return await call()

    rows, _, _ = played(Limited, action={"latency": {"constant": "1ms"}})
    assert [row.settled_ns // MS for row in rows] == expected


# Shared values.


@pytest.mark.parametrize("value", [[1], {"a": 1}, (1, [2]), object()])
def test_a_value_that_can_change_in_place_is_refused(value: Any) -> None:
    class Wrong(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            ctx.shared()["x"] = value
            return await call()

    with pytest.raises(TypeError, match="'x': a shared value is a number, a text, None or a tuple of these"):
        played(Wrong)


def test_shared_values_are_a_mapping() -> None:
    found: list[Any] = []

    class Maps(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            shared = ctx.shared(scope="request")
            shared["a"], shared["b"] = 1, (2.0, None)
            del shared["a"]
            found.append((dict(shared), len(shared), "a" in shared, shared.get("a", 7)))
            return await call()

    played(Maps)
    assert found[0] == ({"b": (2.0, None)}, 1, False, 7)


# Ends of loops.


def test_a_canceled_loop_sees_it_and_can_tidy_up_what_it_shares() -> None:
    seen: list[Any] = []

    class Tidy(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            shared = ctx.shared(scope="world")
            shared["running"] = shared.get("running", 0) + 1
            try:
                return await call()
            finally:
                shared["running"] -= 1
                seen.append((ctx.canceled, shared["running"]))

    played(Tidy, action={"latency": {"constant": "8ms"}}, cancel={"share": 1.0, "after": {"constant": "5ms"}})
    assert seen == [(True, 0)] * 4


def test_a_loop_that_ends_by_itself_is_not_canceled() -> None:
    seen: list[bool] = []

    class Plain(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            try:
                return await call()
            finally:
                seen.append(ctx.canceled)

    played(Plain)
    assert seen == [False] * 4


def test_nothing_of_one_replication_is_left_in_the_next() -> None:
    cell = scenario(replications=2)
    worlds = [World(cell, replication=number, retrier=Budgeted) for number in range(2)]
    assert [attempts(world.shared()) for world in worlds] == [[3, 2, 1, 1]] * 2


def test_a_budget_of_retries_in_flight_counts_sleeping_and_running_ones() -> None:
    """With room for one retry in flight, the second request's comes too early at 11 ms, the third's in time."""

    class Active(LoopRetrier):
        async def retry(self, call: Call, ctx: ClientContext) -> int:
            budget = ctx.budget({"active": {"share": 0.0, "at_least": 1, "sleeping": True}})
            try:
                return await call()
            except CallFailed:
                if not budget.take():
                    raise
            await ctx.sleep(15)
            return await call()

    rows, _, _ = played(Active)
    # The first sleeps from 1 to 16 ms and calls until 17 ms.
    assert attempts(rows) == [2, 1, 2, 1]
