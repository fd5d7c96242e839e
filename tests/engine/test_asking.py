"""Who asks in a shared world, and when: clients, classes of callers, closed arrivals."""

from typing import Any, ClassVar

import numpy as np
import pytest

from sim.clients.client import Call, CallFailed, ClientContext
from sim.contracts.catalogue import View, check_view
from sim.engine.event import simulate
from sim.engine.world import World
from sim.experiment.terms import terms_of
from sim.history.recorder import Recorder
from sim.history.records import COLUMNS, Requests
from sim.history.request import table
from sim.history.vocabulary import Outcome
from sim.kernel.draws import Draws
from sim.retriers.base import LoopRetrier
from sim.scenario.cells import cells
from sim.scenario.load import parse
from sim.scenario.schema import Scenario

S = 1_000_000_000


def shared(text: str) -> Scenario:
    return parse(f"world: shared\n{text}")


def checked(scenario: Scenario) -> tuple[Requests, list[Any]]:
    """Simulate a replication, and check its history against everything."""
    recorder = Recorder()
    world = World(scenario, recorder=recorder)
    records = table(world.shared())
    return records, check_view(View(recorder.history(), terms_of(world, records=records)))


class Counting(LoopRetrier):
    """Calls once, and counts in itself the requests that it serves; gives up from its third on."""

    kind: ClassVar[str] = "counting"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.served = 0

    async def retry(self, call: Call, ctx: ClientContext) -> int:
        del ctx
        self.served += 1
        number = await call()
        if self.served > 2:
            raise CallFailed
        return number


# Clients.


def test_clients_are_dealt_requests_in_turn() -> None:
    records = simulate(shared("retrier: none\nrequests: {count: 7}\nclients: {count: 3}"))
    assert records.client.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_clients_drawn_at_random_are_as_the_addresses_say() -> None:
    records = simulate(shared("retrier: none\nrequests: {count: 300}\nclients: {count: 3, deal: random}"))
    uniforms = Draws(0).uniforms("client", np.arange(300))
    assert records.client.tolist() == np.floor(uniforms * 3).astype(int).tolist()


def test_each_client_has_a_retrier_of_its_own() -> None:
    scenario = shared("retrier: none\nrequests: {count: 9, arrivals: {constant: {rate: 1/s}}}\nclients: {count: 3}")
    records = simulate(scenario, retrier=Counting)
    assert (records.outcome == Outcome.success).tolist() == [True] * 6 + [False] * 3


def test_one_client_shares_its_retrier_among_all() -> None:
    scenario = shared("retrier: none\nrequests: {count: 9, arrivals: {constant: {rate: 1/s}}}")
    records = simulate(scenario, retrier=Counting)
    assert (records.outcome == Outcome.success).tolist() == [True] * 2 + [False] * 7


def test_more_clients_change_nothing_for_a_retrier_of_the_deployment() -> None:
    text = (
        "retrier: component\nrequests: {count: 40, arrivals: {poisson: {rate: 5/s}}}\naction: {outcomes: {fail: 0.3}}\n"
    )
    one, many = simulate(shared(text)), simulate(shared(f"{text}clients: {{count: 7}}"))
    assert all((getattr(one, name) == getattr(many, name)).all() for name in COLUMNS if name != "client")


# Closed arrivals.

CLOSED = "retrier: none\naction: {{latency: {{constant: 1s}}}}\nclients: {{count: {clients}}}\n"


def test_a_client_thinks_before_each_of_its_requests() -> None:
    text = CLOSED.format(clients=2) + "requests: {count: 6, arrivals: {closed: {think: {constant: 3s}}}}"
    assert simulate(shared(text)).submitted_ns.tolist() == [3 * S, 3 * S, 7 * S, 7 * S, 11 * S, 11 * S]


def test_a_pace_counts_from_start_to_start() -> None:
    text = CLOSED.format(clients=1) + "requests: {count: 4, arrivals: {closed: {pace: {constant: 3s}}}}"
    assert simulate(shared(text)).submitted_ns.tolist() == [3 * S, 6 * S, 9 * S, 12 * S]


def test_a_client_behind_its_pace_asks_at_once() -> None:
    text = CLOSED.format(clients=1) + "requests: {count: 4, arrivals: {closed: {pace: {constant: 400ms}}}}"
    assert simulate(shared(text)).submitted_ns.tolist() == [400_000_000 + number * S for number in range(4)]


def test_a_client_has_one_request_at_a_time() -> None:
    text = "clients: {count: 4}\nrequests: {count: 60, arrivals: {closed: {think: {exponential: {mean: 1s}}}}}\n"
    records = simulate(shared(f"{text}retrier: component\naction: {{outcomes: {{fail: 0.4}}}}"))
    for client in range(4):
        own = records.select(records.client == client)
        assert len(own) > 5
        assert (own.submitted_ns[1:] >= own.settled_ns[:-1]).all()


def test_a_client_whose_request_never_ends_never_asks_again() -> None:
    scenario = parse(
        "world: shared\nretrier: none\naction: {outcomes: {hang: 1.0}}\nclients: {count: 2}\n"
        "requests: {count: 9, arrivals: {closed: {think: {constant: 1s}}}}"
    )
    assert simulate(scenario).outcome.tolist() == [Outcome.stuck] * 2


def test_a_closed_client_waits_for_its_last_submission() -> None:
    text = (
        "retrier: none\nclients: {count: 1}\nrequests: {count: 2, arrivals: {closed: {think: {constant: 1s}}}}\n"
        "action: {latency: {constant: 100ms}, outcomes: {fail: 1.0}}\nresubmit: {after: {constant: 5s}, at_most: 1}"
    )
    # Submitted at 1 s, told at 1.1 s, again at 6.1 s, told at 6.2 s; a second of thought.
    assert simulate(shared(text)).submitted_ns.tolist() == [S, 7_200_000_000]


def test_closed_clients_ask_as_often_as_the_response_time_law_says() -> None:
    """N clients that think for Z and wait for R ask N T / (Z + R) times in T; the variance is N T Z^2 / (Z + R)^3."""
    text = (
        "retrier: none\naction: {latency: {constant: 1s}}\nclients: {count: 50}\nuntil: 100s\n"
        "requests: {count: 100000, arrivals: {closed: {think: {exponential: {mean: 1s}}}}}"
    )
    expected, deviation = 50 * 100 / 2, np.sqrt(50 * 100 / 8)
    assert abs(len(simulate(shared(text))) - expected) < 5 * deviation


# Schedules and bursts.


def test_a_schedule_up_to_the_end_needs_no_count() -> None:
    text = (
        "retrier: none\nuntil: 60s\nrequests: {arrivals: {schedule: [{from: 0s, rate: 40/s}, {from: 20s, rate: 80/s}, "
        "{from: 25s, rate: 40/s}]}}"
    )
    records = simulate(shared(text))
    assert 2300 < len(records) < 2900  # 2600 on average
    assert records.submitted_ns.max() < 60 * S


def test_a_count_beside_a_schedule_takes_the_first_of_them() -> None:
    text = "retrier: none\nuntil: 60s\nrequests: {{{count}arrivals: {{schedule: [{{from: 0s, rate: 40/s}}]}}}}"
    whole, few = (simulate(shared(text.format(count=count))) for count in ("", "count: 50, "))
    assert (len(few), few.submitted_ns.tolist()) == (50, whole.submitted_ns[:50].tolist())


def test_bursts_before_the_end_are_all_there_are() -> None:
    text = "retrier: none\nuntil: 150s\nrequests: {arrivals: {bursts: {every: 60s, size: 4}}}"
    assert simulate(shared(text)).submitted_ns.tolist() == [0] * 4 + [60 * S] * 4 + [120 * S] * 4


def test_a_world_in_which_nobody_asks_has_no_records() -> None:
    scenario = shared("retrier: helpers\nuntil: 5s\nrequests: {arrivals: {schedule: [{from: 10s, rate: 1/s}]}}")
    assert len(simulate(scenario)) == 0


# Classes of callers.

TWO = (
    "requests: {count: 60, arrivals: {poisson: {rate: 5/s}}}\nplatform: {profile: ideal}\n"
    "action: {outcomes: {fail: 0.5, ack_lost: 0.1}}\nretrier: {kind: component, max_failures: 2}\n"
)


def test_classes_have_their_shares() -> None:
    scenario = shared("retrier: none\nrequests: {count: 4000}\nclasses: {a: {share: 0.25}, b: {share: 0.75}}")
    records = simulate(scenario)
    assert abs((records.caller_class == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 4000)


def test_a_class_of_no_requests_changes_nothing() -> None:
    with_two = "classes: {a: {share: 0.3, action: {outcomes: {fail: 0.1}}}, b: {share: 0.7, retrier: helpers}}"
    with_three = with_two.replace("helpers}}", "helpers}, c: {share: 0, retrier: article, priority: 3}}")
    one, other = simulate(shared(TWO + with_two)), simulate(shared(TWO + with_three))
    assert all((getattr(one, name) == getattr(other, name)).all() for name in COLUMNS)


def test_a_class_can_have_a_retrier_of_its_own() -> None:
    records, broken = checked(shared(f"{TWO}classes: {{a: {{share: 0.5}}, b: {{share: 0.5, retrier: none}}}}"))
    own = records.caller_class == 1
    assert (records.attempts[own].max(), records.mutations[own].max()) == (1, 0)
    assert records.attempts[~own].max() == 3
    assert broken == []


def test_options_of_a_class_change_those_of_the_scenario() -> None:
    scenario = shared(f"{TWO}classes: {{a: {{share: 0.5}}, b: {{share: 0.5, retrier: {{max_failures: 0}}}}}}")
    records, broken = checked(scenario)
    assert [records.attempts[records.caller_class == place].max() for place in (0, 1)] == [3, 1]
    assert broken == []


def test_a_class_is_held_to_its_own_promises() -> None:
    scenario = shared(f"{TWO}classes: {{a: {{share: 0.5}}, b: {{share: 0.5, retrier: {{max_failures: 0}}}}}}")
    recorder = Recorder()
    world = World(scenario, recorder=recorder)
    world.shared()
    terms = terms_of(world)
    swapped = {"a": terms.classes["b"], "b": terms.classes["b"]}
    for classes, names in ((terms.classes, set()), (swapped, {"attempts-within-budget"})):
        found = check_view(View(recorder.history(), type(terms)(**{**fields_of(terms), "classes": classes})))
        assert {one.invariant for one in found} & {"attempts-within-budget"} == names


def fields_of(terms: Any) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in terms.__slots__}


def test_retriers_of_one_kind_share_no_table() -> None:
    scenario = shared(f"{TWO}classes: {{a: {{share: 0.5}}, b: {{share: 0.5, retrier: {{base: 3}}}}}}")
    world = World(scenario)
    classes = [request.caller_class for request in world.shared()]
    tables = world.deployment.store.tables
    assert [tables[name].created for name in ("runs", "b/runs")] == [classes.count(0), classes.count(1)]


def test_a_cron_looks_only_at_the_tables_of_its_own_retrier() -> None:
    text = (
        "requests: {count: 20, arrivals: {constant: {rate: 1/s}}}\nplatform: {profile: ideal}\n"
        "until: 9d\nretrier: component\n"
        "classes: {a: {share: 0.5}, b: {share: 0.5, retrier: {daily_cleanup: true}}}\n"
        "cancel: {share: 0.1, after: {constant: 8d12h}}"
    )
    world = World(shared(text))
    world.shared()
    left = [name.rpartition(":")[0] for name, one in world.deployment.store.documents.items() if one.document]
    assert set(left) == {"runs"}


def test_a_class_can_have_an_action_of_its_own() -> None:
    text = (
        "retrier: none\nrequests: {count: 40}\naction: {latency: {constant: 1s}, outcomes: {fail: 1.0}}\n"
        "classes: {a: {share: 0.5}, b: {share: 0.5, action: {outcomes: {fail: 0.0}}}}"
    )
    records, broken = checked(shared(text))
    own = records.caller_class == 1
    assert set(records.outcome[own].tolist()) == {Outcome.success}
    assert set(records.outcome[~own].tolist()) == {Outcome.gave_up}
    assert set(records.settled_ns.tolist()) == {S}
    assert broken == []


def test_an_outage_of_one_class_spares_the_others() -> None:
    outage = "weather: [{outage: {from: 0s, to: 1h}}]"
    text = (
        "retrier: none\nrequests: {count: 40}\n"
        f"classes: {{a: {{share: 0.5}}, b: {{share: 0.5, action: {{{outage}}}}}}}"
    )
    records, broken = checked(shared(text))
    assert ((records.outcome == Outcome.gave_up) == (records.caller_class == 1)).all()
    assert broken == []


def test_a_class_of_a_retrier_in_the_deployment_is_stuck_by_its_own_watchers() -> None:
    """Operators cancel the job of every poll: the polls of `helpers` come no more, `component` needs none."""
    text = (
        "requests: {count: 40}\nplatform: {profile: ideal}\nuntil: 1h\nretrier: component\n"
        "cancel: {share: 1.0, after: {constant: 50ms}, target: poll}\n"
        "classes: {a: {share: 0.5}, b: {share: 0.5, retrier: helpers}}"
    )
    records, broken = checked(shared(text))
    own = records.caller_class == 1
    assert set(records.outcome[own].tolist()) == {Outcome.stuck}
    assert set(records.outcome[~own].tolist()) == {Outcome.success}
    assert [one.invariant for one in broken if one.invariant.startswith("records")] == []


@pytest.mark.parametrize("name", ["classes.b.retrier.max_failures", "classes.b.share"])
def test_cells_can_vary_a_class(name: str) -> None:
    values = "[0, 2]" if name.endswith("failures") else "[0.5, 0.5000000001]"
    scenario = shared(f"{TWO}classes: {{a: {{share: 0.5}}, b: {{share: 0.5}}}}\nsweep: {{{name}: {values}}}")
    assert len(cells(scenario)) == 2
