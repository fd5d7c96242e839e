"""What services owe: each invariant on histories told by hand, good ones and bad ones."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from handmade import MS
from told_services import ONE_SERVER, ServiceTale

from sim.contracts.catalogue import PLATFORM, Terms, check
from sim.contracts.services import calls, cancels, capacity, effects, gates, layers, queues, rows, work
from sim.history.failure import Failure
from sim.history.recorder import History
from sim.promises.services import (
    ChangeTerms,
    LayerTerms,
    RateTerms,
    ServiceTerms,
    ShedTerms,
    SlowdownTerms,
)

Tell = Callable[[ServiceTale], ServiceTale]

AFAR = replace(ONE_SERVER, request_ns=(5 * MS, 5 * MS), reply_ns=(5 * MS, 5 * MS))
LIFO = replace(ONE_SERVER, order="lifo")
SHORT = replace(ONE_SERVER, limit=1, max_wait_ns=30 * MS)
LIMITED = ServiceTerms(rate=RateTerms(Fraction(10), 1, "next"))
ROW = ServiceTerms(is_row=True, request_ns=(5 * MS, 5 * MS), reply_ns=(5 * MS, 5 * MS))
LAYERED = replace(ONE_SERVER, layers=(LayerTerms("ledger", timeout_ns=100 * MS),))
LEDGER = {"ledger": ServiceTerms()}
SLOWED = ServiceTerms(slowdown=SlowdownTerms(per_call_ns=10 * MS))
TWO_CLASSES = replace(ONE_SERVER, order="priority")


def one_after_the_other(t: ServiceTale) -> ServiceTale:
    """Two calls at one server: the second waits for the first."""
    t.servers().asks(0).arrives(0).begins(0).at(10).asks(1).arrives(1, 0, 1).queues(1)
    t.at(50).add("effect", 1, "applied").works(0).begins(1)
    t.answered(0).settles("success")
    return t.at(100).done(1)


def turned_away(t: ServiceTale) -> ServiceTale:
    """One call works, one waits for 30 ms and is rejected, one finds the queue full."""
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    t.at(10).asks(2).arrives(2, 1, 1).turned_away(2, "queue")
    t.at(30).turned_away(1, "max_wait")
    return t.at(50).done(0)


def without_tokens(t: ServiceTale) -> ServiceTale:
    """The second call finds no token, and is asked to wait for the next, which the third takes."""
    t.servers(-1).asks(0).arrives(0, tokens=1).begins(0)
    t.at(40).asks(1).arrives(1, 0, 1, tokens=0).turned_away(1, "rate_limit", 60)
    t.at(50).done(0).at(100).asks(2).arrives(2, tokens=1).begins(2)
    return t.at(150).done(2)


def calls_another(t: ServiceTale) -> ServiceTale:
    """Work calls the ledger after its own latency, and ends with the answer; its effect comes then."""
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    t.at(50).calls(1, "ledger", within=0).arrives(1).begins(1, latency=20)
    t.at(70).of(1, "layer_effect", "applied").works(1).answered(1)
    return t.done(0)


def gives_its_call_up(t: ServiceTale) -> ServiceTale:
    """The ledger takes longer than the timeout of the call: the work fails without an effect, and that call goes on."""
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    t.at(50).calls(1, "ledger", within=0).arrives(1).begins(1, latency=120)
    t.at(150).works(0, "failed").answered(0, "threw").settles("gave_up")
    return t.at(170).of(1, "layer_effect", "applied").works(1).answered(1)


def contends(t: ServiceTale) -> ServiceTale:
    """Two calls read a row; the second writes too late."""
    t.asks(0).at(1).asks(1)
    t.at(5).of(0, "read", 0).at(6).of(1, "read", 0)
    t.at(15).of(0, "write_back", 0, 0).add("effect", 1, "applied")
    t.at(16).of(1, "write_back", 0, 1).at(20).answered(0).settles("success")
    t.at(21).answered(1, "threw", Failure(final=False, retry_after_ns=-1, kind="conflict"))
    t.settles("gave_up", 1)
    return t


def gets_slower(t: ServiceTale) -> ServiceTale:
    """The second of two calls at once takes 10 ms more."""
    t.servers(-1).asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).begins(1, work=60)
    return t.at(50).done(0).at(60).done(1)


def stops_canceled_calls(t: ServiceTale) -> ServiceTale:
    """One call works and one waits when both are canceled; their service hears of it 5 ms later."""
    t.servers().asks(0).at(5).arrives(0).begins(0).at(10).asks(1).at(15).arrives(1, 0, 1).queues(1)
    t.at(30).of(0, "cancel_sent").of(1, "cancel_sent")
    t.at(35).of(1, "cancel_heard").of(1, "dropped").of(0, "cancel_heard").works(0, "cut")
    t.answered(0, "cut").settles("gave_up")
    return t.at(40).answered(1, "threw").settles("gave_up", 1)


def hears_too_late(t: ServiceTale) -> ServiceTale:
    """The work is over as the service hears of the cancel: it is answered as any other."""
    t.servers().asks(0).at(5).arrives(0).begins(0)
    t.at(52).of(0, "cancel_sent")
    t.at(55).add("effect", 1, "applied").works(0).at(57).of(0, "cancel_heard")
    return t.at(60).answered(0).settles("success")


GOOD: list[tuple[Tell, dict[str, Any]]] = [
    (one_after_the_other, {}),
    (turned_away, {"db": SHORT}),
    (without_tokens, {"db": LIMITED}),
    (calls_another, {"db": LAYERED, "services": LEDGER}),
    (gives_its_call_up, {"db": LAYERED, "services": LEDGER}),
    (contends, {"db": ROW}),
    (gets_slower, {"db": SLOWED}),
    (stops_canceled_calls, {"db": AFAR}),
    (hears_too_late, {"db": AFAR}),
]


def canceled(t: ServiceTale) -> ServiceTale:
    """A call that works since 5 ms is canceled at 30 ms."""
    return t.servers().asks(0).at(5).arrives(0).begins(0).at(30).of(0, "cancel_sent")


def goes_on_working(t: ServiceTale) -> ServiceTale:
    return canceled(t).at(35).of(0, "cancel_heard").at(55).works(0)


def goes_on_waiting(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).asks(1).at(5).arrives(0).begins(0).arrives(1, 0, 1).queues(1)
    return t.at(30).of(1, "cancel_sent").at(35).of(1, "cancel_heard").at(55).works(0).begins(1)


def begins_canceled_work(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).of(0, "cancel_sent")
    return t.at(5).of(0, "cancel_heard").arrives(0).begins(0)


def hears_at_once(t: ServiceTale) -> ServiceTale:
    return canceled(t).of(0, "cancel_heard").works(0, "cut")


def never_hears(t: ServiceTale) -> ServiceTale:
    return canceled(t).at(55).works(0)


def hears_of_nothing(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(30).of(0, "cancel_heard")


def is_cut_for_nothing(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(30).works(0, "cut")


def has_its_effect_all_the_same(t: ServiceTale) -> ServiceTale:
    t = canceled(t).at(35).of(0, "cancel_heard").works(0, "cut").answered(0, "cut")
    return t.at(55).add("effect", 1, "applied")


@pytest.mark.parametrize(("story", "terms"), GOOD, ids=lambda one: getattr(one, "__name__", ""))
def test_a_good_story_breaks_nothing(served: type[ServiceTale], story: Tell, terms: dict[str, Any]) -> None:
    assert story(served()).broken_by(*PLATFORM, **terms) == []


@pytest.mark.parametrize(("story", "terms"), GOOD, ids=lambda one: getattr(one, "__name__", ""))
def test_a_good_story_breaks_nothing_wherever_it_is_cut(
    served: type[ServiceTale], story: Tell, terms: dict[str, Any]
) -> None:
    whole = story(served()).raw
    services = {"db": terms.get("db", ONE_SERVER), **terms.get("services", {})}
    for length in range(len(whole) + 1):
        cut = Terms(drained=False, services=services, idempotency_ns=0)
        assert check(History(whole[:length]), cut, PLATFORM) == []


def lifo_out_of_turn(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1).asks(2).arrives(2, 1, 1).queues(2, 0)
    return t.at(50).works(0).begins(1)


def passes_those_that_wait(t: ServiceTale) -> ServiceTale:
    t.servers(1).asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.at(50).works(0).asks(2).arrives(2, 1, 0).begins(2)


def class_out_of_turn(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    t.add("submit", -1, "told", "soon", 2).add("attempt", 1, "at_service", (-1, -1, -1), 2)
    t.requests[2], t.services[2] = 2, "db"
    t.add("call", 2, "db", (1, "", -1), 2)
    return t.arrives(2, 1, 1).queues(2, 0).at(50).works(0).begins(1)


def two_at_one_server(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).begins(1)


def capacity_that_shrinks(t: ServiceTale) -> ServiceTale:
    t.servers(2).asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).begins(1)
    t.at(10).servers(1).asks(2).arrives(2, 0, 2).queues(2)
    return t.at(50).works(0).begins(2)


def waits_at_a_free_server(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).queues(0).at(10).begins(0)


def waits_behind_the_limit(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.asks(2).arrives(2, 1, 1).queues(2, 1)


def rejected_with_room(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0)
    return t.asks(1).arrives(1, 0, 1).turned_away(1, "queue")


def rejected_too_soon(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.at(29).turned_away(1, "max_wait")


def waits_too_long(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.at(50).works(0).begins(1)


def miscounts(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 1, 1).queues(1)


def says_a_wrong_place(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1, 1)


def drops_a_call_that_is_waited_for(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.at(50).works(0).of(1, "dropped")


def serves_a_call_that_is_given_up(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.at(9).add("timed_out", 1, "", 9, 1).at(50).works(0).begins(1)


def lets_through_without_a_token(t: ServiceTale) -> ServiceTale:
    t.servers(-1).asks(0).arrives(0, tokens=1).begins(0)
    return t.at(40).asks(1).arrives(1, 0, 1, tokens=0).begins(1)


def rejects_with_a_token(t: ServiceTale) -> ServiceTale:
    return t.servers(-1).asks(0).arrives(0, tokens=1).turned_away(0, "rate_limit", 100)


def names_a_wrong_wait(t: ServiceTale) -> ServiceTale:
    t.servers(-1).asks(0).arrives(0, tokens=1).begins(0)
    return t.at(40).asks(1).arrives(1, 0, 1, tokens=0).turned_away(1, "rate_limit", 50)


def fills_above_its_burst(t: ServiceTale) -> ServiceTale:
    return t.servers(-1).at(300).asks(0).arrives(0, tokens=2).begins(0)


def sheds_too_soon(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).turned_away(1, "shed")


def forgets_to_shed(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).queues(1)
    return t.asks(2).arrives(2, 1, 1).queues(2, 1)


def has_another_number_of_servers(t: ServiceTale) -> ServiceTale:
    return t.servers().at(10).servers(2)


def misses_a_change(t: ServiceTale) -> ServiceTale:
    return t.servers().at(60).asks(0).arrives(0).begins(0)


def changes_back_too_soon(t: ServiceTale) -> ServiceTale:
    return t.servers().at(40).servers(0).at(45).servers(1).at(60).asks(0).arrives(0).begins(0)


def takes_too_long(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(60).done(0)


def never_ends(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0)


def a_hang_that_ends(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0, "hang", effect=False).at(50).works(0)


def is_not_slowed(t: ServiceTale) -> ServiceTale:
    return t.servers(-1).asks(0).arrives(0).begins(0).asks(1).arrives(1, 0, 1).begins(1, work=50)


def works_on_a_rejected_call(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).turned_away(0, "queue")


def is_forgotten(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0)


def never_arrives(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0)


def is_worked_on_twice(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(50).works(0).works(0)


def is_answered_otherwise(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(50).works(0).answered(0, "threw")


def is_never_answered(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(50).works(0)


def is_answered_before_the_end(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(10).answered(0)


def hears_another_reason(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).of(0, "rejected", "queue", -1)
    return t.answered(0, "threw", Failure(final=False, retry_after_ns=-1, kind="rejected.shed"))


def a_rejected_call_with_an_effect(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).of(0, "rejected", "queue", -1)
    return t.add("effect", 1, "applied")


def an_effect_too_late(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).at(50).works(0).answered(0)
    return t.at(51).add("effect", 1, "applied")


def an_effect_twice(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).at(50).add("effect", 1, "applied")
    return t.add("effect", 1, "timeout")


def no_effect(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0).at(50).works(0).answered(0)


def does_what_it_cannot(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0, "ack_lost")


def takes_what_its_law_has_not(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0, latency=80)


def succeeds_in_an_outage(t: ServiceTale) -> ServiceTale:
    return t.servers().asks(0).arrives(0).begins(0)


def calls_too_soon(t: ServiceTale) -> ServiceTale:
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    return t.at(40).calls(1, "ledger", within=0)


def ends_without_its_call(t: ServiceTale) -> ServiceTale:
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    return t.at(50).works(0)


def ends_before_its_call(t: ServiceTale) -> ServiceTale:
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    t.at(50).calls(1, "ledger", within=0).arrives(1).begins(1, latency=20)
    t.at(60).works(0)
    return t.at(70).works(1).answered(1)


def calls_when_it_is_over(t: ServiceTale) -> ServiceTale:
    t.servers().asks(0).arrives(0).begins(0).at(50).works(0)
    return t.calls(1, "ledger", within=0)


def succeeds_though_its_call_fails(t: ServiceTale) -> ServiceTale:
    t.servers().servers(-1, "ledger").asks(0).arrives(0).begins(0, effect=False)
    t.at(50).calls(1, "ledger", within=0).arrives(1).begins(1, "fail", 20, effect=False)
    return t.at(70).works(1, "failed").answered(1, "threw").works(0)


def repeats_within_the_window(t: ServiceTale) -> ServiceTale:
    calls_another(t)
    t.asks(2, 2, request=0).arrives(2).begins(2, effect=False)
    t.at(120).calls(3, "ledger", within=2, number=2).arrives(3).begins(3, latency=20)
    return t.at(140).of(3, "layer_effect", "ack_lost")


def skips_a_version(t: ServiceTale) -> ServiceTale:
    t.asks(0).at(5).of(0, "read", 0).at(15).of(0, "write_back", 0, 0)
    return t.at(16).asks(1).at(21).of(1, "read", 2)


def writes_what_it_has_not_read(t: ServiceTale) -> ServiceTale:
    return t.asks(0).at(5).of(0, "read", 0).at(15).of(0, "write_back", 1, 0)


def counts_an_old_version(t: ServiceTale) -> ServiceTale:
    contends(t)
    return t.at(30).asks(2).at(35).of(2, "read", 2)


SPANS = ({"success": (50 * MS, 50 * MS)},)
CHANGES = replace(ONE_SERVER, changes=(ChangeTerms(2, planned_ns=(20 * MS, 50 * MS)),))
TURNS = replace(ONE_SERVER, changes=(ChangeTerms(0, up_ns=(40 * MS, 40 * MS), down_ns=(10 * MS, 10 * MS)),))
SHEDS = replace(ONE_SERVER, shed=ShedTerms("inside", 2))
DROPS = replace(ONE_SERVER, drops=True)
SERVICES = {"db": LAYERED, "services": LEDGER}
WINDOW = {"db": LAYERED, "services": {"ledger": ServiceTerms(window_ns=80 * MS)}}

BAD: list[tuple[Any, Tell, dict[str, Any], str]] = [
    (queues.calls_served_in_order, lifo_out_of_turn, {"db": LIFO}, "before call 2, which is next by lifo"),
    (queues.calls_served_in_order, passes_those_that_wait, {}, "before call 1, which is next by fifo"),
    (
        queues.calls_served_in_order,
        class_out_of_turn,
        {"db": TWO_CLASSES, "priorities": {"": 1, "soon": 0}},
        "before call 2, which is next by priority",
    ),
    (queues.servers_respected, two_at_one_server, {}, "although all 1 servers work"),
    (queues.servers_respected, capacity_that_shrinks, {}, "although all 1 servers work"),
    (queues.no_server_idles, waits_at_a_free_server, {}, "although only 0 of 1 servers work"),
    (queues.queue_limits_hold, waits_behind_the_limit, {"db": SHORT}, "behind 1, but the queue has 1 places"),
    (queues.queue_limits_hold, rejected_with_room, {"db": SHORT}, "but only 0 wait"),
    (queues.waits_end_in_time, rejected_too_soon, {"db": SHORT}, "is rejected at 29ms"),
    (queues.waits_end_in_time, rejected_too_soon, {}, "waits from 0s and is rejected at 29ms"),
    (queues.waits_end_in_time, waits_too_long, {"db": SHORT}, "a `max_wait` of 30ms and is not rejected"),
    (queues.arrivals_count_calls, miscounts, {}, "finds 1 waiting and 1 in progress, but 0 and 1 are"),
    (queues.arrivals_count_calls, says_a_wrong_place, {}, "finds 1 ahead of it, but 0 are"),
    (queues.only_abandoned_dropped, drops_a_call_that_is_waited_for, {"db": DROPS}, "although its caller waits for it"),
    (queues.only_abandoned_dropped, drops_a_call_that_is_waited_for, {}, "although its service serves such calls"),
    (queues.only_abandoned_dropped, serves_a_call_that_is_given_up, {"db": DROPS}, "its service drops such calls"),
    (cancels.cancels_stop_calls, goes_on_waiting, {"db": AFAR}, "but waits on"),
    (cancels.cancels_stop_calls, goes_on_working, {"db": AFAR}, "but is worked on"),
    (cancels.cancels_stop_calls, begins_canceled_work, {"db": AFAR}, "but its work begins"),
    (cancels.cancels_stop_calls, hears_at_once, {"db": AFAR}, "of which it hears at 30ms; expected 35ms to 35ms"),
    (cancels.cancels_stop_calls, never_hears, {"db": AFAR}, "of which it has not heard by 35ms"),
    (
        cancels.cancels_stop_calls,
        hears_of_nothing,
        {},
        "of a cancel of call 0 of request 0 at db that nothing has sent",
    ),
    (
        work.work_takes_its_time,
        is_cut_for_nothing,
        {},
        "is cut at 30ms, but the service does not hear of a cancel then",
    ),
    (effects.service_effects_happen, has_its_effect_all_the_same, {"db": AFAR}, "it has none"),
    (gates.rate_limits_hold, lets_through_without_a_token, {"db": LIMITED}, "is let through although there is no"),
    (gates.rate_limits_hold, rejects_with_a_token, {"db": LIMITED}, "is rejected although there are 1 tokens"),
    (gates.rate_limits_hold, names_a_wrong_wait, {"db": LIMITED}, "is asked to wait 50ms; expected 60ms"),
    (gates.rate_limits_hold, fills_above_its_burst, {"db": LIMITED}, "finds 2 tokens, but there are 1"),
    (gates.rate_limits_hold, rejects_with_a_token, {}, "by a limit of its rate, which its service does not have"),
    (gates.load_shed_as_stated, sheds_too_soon, {"db": SHEDS}, "although only 1 are inside, not 2"),
    (gates.load_shed_as_stated, sheds_too_soon, {}, "although its service sheds no load"),
    (gates.load_shed_as_stated, forgets_to_shed, {"db": SHEDS}, "but is to be shed: 2 inside"),
    (capacity.servers_change_as_planned, has_another_number_of_servers, {}, "has 2 servers at 10ms, which nothing"),
    (capacity.servers_change_as_planned, misses_a_change, {"db": CHANGES}, "is to change its servers at 20ms, but"),
    (capacity.servers_change_as_planned, changes_back_too_soon, {"db": TURNS}, "keeps its servers for 5ms at 40ms"),
    (capacity.work_slows_as_stated, is_not_slowed, {"db": SLOWED}, "takes 50ms, with a latency of 50ms beside 1"),
    (work.work_takes_its_time, takes_too_long, {}, "ends at 60ms; expected 50ms"),
    (work.work_takes_its_time, never_ends, {}, "is not over by 50ms"),
    (work.work_takes_its_time, a_hang_that_ends, {}, "ends at 50ms, but hangs"),
    (work.work_goes_as_stated, does_what_it_cannot, {"db": replace(ONE_SERVER, latencies_ns=SPANS)}, "has success"),
    (work.work_goes_as_stated, takes_what_its_law_has_not, {"db": replace(ONE_SERVER, latencies_ns=SPANS)}, "of 80ms"),
    (
        work.work_goes_as_stated,
        succeeds_in_an_outage,
        {"db": replace(ONE_SERVER, latencies_ns=SPANS, outages_ns=((0, MS, frozenset({"fail"})),))},
        "its service has fail",
    ),
    (calls.calls_arrive, never_arrives, {}, "does not arrive by 0s"),
    (calls.calls_arrive, one_after_the_other, {"db": replace(ONE_SERVER, request_ns=(MS, 2 * MS))}, "from 1ms to 2ms"),
    (calls.calls_go_one_way, works_on_a_rejected_call, {}, "is rejected and worked on"),
    (calls.calls_go_one_way, is_forgotten, {}, "has arrived, and nothing becomes of it"),
    (calls.calls_go_one_way, is_worked_on_twice, {}, "'work_end' of call 0 at 50ms: it was never sent, or this comes"),
    (calls.calls_answered, is_answered_otherwise, {}, "is answered at 50ms: threw; expected returned"),
    (calls.calls_answered, is_never_answered, {}, "is never answered; expected by 50ms"),
    (calls.calls_answered, is_answered_before_the_end, {}, "but the service is not done with it"),
    (calls.calls_answered, hears_another_reason, {}, "expected 'rejected.queue'"),
    (effects.service_effects_happen, a_rejected_call_with_an_effect, {}, "comes at 0s; it has none"),
    (effects.service_effects_happen, an_effect_too_late, {}, "comes at 51ms but is due at 50ms"),
    (effects.service_effects_happen, an_effect_twice, {}, "comes at 50ms and again at 50ms"),
    (effects.service_effects_happen, no_effect, {}, "is due at 50ms but never comes"),
    (effects.service_effects_happen, gives_its_call_up, {"db": replace(LAYERED, effect_at=0.5)}, "is not said to come"),
    (effects.repeated_calls_recognized, repeats_within_the_window, WINDOW, "is 'ack_lost'; expected suppressed"),
    (layers.layers_called_in_turn, calls_too_soon, SERVICES, "calls ledger at 40ms; expected 50ms"),
    (layers.layers_called_in_turn, ends_without_its_call, SERVICES, "ends at 50ms without a call of ledger"),
    (layers.layers_called_in_turn, ends_before_its_call, SERVICES, "expected success at 70ms"),
    (layers.layers_called_in_turn, calls_when_it_is_over, {}, "which holds no server then"),
    (layers.layers_called_in_turn, succeeds_though_its_call_fails, SERVICES, "expected failed at 70ms"),
    (rows.row_versions_hold, skips_a_version, {"db": ROW}, "finds version 2, but 1 is there"),
    (rows.row_versions_hold, writes_what_it_has_not_read, {"db": ROW}, "writes with version 1, but has read 0"),
    (rows.row_versions_hold, counts_an_old_version, {"db": ROW}, "finds version 2, but 1 is there"),
]


@pytest.mark.parametrize(
    ("invariant", "story", "terms", "text"), BAD, ids=lambda one: getattr(one, "name", getattr(one, "__name__", ""))
)
def test_a_bad_story_breaks_the_invariant_meant_for_it(
    served: type[ServiceTale], invariant: Any, story: Tell, terms: dict[str, Any], text: str
) -> None:
    found = story(served()).broken_by(invariant, **terms)
    assert any(text in one for one in found), found


def test_every_invariant_of_services_has_a_bad_story() -> None:
    rooms = (calls, cancels, queues, gates, capacity, work, effects, layers, rows)
    owed = {one.name for one in PLATFORM if one.search.__module__ in {room.__name__ for room in rooms}}
    assert {invariant.name for invariant, *_ in BAD} == owed
