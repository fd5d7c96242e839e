"""Services of one's own: what `handle` decides, what the scenario keeps, mistakes, and options."""

from typing import Any

import numpy as np
import own_services
import pytest
from own_services import LEAKS, STEADY, Hangs
from served import Patient, Served

from sim.api.run import run
from sim.clients.client import CallFailed
from sim.engine.event import simulate_replication
from sim.experiment.triggers import triggers_of
from sim.history.recorder import Recorder
from sim.history.service_events import WorkStarted
from sim.history.vocabulary import Cause
from sim.retriers.base import LoopRetrier
from sim.scenario.identity import digest, resolved, resolved_yaml
from sim.scenario.load import parse
from sim.scenario.mistakes.problems import ScenarioError
from sim.scenario.schema import Scenario
from sim.world.services import ServiceFailed

FOUR = """
world: shared
retrier: none
requests: {count: 4, arrivals: {constant: {rate: 100/s}}}
action: {service: db}
"""


def scenario(kind: str, db: str = "{}", head: str = FOUR, **more: Any) -> Scenario:
    return parse(f"{head}services: {{db: {db}}}", services={"db": f"own_services:{kind}"}, **more)


def serve(kind: str, db: str = "{}", head: str = FOUR, retrier: LoopRetrier | None = None, **more: Any) -> Served:
    recorder = Recorder()
    made: Any = None if retrier is None else (lambda: retrier)
    requests, traffic = simulate_replication(scenario(kind, db, head, **more), retrier=made, recorder=recorder)
    return Served(requests, traffic, recorder.history())


# The front is the scenario's.


@pytest.mark.parametrize(
    "front",
    [
        "servers: 1",
        "servers: 2",
        "servers: 1, queue: {limit: 1}",
        "servers: 1, queue: {order: lifo}",
        "servers: 1, queue: {max_wait: 20ms}",
        "servers: 1, rate_limit: {rate: 50/s, retry_after: next}",
        "shed: {when: inside >= 1, share: 0.5}",
        "servers: 1, network: {request: {constant: 3ms}, reply: {exponential: {mean: 4ms}}}",
        "servers: 2, capacity: [{from: 10ms, to: 60ms, servers: 1}]",
    ],
)
def test_a_class_with_constant_work_is_a_service_with_constant_work(front: str) -> None:
    mine = serve("Constant", f"{{{front}}}")
    text = f"{FOUR}services: {{db: {{latency: {{constant: 25ms}}, {front}}}}}"
    requests, traffic = simulate_replication(parse(text))
    for name in ("arrived_ns", "began_ns", "ended_ns", "over_ns", "effect_ns", "end"):
        assert getattr(mine.traffic.calls, name).tolist() == getattr(traffic.calls, name).tolist(), name
    assert mine.requests.effects.tolist() == requests.effects.tolist()


def test_a_class_that_the_scenario_does_not_state_gets_the_defaults() -> None:
    made = parse(FOUR, services={"db": "own_services:Constant"})
    requests, _ = simulate_replication(made)
    assert requests.effects.tolist() == [1, 1, 1, 1]


# What `handle` decides.


def test_a_return_is_a_success_with_its_effect_at_the_end() -> None:
    served = serve("Constant")
    assert served.ends == ["success"] * 4
    assert served.ms("effect_ns") == served.ms("ended_ns")


class Hears(LoopRetrier):
    """Keeps the error that it hears."""

    heard: Any = None

    async def retry(self, call: Any, ctx: Any) -> Any:
        del ctx
        try:
            return await call()
        except CallFailed as error:
            Hears.heard = error
            raise


def test_a_failure_says_what_it_was_given() -> None:
    served = serve("Fails", retrier=Hears())
    assert served.ends == ["failed"] * 4
    assert (Hears.heard.final, Hears.heard.retry_after_ms) == (True, 300)
    assert served.requests.effects.tolist() == [0] * 4


def test_an_effect_before_a_failure_stays_and_is_repeated_as_one_whose_answer_was_lost() -> None:
    served = serve("Early", head=FOUR.replace("count: 4", "count: 1"), retrier=Patient(None, None))
    assert served.ends == ["failed", "success"]
    assert served.ms("effect_ns") == [10, 30]
    assert served.requests.duplicates[0].tolist()[Cause.ack_lost] == 1


def test_a_second_effect_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"one effect, but `ctx\.effect\(\)` was called twice"):
        serve("Twice")


def test_work_that_never_ends_holds_its_server_and_tidies_up_with_the_world() -> None:
    Hangs.ended = 0
    served = serve("Hangs", "{servers: 1}", head=f"{FOUR}until: 1s\n")
    assert served.ends == ["open"] * 4
    assert served.ms("began_ns") == [0, -1, -1, -1]
    assert Hangs.ended == 1


def test_calls_and_contexts_tell_what_there_is_to_know() -> None:
    head = FOUR.replace("count: 4", "count: 3") + "clients: {count: 2}\nclasses: {web: {share: 1}}\n"
    serve("Looks", "{servers: 1}", head=head, retrier=Patient(30))
    [seen] = own_services.LOOKED[-1:]
    assert seen == [
        (0, 1, "web", 0, False, 0.0, 0, 1),
        (1, 1, "web", 1, True, 20.0, 0, 1),
        (2, 1, "web", 0, True, 40.0, 0, 1),
    ]


def test_draws_of_one_call_stay_the_same_if_another_call_is_added() -> None:
    few, more = (serve("Draws", head=FOUR.replace("count: 4", f"count: {count}")) for count in (3, 4))
    assert few.ms("ended_ns") == more.ms("ended_ns")[:3]


def test_draws_of_the_calls_of_a_request_differ() -> None:
    served = serve("Draws", head=FOUR.replace("count: 4", "count: 1"), retrier=Patient(0.001, 0.001, None))
    works = np.diff([served.ms("began_ns"), served.ms("ended_ns")], axis=0)[0]
    assert len(set(works.tolist())) == 3


def test_each_replication_begins_with_a_new_instance() -> None:
    alone = serve("Cache").requests.settled_ns.tolist()
    again = serve("Cache").requests.settled_ns.tolist()
    assert alone == again


def test_a_history_says_that_the_work_is_the_users_own() -> None:
    works = [event for event in serve("Constant").history.events if isinstance(event, WorkStarted)]
    assert {(one.outcome, one.latency_ns) for one in works} == {("own", -1)}


# Mistakes.


@pytest.mark.parametrize("retrier", [None, Patient(None, None)], ids=["none", "one that catches errors"])
@pytest.mark.parametrize(("kind", "request_number", "at"), [("Mistaken", 2, "30ms"), ("MistakenAtOnce", 0, "0s")])
def test_any_other_error_is_a_mistake_that_says_where(
    kind: str, request_number: int, at: str, retrier: LoopRetrier | None
) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        serve(kind, retrier=retrier)
    [note] = caught.value.__notes__
    assert note == (
        f"raised by service 'db' (own_services:{kind}) at call 1 for request {request_number} at {at}. A call fails by "
        "`raise ServiceFailed()`; any other error counts as a mistake."
    )


def test_waiting_by_asyncio_is_told_with_the_way_to_wait() -> None:
    with pytest.raises(RuntimeError, match="no running event loop") as caught:
        serve("Foreign")
    assert "use `await ctx.sleep(ms)` in place of asyncio.sleep" in caught.value.__notes__[0]


@pytest.mark.parametrize("wrong", [{"kind": "a b"}, {"retry_after_ms": -1}, {"retry_after_ms": float("nan")}])
def test_a_failure_is_said_in_words_that_a_caller_can_hear(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        ServiceFailed(**wrong)


# Options.


@pytest.mark.parametrize(
    ("kind", "db", "place", "reason"),
    [
        ("Cache", "{latency: {constant: 1s}}", "latency", "the class itself does the work of each call"),
        ("Cache", "{calls: []}", "calls", "the class itself does the work of each call"),
        ("Cache", "{idempotency: none}", "idempotency", "the class itself does the work of each call"),
        ("Cache", "{slowdown: {per_call: 1ms}}", "slowdown", "the class itself does the work of each call"),
        ("Cache", "{page: 3}", "page", "unknown key 'page'; did you mean 'pages'?"),
        ("Cache", "{serves: 3}", "serves", "unknown key 'serves'; did you mean 'servers'?"),
        ("Cache", "{miss: 5}", "miss", "a duration needs a unit"),
        ("Cache", "{servers: 0}", "servers", "must be a whole number from 1"),
        ("Taken", "{}", "kind", "the Options of 'own_services:Taken' have 'servers', which every service has"),
        ("Nothing", "{}", "kind", "module 'own_services' has no 'Nothing'"),
        ("ServiceFailed", "{}", "kind", "is not derived from OwnService"),
        (
            "Cache",
            "{servers: 1, capacity: [{from: 0s, to: 1s, slowdown: {per_call: 1ms}}]}",
            "capacity.0.slowdown",
            "the class says how long the work takes",
        ),
    ],
)
def test_mistakes_in_options_are_told_at_their_place(kind: str, db: str, place: str, reason: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario(kind, db)
    [problem] = caught.value.problems
    assert ".".join(map(str, problem.keys)) == f"services.db.{place}"
    assert reason in problem.reason


def test_classes_that_a_service_sheds_must_exist() -> None:
    with pytest.raises(ScenarioError, match="no class is called 'web'"):
        scenario("Cache", "{shed: {when: inside >= 3, classes: [web]}}")


@pytest.mark.parametrize("front", ["{}", "{servers: 1}", "{servers: 1, queue: {limit: 3}}"])
def test_the_resolved_form_is_a_scenario_of_the_same_identity(front: str) -> None:
    made = scenario("Cache", front)
    again = parse(resolved_yaml(made), services={"db": "own_services:Cache"})
    assert digest(again) == digest(made)


def test_the_fixture_simulate_takes_a_scenario_with_a_class(simulate: Any) -> None:
    result = simulate(scenario("Constant"), invariants=())
    assert result.requests().effects.tolist() == [1, 1, 1, 1]


def test_a_file_never_imports_code() -> None:
    with pytest.raises(ScenarioError, match="name a class with --service NAME=MODULE:CLASS"):
        parse(f"{FOUR}services: {{db: {{kind: 'own_services:Cache'}}}}")


def test_the_options_of_the_class_stand_beside_those_of_the_front() -> None:
    written = resolved(scenario("Cache", "{servers: 3, pages: 7}"))["services"]["db"]
    assert {"servers": 3, "kind": "own_services:Cache", "pages": 7, "hit_ms": 1.0, "miss": "50ms"}.items() <= (
        written.items()
    )


def test_the_class_and_its_options_are_part_of_the_identity() -> None:
    made = [scenario("Cache"), scenario("Cache", "{pages: 7}"), scenario("Constant"), scenario("Draws")]
    assert len({digest(one) for one in made}) == 4


def test_options_of_the_class_can_be_swept() -> None:
    head = FOUR + "sweep: {services.db.pages: [1, 50]}\n"
    result = run(scenario("Cache", head=head))
    options = [cell.cell.scenario.services["db"].options.pages for cell in result.cells]  # type: ignore[union-attr]
    assert options == [1, 50]


def test_a_change_of_its_servers_is_a_trigger_in_results_over_time() -> None:
    made = scenario("Cache", "{servers: 2, capacity: [{from: 1s, to: 2s, servers: 1}]}")
    assert [(one.from_ns, one.text) for one in triggers_of(made)] == [(1_000_000_000, "db: 1 server")]


# Runs look whether it repeats.

MANY = FOUR.replace("count: 4", "count: 60")


@pytest.mark.parametrize("kind", LEAKS, ids=lambda one: one.__name__)
def test_a_run_finds_what_depends_on_more_than_scenario_and_seed(kind: type) -> None:
    result = run(scenario(kind.__name__, "{servers: 2}", head=f"{MANY}replications: 3\n"))
    assert [bool(cell.unrepeated) for cell in result.cells] == [True]


@pytest.mark.parametrize("kind", STEADY, ids=lambda one: one.__name__)
def test_a_run_finds_nothing_in_what_repeats(kind: type) -> None:
    result = run(scenario(kind.__name__, "{servers: 2}", head=f"{MANY}replications: 3\n"))
    assert [bool(cell.unrepeated) for cell in result.cells] == [False]
